"""References: what is put in, where files may be named, and that what is not there is a problem that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.config.files import load, problem, problems

if TYPE_CHECKING:
    from pathlib import Path

HOOK = (
    "workspaces: [{name: default, destinations: [{name: h, type: webhook, settings: {url: 'https://h.example', %s}}]}]"
)


def token(tmp_path: Path, value: str, **environ: str) -> str:
    """Load a configuration with one token; returns its secret."""
    text = f"tokens:\n  - name: a\n    role: admin\n    value: '{value}'\n"
    return load(tmp_path, text, environ).tokens[0].value.get_secret_value()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("${A}", "one"),
        ("x-${A}-${B}", "x-one-two"),
        ("${A}${A}", "oneone"),
        ("${NONE:-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("${A:-other}", "one"),
        ("x${EMPTY}x", "xx"),
        ("$$", "$"),
        ("$${A}", "${A}"),
        ("$A", "$A"),
        ("a$", "a$"),
        ("${NESTED}", "${A}"),
        ("${LOOKS}", "file:none"),
    ],
)
def test_variables_are_put_into_texts(tmp_path: Path, written: str, read: str) -> None:
    """`${NAME}` anywhere in a text, with a default or without; what is put in is not read again."""
    environ = {"A": "one", "B": "two", "EMPTY": "", "NESTED": "${A}", "LOOKS": "file:none"}
    assert token(tmp_path, written, **environ) == read


def test_variables_are_put_into_any_text(tmp_path: Path) -> None:
    """Also into what is no secret, and into texts that stand for numbers."""
    text = "server: {public_url: 'https://${HOST}'}\ndelivery: {queue: {capacity: '${CAPACITY}'}}"
    config = load(tmp_path, text, {"HOST": "a.example", "CAPACITY": "17"})
    assert config.server.public_url == "https://a.example"
    assert config.delivery.queue.capacity == 17


@pytest.mark.parametrize(
    ("held", "read"),
    [("s3cret\n", "s3cret"), ("s3cret", "s3cret"), ("s3cret\r\n", "s3cret"), ("${A}", "${A}")],
)
def test_a_file_is_read_without_its_last_newline(tmp_path: Path, held: str, read: str) -> None:
    """Relative to the configuration file, taken as it is."""
    (tmp_path / "secret").write_bytes(held.encode())
    assert token(tmp_path, "file:secret") == read
    assert token(tmp_path, f"file:{tmp_path}/secret") == read
    assert token(tmp_path, "file:${WHERE}/secret", WHERE=str(tmp_path)) == read


def test_only_one_newline_is_taken_off(tmp_path: Path) -> None:
    """A text of several lines keeps them."""
    (tmp_path / "header").write_text("a secret\n\n")
    said = problem(tmp_path, HOOK % "headers: {X: 'file:header'}")
    assert "on one line" in said.expected


def test_credentials_of_systemd_are_read(tmp_path: Path) -> None:
    """`credential:NAME` is the file of that name in $CREDENTIALS_DIRECTORY."""
    (tmp_path / "api").write_text("s3cret\n")
    assert token(tmp_path, "credential:api", CREDENTIALS_DIRECTORY=str(tmp_path)) == "s3cret"


def test_settings_of_destinations_may_name_files(tmp_path: Path) -> None:
    """Any text below `settings`, however deep."""
    (tmp_path / "secret").write_text("s3cret\n")
    config = load(tmp_path, HOOK % "secret: 'file:secret', headers: {X-Key: 'file:secret'}")
    settings = config.workspaces[0].destinations[0].settings
    assert [settings["secret"], settings["headers"]] == ["s3cret", {"X-Key": "s3cret"}]


def test_elsewhere_file_is_a_text(tmp_path: Path) -> None:
    """A title that begins with `file:` is no reference."""
    config = load(tmp_path, "workspaces: [{name: default, title: 'file:none'}]")
    assert config.workspaces[0].title == "file:none"


@pytest.mark.parametrize(
    ("written", "found", "expected"),
    [
        ("${NOPE}", "${NOPE}", "the environment variable NOPE to be set"),
        ("a ${A-b}", "a malformed reference", "${NAME}"),
        ("${A", "a malformed reference", "${NAME}"),
        ("file:nope", "file:nope", "No such file"),
        ("file:.", "file:.", "not a folder"),
        ("file:empty", "file:empty", "not empty"),
        ("file:latin", "file:latin", "UTF-8"),
        ("file:large", "file:large", "at most"),
        ("file:${NOPE}", "${NOPE}", "NOPE to be set"),
        ("credential:nope", "credential:nope", "No such file"),
        ("credential:../x", "credential:../x", "plain name"),
        ("credential:", "credential:", "plain name"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, written: str, found: str, expected: str) -> None:
    """An unresolved reference is one problem at its line that names the reference and what would do."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    (tmp_path / "large").write_bytes(b"x" * ((1 << 20) + 1))
    environ = {"A": "one", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    said = problem(tmp_path, f"tokens:\n  - name: a\n    role: admin\n    value: '{written}'\n", environ)
    assert (said.line, said.path) == (4, "tokens[0].value")
    assert found in said.found
    assert expected in said.expected


def test_credentials_need_a_folder(tmp_path: Path) -> None:
    """Outside systemd it is said what is missing."""
    said = problem(tmp_path, "tokens: [{name: a, role: admin, value: 'credential:x'}]")
    assert "CREDENTIALS_DIRECTORY" in said.expected


def test_all_unresolved_references_are_named(tmp_path: Path) -> None:
    """One missing variable does not hide the next."""
    found = problems(tmp_path, HOOK % "secret: '${A}', headers: {X: '${B}'}")
    assert [p.path.rpartition("settings.")[2] for p in found] == ["secret", "headers.X"]
