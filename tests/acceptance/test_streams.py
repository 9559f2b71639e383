"""Acceptance: the program where its output goes to a terminal, or nowhere, or its arguments are no text."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.daemon import DEADLINE, PROGRAM
from tests.terminal import at_terminal

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

CLOSED = "<&- >&- 2>&-"
COLOUR = re.compile(r"\x1b\[[\d;]*m")
CONFIG = "server: {listen: 127.0.0.1:0}\nstore: {url: sqlite:///alertd.db}\n"


def typed(folder: Path, streams: str, *arguments: str | bytes) -> subprocess.CompletedProcess[str]:
    """Type a command, its streams as a shell leads them."""
    command = ["sh", "-c", f'exec "$0" "$@" {streams}', PROGRAM, *arguments]
    return subprocess.run(command, cwd=folder, check=False, timeout=DEADLINE * 3, capture_output=True, text=True)  # noqa: S603 - our own program


@contextlib.contextmanager
def started(folder: Path, streams: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a daemon, its streams as a shell leads them; it tells a socket of the folder when it is ready."""
    (folder / "alertd.yml").write_text(CONFIG)
    process = subprocess.Popen(  # noqa: S603 - our own program
        ["sh", "-c", f'exec "$0" run --config alertd.yml {streams}', PROGRAM],  # noqa: S607 - any shell will do
        cwd=folder,
        env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify")},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("streams", [CLOSED, "> /dev/full"], ids=["closed", "full"])
def test_a_daemon_that_nobody_hears_lives(tmp_path: Path, manager: socket.socket, streams: str) -> None:
    """Nothing that it opens takes the numbers of streams that are closed: it gets ready, and ends in order."""
    manager.settimeout(DEADLINE)
    with started(tmp_path, streams) as process:
        assert b"READY=1" in manager.recv(4096)
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
    assert (tmp_path / "alertd.db").read_bytes().startswith(b"SQLite format 3")


@pytest.mark.parametrize("arguments", [["version"], ["version", "--json"], ["check"], ["check", "--json"]])
def test_a_result_that_nobody_wants_is_no_failure(tmp_path: Path, arguments: list[str]) -> None:
    """With a closed stdout a command does what it does."""
    done = typed(tmp_path, ">&-", *arguments)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["version"],
        ["version", "--json"],
        ["check"],
        ["check", "--json"],
        ["--help"],
        ["replay", "--help"],
        ["--show-completion", "bash"],
    ],
)
def test_a_result_that_cannot_be_written_is_said(
    tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk: one sentence, and 1, whether Python keeps a line back or not, as in most containers."""
    for unbuffered in ("", "1"):
        monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
        done = typed(tmp_path, "> /dev/full", *arguments)
        assert (done.returncode, done.stderr) == (1, "alertd: the result cannot be written: no space left on device\n")


@pytest.mark.parametrize(
    "place", [["send", "t", "--message"], ["send", "t", "--id"], ["export", "-w"], ["tail", "--type"]]
)
def test_an_argument_that_is_no_text_is_usage(tmp_path: Path, place: list[str]) -> None:
    """It is named as it was given."""
    (tmp_path / "token").write_text("x")
    done = typed(tmp_path, "", *place, b"caf\xe9", "--url", "http://127.0.0.1:1", "--token-file", "token")
    assert (done.returncode, done.stderr) == (2, "alertd: b'caf\\xe9' is not UTF-8\n")


def test_a_log_at_a_terminal_is_for_people(tmp_path: Path) -> None:
    """Nobody has to ask for it: level, event and what belongs to it stand in a line that is no JSON, in colours."""
    (tmp_path / "alertd.yml").write_text(CONFIG)
    with at_terminal(tmp_path, "run", "--config", "alertd.yml") as daemon:
        daemon.until("/api/v1/events\r\n")
    [line] = [line for line in daemon.seen.splitlines() if "daemon.ready" in line]
    assert "\x1b[" in line
    assert re.search(r"\[info *\] daemon\.ready .* loop=uvloop\b", COLOUR.sub("", line))


def test_a_log_at_a_terminal_is_json_if_asked_for(tmp_path: Path) -> None:
    """`log.format: json` means it, wherever the log goes."""
    (tmp_path / "alertd.yml").write_text(CONFIG + "log: {format: json}\n")
    with at_terminal(tmp_path, "run", "--config", "alertd.yml") as daemon:
        daemon.until("/api/v1/events\r\n")
    [line] = [line for line in daemon.seen.splitlines() if "daemon.ready" in line]
    assert json.loads(line)["level"] == "info"


def test_events_from_a_pipe_show_how_far_they_are(tmp_path: Path) -> None:
    """At a terminal `alertd send` counts as it sends, and takes the count away before it says what came of it."""
    (tmp_path / "alertd.yml").write_text(CONFIG)
    with at_terminal(tmp_path, "run", "--config", "alertd.yml") as daemon:
        daemon.until("/api/v1/events\r\n")
        [url] = re.findall(r"^alertd listens on (\S+)", daemon.seen, re.MULTILINE)
        with at_terminal(tmp_path, "send", "--config", "alertd.yml", "--url", url) as sender:
            assert sender.ends(b'{"type": "t"}\n' * 3) == 0
    shown, erased, said = sender.seen.rpartition("\x1b[2K")
    assert "3 events" in COLOUR.sub("", shown)
    assert (erased, said) == ("\x1b[2K", "accepted 3, duplicates 0\r\n")
