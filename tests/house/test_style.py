"""The house's own rules, where no linter has one."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = sorted((ROOT / "alertd").rglob("*.py"))
FILE_LINES = 400
FUNCTION_LINES = 50

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
