"""The house's own rules, where no linter has one."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = sorted((ROOT / "alertd").rglob("*.py"))
FILE_LINES = 400
FUNCTION_LINES = 50

EXEMPTION = re.compile(r"\bnoqa\b|type: *ignore")
NOQA = r"(?:ruff: )?noqa: [A-Z]+\d+(?:, [A-Z]+\d+)*"
IGNORE = r"type: ignore\[[a-z-]+(?:, [a-z-]+)*\]"
REASONED = re.compile(rf"# (?:{IGNORE}  # )?(?:{NOQA} - |{IGNORE}  # )(?!noqa|type:)\S.*")
"""What stands alone, `# noqa: CODE - reason` or `# type: ignore[code]  # reason`, or the second and the first with one reason."""

# Paths that exist only on somebody's machine.
MACHINE = re.compile(rb"(?<![\w.\-/$}])/(?:home|root|work)/[a-z.]")


def tracked() -> list[Path]:
    """List what belongs to the project: what git tracks, or, without git, the files that are there."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return PACKAGE
    command = [git, "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=30)  # noqa: S603 - fixed words
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """List all functions at any depth."""
    return [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function's body; a signature of command-line options is a list, not a deed."""
    return (function.end_lineno or function.lineno) - function.body[0].lineno + 1


def name_of(path: Path) -> str:
    """Name a file as one would say it."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PACKAGE, ids=name_of)
def test_a_file_has_one_noun(path: Path) -> None:
    """A file past 400 lines has a second noun in it, a function past 50 a second verb."""
    text = path.read_text()
    lines = len(text.splitlines())
    assert lines <= FILE_LINES, f"{name_of(path)} has {lines} lines"
    long = [f"{each.name}: {lines_of(each)}" for each in functions(ast.parse(text)) if lines_of(each) > FUNCTION_LINES]
    assert not long, f"{name_of(path)} has functions of more than {FUNCTION_LINES} lines: {long}"


@pytest.mark.parametrize("path", [path for path in PACKAGE if path.name == "__init__.py"], ids=name_of)
def test_a_package_file_holds_no_code(path: Path) -> None:
    """An `__init__.py` holds a docstring at most."""
    body = ast.parse(path.read_text()).body
    assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def test_no_file_names_a_machine() -> None:
    """No tracked file holds a path that exists only on somebody's machine."""
    found = []
    for path in tracked():
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            if MACHINE.search(line):
                found.append(f"{name_of(path)}:{number}")
    assert not found


def exemptions(path: Path) -> list[tuple[int, str]]:
    """List the comments that exempt from a rule, with their lines."""
    if not EXEMPTION.search(path.read_text()):
        return []
    with path.open("rb") as stream:
        read = list(tokenize.tokenize(stream.readline))
    comments = [(token.start[0], token.string) for token in read if token.type == tokenize.COMMENT]
    return [(line, comment) for line, comment in comments if EXEMPTION.search(comment)]


def test_an_exemption_has_a_reason() -> None:
    """Each says which rule it breaks and why, so that it goes when the reason does."""
    files = [path for top in ("alertd", "tests", "benchmarks") for path in sorted((ROOT / top).rglob("*.py"))]
    found = [(path, line, comment) for path in files for line, comment in exemptions(path)]
    assert len(found) > 100
    assert not [f"{name_of(path)}:{line}: {said}" for path, line, said in found if not REASONED.fullmatch(said)]
