"""The command line keeps its manners: every verb in the README, every option explained, every page of help whole."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
from typer.testing import CliRunner

from alertd.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "ARCHITECTURE.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))))
CONTRACT = {"run", "check", "send", "tail", "backup", "migrate", "version"} | {
    "token create",
    "token list",
    "token revoke",
    "token rotate",
    "destination disable",
    "destination enable",
    "destination list",
    "destination preview",
    "destination test",
    "diff",
    "explain",
    "export",
    "rejected list",
    "rejected replay",
    "rejected show",
    "replay",
    "subscription test",
}
MANY = re.compile(r"\[(ARGS|ID)\]\.\.\.")
"""How a usage line says that something may be given many times."""
COMMAND = re.compile(r"(?:^|`)(?:[\w./-]*/)?alertd ([a-z][^`\n|]*)", re.MULTILINE)


def commands(group: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Give every command by its words."""
    for name, command in group.commands.items():
        words = f"{above} {name}".strip()
        if hasattr(command, "commands"):
            yield from commands(command, words)
        else:
            yield words, command


ALL = dict(commands(typer.main.get_command(app)))


def test_the_commands_are_those_of_the_contract() -> None:
    """No verb is missing, and none is there that nobody promised."""
    assert set(ALL) == CONTRACT


def test_the_exit_codes_are_told_alike() -> None:
    """README and `--help` say what Ctrl-C ends with, and which commands it ends in order."""
    told = "130 cut short by Ctrl-C, which ends `run` and `tail` in order, with 0."
    texts = (ROOT / "README.md").read_text(), CliRunner().invoke(app, ["--help"]).output
    assert all(told in " ".join(text.split()) for text in texts)


@pytest.mark.parametrize("words", ALL)
def test_every_command_is_in_the_readme(words: str) -> None:
    """A verb that the README's table does not name does not exist for its readers."""
    rows = [line.replace("\\|", "|") for line in (ROOT / "README.md").read_text().splitlines() if "| `alertd " in line]
    verb, _, action = words.partition(" ")
    found = [row for row in rows if re.search(rf"`alertd {verb}\b", row) and (not action or action in row)]
    assert found, words


@pytest.mark.parametrize("words", ALL)
@pytest.mark.parametrize("width", [80, 120])
def test_every_page_of_help_is_whole(words: str, width: int) -> None:
    """Each option says what it is for in a sentence, and no line is cut or too wide."""
    for parameter in ALL[words].params:
        if parameter.name != "help":
            assert parameter.help, (words, parameter.name)
            assert parameter.help.endswith("."), (words, parameter.name)
    page = CliRunner().invoke(app, [*words.split(), "--help"], terminal_width=width).stdout
    assert max(map(len, page.splitlines())) <= width
    assert "..." not in MANY.sub("", page)


def test_the_list_of_commands_is_whole() -> None:
    """What each command does fits on its line at 80 columns."""
    for words in ([], ["token"], ["destination"], ["rejected"], ["subscription"]):
        page = CliRunner().invoke(app, [*words, "--help"], terminal_width=80).stdout
        assert "..." not in MANY.sub("", page)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_in_the_documents_can_be_typed(name: str) -> None:
    """What the documents show is a command that exists, with options that it has."""
    verbs = {words.split()[0] for words in ALL}
    for shown in COMMAND.findall((ROOT / name).read_text()):
        if shown.split()[0] not in verbs:
            continue
        words = shlex.split(shown.replace("\\", ""), comments=True)
        verb = next((found for n in (2, 1) if (found := " ".join(words[:n])) in ALL), None)
        assert verb or words[0] in {"token", "destination", "rejected", "subscription"}, shown
        known = {option for parameter in (ALL[verb].params if verb else ()) for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known | {"--help"}, shown
