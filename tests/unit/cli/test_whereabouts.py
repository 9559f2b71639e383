"""Finding the daemon, its store and its token; and the first screen, whose lines must find them again."""

from __future__ import annotations

import errno
import shlex
import sys
from pathlib import PosixPath
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from alertd.api.bootstrap import FILE_NAME, Access
from alertd.cli import options
from alertd.cli import welcome as screen
from alertd.cli.whereabouts import DEFAULT_LISTEN, DEFAULT_STORE, TOKEN_FILE, find_server, whereabouts
from alertd.config.settings import Server, Store
from alertd.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_defaults_are_those_of_the_settings() -> None:
    """What is assumed without a file is what the daemon assumes."""
    assert (Server().listen, Store().url, FILE_NAME) == (DEFAULT_LISTEN, DEFAULT_STORE, TOKEN_FILE)


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        ("", {}, ("http://127.0.0.1:8080", "state/alertd.db")),
        ("server: {listen: '0.0.0.0:99'}", {}, ("http://127.0.0.1:99", "state/alertd.db")),
        ("server: {listen: '[::]:99'}", {}, ("http://[::1]:99", "state/alertd.db")),
        ("server: {listen: 'box:1'}\nstore: {url: 'sqlite:////a/b.db'}", {}, ("http://box:1", "/a/b.db")),
        ("server: {listen: 'box:${PORT}'}", {"PORT": "7"}, ("http://box:7", "state/alertd.db")),
        ("server: {listen: 'box:1'}", {"ALERTD_SERVER__LISTEN": "host:2"}, ("http://host:2", "state/alertd.db")),
        ("server:\nstore:\n", {"ALERTD_STORE__URL": "sqlite:///x.db"}, ("http://127.0.0.1:8080", "x.db")),
    ],
)
def test_the_configuration_says_where(
    text: str, environ: dict[str, str], expected: tuple[str, str], folder: Path
) -> None:
    """Address and store are read as the daemon reads them; all interfaces become loopback."""
    file = folder / "a.yml"
    file.write_text(text)
    found = whereabouts(file, environ)
    assert (found.url, str(found.store)) == expected


class Closed(PosixPath):
    """A path in a folder that one may not look into."""

    @override
    def exists(self, *given: Any, **more: Any) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))


def test_a_file_that_nobody_may_look_for_counts_as_there(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """To go by the defaults instead would be to ask another daemon; whoever reads it is told why he cannot."""
    closed = Closed(folder / "alertd.yml")
    monkeypatch.delenv("ALERTD_CONFIG", raising=False)
    monkeypatch.setattr(options, "CONFIG_PATHS", (folder / "none.yml", closed, folder / "other.yml"))
    assert options.find_config(None) is closed


def test_secrets_of_the_daemon_are_not_needed(folder: Path) -> None:
    """A configuration whose secrets are set only for the daemon still says where it is."""
    file = folder / "a.yml"
    file.write_text('server: {listen: "127.0.0.1:99"}\nmail: {password: "${UNSET_PASSWORD}"}\n')
    assert whereabouts(file, {}).port == 99


@pytest.mark.parametrize(
    "text", ["[", "- a", "server: 5", "server: {listen: x}", "store: {url: x}", "server: {listen: 5}"]
)
def test_what_is_wrong_about_the_two_is_told_in_full(text: str, folder: Path) -> None:
    """A broken address, store or document is a ConfigError with its line."""
    file = folder / "a.yml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        whereabouts(file, {})
    assert "a.yml" in str(caught.value)


PLACES = [
    ("config/alertd.yml", "127.0.0.1:8080", "state/alertd.db"),
    ("config/alertd.yml", "127.0.0.1:9999", "state/alertd.db"),
    ("config/alertd.yml", "127.0.0.1:8080", "data/x y.db"),
    ("other/my config.yml", "127.0.0.1:8080", "state/alertd.db"),
    ("other/my config.yml", "127.0.0.1:9999", "data/x y.db"),
    ("config/alertd.yml", "0.0.0.0:9999", "state/alertd.db"),
]


@pytest.mark.parametrize(("config", "listen", "store"), PLACES)
@pytest.mark.parametrize("overridden", [False, True])
def test_the_printed_line_finds_the_daemon(
    config: str, listen: str, store: str, overridden: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed in a bare environment in the same folder, the line leads to this daemon's address and token."""
    file = folder / config
    file.parent.mkdir()
    file.write_text("" if overridden else f"server: {{listen: '{listen}'}}\nstore: {{url: 'sqlite:///{store}'}}\n")
    own = (
        whereabouts(file, {})
        if not overridden
        else whereabouts(file, {"ALERTD_SERVER__LISTEN": listen, "ALERTD_STORE__URL": f"sqlite:///{store}"})
    )
    token_file = folder / own.token_file
    token_file.parent.mkdir(exist_ok=True)
    token_file.write_text("secret\n")
    monkeypatch.setattr(sys, "argv", [str(folder / "bin/alertd")])
    text = screen.welcome(
        own.store, (folder / config).relative_to(folder), f"http://{listen}", Access(filed=True), seen=True
    )
    [line] = [line for line in text.splitlines() if " send " in line]
    words = shlex.split(line)
    assert words[:3] == ["bin/alertd", "send", "run:failed"]

    def option(name: str) -> str | None:
        return words[words.index(name) + 1] if name in words else None

    given = [option("--config"), option("--token-file")]
    paths = [folder / path if path else None for path in given]
    url, token, _ = find_server(option("--url"), *paths)
    assert (url, token) == (own.url, "secret")
    if not listen.endswith("8080"):
        assert option("--url") == own.url
    [curl] = [line for line in text.splitlines() if line.startswith("curl ")]
    assert curl.endswith(f" {own.url}/api/v1/events")


def test_a_free_port_is_printed_and_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With port 0 the printed line says the true address, and a command without it says that it must be told."""
    (folder / "config").mkdir()
    (folder / "config/alertd.yml").write_text("server: {listen: '127.0.0.1:0'}\n")
    (folder / "state").mkdir()
    (folder / "state/admin.token").write_text("secret\n")
    text = screen.welcome(whereabouts(None, {}).store, None, "http://127.0.0.1:4321", Access(filed=True), seen=False)
    assert '--message "Run 17 failed" --url http://127.0.0.1:4321\n' in text
    with pytest.raises(Exception, match=r"^1?$"):
        find_server(None, None, None)
    assert "any free port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("access", "said"),
    [
        (Access(configured=True), ["that the configuration holds"]),
        (Access(stored=True), ["made before"]),
        (Access(configured=True, stored=True), ["that the configuration holds", "made before"]),
    ],
)
def test_without_a_first_token_the_screen_says_what_is_missing(access: Access, said: list[str], folder: Path) -> None:
    """Where the file holds no good token: no line that cannot work, but where one is to be had, and where not."""
    (folder / "admin.token").write_text("of another store\n")
    text = screen.welcome(folder / "a.db", None, "http://127.0.0.1:8080", access, seen=True)
    assert "curl" not in text
    assert "--token-file" not in text
    [line] = [line for line in text.splitlines() if "ALERTD_TOKEN" in line]
    assert [each for each in ("that the configuration holds", "made before") if each in line] == said


def test_a_delivery_is_promised_only_where_it_will_be_seen(folder: Path) -> None:
    """The lines to type are there in any case."""
    place = folder / "a.db", folder / "config/alertd.yml", "http://127.0.0.1:8080", Access(filed=True)
    seen, unseen = (screen.welcome(*place, seen=seen).splitlines() for seen in (True, False))
    heading = "Send an event from another terminal"
    assert set(seen) ^ set(unseen) == {f"{heading}, and see it delivered here:", f"{heading}:"}


def test_without_a_configuration_that_is_said(folder: Path) -> None:
    """Whoever starts it in the wrong folder is told so, and where a configuration was looked for."""
    found, missing = (
        screen.welcome(folder / "a.db", config, "http://127.0.0.1:8080", Access(filed=True), seen=False)
        for config in (folder / "config/alertd.yml", None)
    )
    assert "no configuration" not in found
    assert "There is no configuration at config/alertd.yml or /etc/alertd/alertd.yml" in missing


def test_the_program_is_named_so_that_a_shell_finds_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name when installed on the path, else by a path with a slash; never by a name that other shells lack."""
    there = folder / "bin" / "alertd"
    there.parent.mkdir()
    there.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(there)])
    monkeypatch.setenv("PATH", "/nowhere")
    assert screen.program() == "bin/alertd"
    monkeypatch.setenv("PATH", str(there.parent))
    assert screen.program() == "alertd"
    monkeypatch.setattr(sys, "prefix", str(folder))
    assert screen.program() == "bin/alertd"
    monkeypatch.chdir(there.parent)
    assert screen.program() == "./alertd"
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "argv", [str(there)])
    assert screen.program() == shlex.quote(str(there).removeprefix("/"))
