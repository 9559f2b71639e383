"""The program itself, as processes: the first screen's lines, what stands in a daemon's way, tail, broken pipes."""

# ruff: noqa: S603 - every process here is our own program, or a shell that is to type what it printed
from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from alertd.store.sqlite.lock import FileLock

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(sys.executable).with_name("alertd")
DEADLINE = 60
CONFIG = """\
server: {listen: "127.0.0.1:%d"}
store: {url: "%s"}
workspaces:
  - name: default
    channels: [{name: all, kind: glob, pattern: "*"}]
    destinations: [{name: console, type: console}]
    subscriptions: [{name: s, channels: [all], destinations: [console]}]
"""
BARE = {name: value for name, value in os.environ.items() if not name.startswith("ALERTD_") and name != "VIRTUAL_ENV"}
BARE["PATH"] = "/usr/local/bin:/usr/bin:/bin"


def write_config(folder: Path, name: str = "config/alertd.yml", port: int = 0, store: str = "state/alertd.db") -> Path:
    """Write a configuration; port 0 takes any free one."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(CONFIG % (port, f"sqlite:///{store}"))
    return file


def command(folder: Path, *words: str, stdin: bytes = b"", **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end."""
    given = {**BARE, **environ}
    return subprocess.run(
        [PROGRAM, *words], cwd=folder, env=given, input=stdin, capture_output=True, timeout=DEADLINE, check=False
    )


def line_with(stream: int, words: bytes, seen: bytes = b"") -> bytes:
    """Read until words came; give everything read."""
    deadline = time.monotonic() + DEADLINE
    while words not in seen:
        ready, _, _ = select.select([stream], [], [], max(0, deadline - time.monotonic()))
        assert ready, seen
        block = os.read(stream, 65536)
        assert block, seen
        seen += block
    return seen


class Running:
    """A process whose pipes are read while it runs."""

    def __init__(self, folder: Path, *words: str, **environ: str) -> None:
        self.process = subprocess.Popen(
            [PROGRAM, *words], cwd=folder, env={**BARE, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def reads(self, words: bytes) -> bytes:
        """Wait for words on stdout."""
        assert self.process.stdout is not None
        return line_with(self.process.stdout.fileno(), words)

    def hears(self, words: bytes) -> bytes:
        """Wait for words on stderr."""
        assert self.process.stderr is not None
        return line_with(self.process.stderr.fileno(), words)

    def ends(self, number: int | None = None) -> int:
        """Wait for the end, after a signal."""
        if number is not None:
            self.process.send_signal(number)
        self.process.communicate(timeout=DEADLINE)
        return self.process.returncode


@contextlib.contextmanager
def started(folder: Path, *words: str, **environ: str) -> Iterator[Running]:
    """Start a process and see it end."""
    running = Running(folder, *words, **environ)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()
        try:
            running.process.communicate(timeout=DEADLINE)
        except (subprocess.TimeoutExpired, ValueError):
            running.process.kill()
            running.process.wait()


def first_screen(daemon: Running) -> list[str]:
    """Read the first screen."""
    return daemon.reads(b"/api/v1/events\n").decode().splitlines()


@pytest.mark.parametrize("name", ["config/alertd.yml", "elsewhere/my config.yml"])
@pytest.mark.parametrize("store", ["state/alertd.db", "data/my store.db"])
def test_the_first_screen_can_be_typed(name: str, store: str, tmp_path: Path) -> None:
    """Both printed lines, typed as they are by a shell in that folder, make a delivery on the daemon's stdout."""
    write_config(tmp_path, name, store=store)
    words = [] if name == "config/alertd.yml" else ["--config", name]
    with started(tmp_path, "run", *words) as daemon:
        lines = first_screen(daemon)
        assert "Send an event from another terminal, and see it delivered here:" in lines
        [send] = [line for line in lines if "send run:failed" in line]
        [curl] = [line for line in lines if line.startswith("curl ")]
        for line in (send, curl):
            done = subprocess.run(
                ["/bin/sh", "-c", line], cwd=tmp_path, env=BARE, capture_output=True, timeout=DEADLINE, check=False
            )
            assert (done.returncode, b"accepted" in done.stdout) == (0, True), (line, done)
            daemon.reads(b"run:failed")


def test_the_first_token_is_changed(tmp_path: Path) -> None:
    """What was printed opens nothing any more; the command line goes on with the file, which has the new secret, also after a restart. With the token the file goes: no start takes its secret over."""
    write_config(tmp_path)
    for start in range(2):
        with started(tmp_path, "run") as daemon:
            url = next(line for line in first_screen(daemon) if line.startswith("alertd listens on ")).split()[-1]
            file = tmp_path / "state" / "admin.token"
            printed = file.read_text().strip()
            listed = command(tmp_path, "token", "list", "--everywhere", "--url", url).stdout.decode()
            assert [row.split()[:2] for row in listed.splitlines()[1:]] == [["admin", "admin"]]
            if start == 0:
                words = ("token", "rotate", "admin", "--everywhere", "--overlap", "0", "--url", url)
                changed = command(tmp_path, *words).stdout.decode().strip()
                assert changed != printed
                assert file.read_text().strip() == changed
                assert file.stat().st_mode & 0o777 == 0o600
                assert command(tmp_path, "token", "list", "--url", url, ALERTD_TOKEN=printed).returncode == 1
            assert command(tmp_path, "token", "list", "--url", url).returncode == 0
            if start == 1:
                words = ("token", "create", "second", "--role", "admin", "--everywhere", "--url", url)
                second = command(tmp_path, *words).stdout.decode().strip()
                assert command(tmp_path, "token", "revoke", "admin", "--everywhere", "--url", url).returncode == 0
                assert not file.exists()
                assert command(tmp_path, "token", "list", "--url", url, ALERTD_TOKEN=second).returncode == 0


def test_settings_from_the_environment_are_in_the_first_screen(tmp_path: Path) -> None:
    """What only the daemon's environment says is written out, as another terminal does not have it."""
    write_config(tmp_path)
    environ = {"ALERTD_STORE__URL": "sqlite:///other/a.db"}
    with started(tmp_path, "run", **environ) as daemon:
        [send] = [line for line in first_screen(daemon) if "send run:failed" in line]
        done = subprocess.run(
            ["/bin/sh", "-c", send], cwd=tmp_path, env=BARE, capture_output=True, timeout=DEADLINE, check=False
        )
        assert done.returncode == 0, done


def last_line(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return the last line on stderr, after seeing that nothing fell apart."""
    text = done.stderr.decode()
    assert "Traceback" not in text
    return text.strip().splitlines()[-1]


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    """One line with the address and the reason, and 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        write_config(tmp_path, port=port)
        done = command(tmp_path, "run")
    assert done.returncode == 1
    assert last_line(done).startswith(f"alertd: cannot listen on 127.0.0.1:{port}: address already in use")


def test_an_address_that_is_not_ours_is_said(tmp_path: Path) -> None:
    """An address of another machine is named with the reason."""
    write_config(tmp_path)
    done = command(tmp_path, "run", ALERTD_SERVER__LISTEN="192.0.2.1:8080")
    assert done.returncode == 1
    assert last_line(done).startswith("alertd: cannot listen on 192.0.2.1:8080: ")


def test_an_address_that_can_be_none_is_said(tmp_path: Path) -> None:
    """A name that no resolver would take is named as well."""
    write_config(tmp_path)
    done = command(tmp_path, "run", ALERTD_SERVER__LISTEN="a..b:8080")
    assert done.returncode == 1
    assert last_line(done).startswith("alertd: cannot listen on a..b:8080: ")


def test_a_store_of_another_daemon_is_said(tmp_path: Path) -> None:
    """The process that holds the store is named."""
    write_config(tmp_path)
    (tmp_path / "state").mkdir()
    lock = FileLock(tmp_path / "state/alertd.db")
    lock.take()
    try:
        done = command(tmp_path, "run")
    finally:
        lock.release()
    assert done.returncode == 1
    assert f"is held by process {os.getpid()}" in last_line(done)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A state folder where a file stands is named."""
    write_config(tmp_path)
    (tmp_path / "state").write_text("")
    done = command(tmp_path, "run")
    assert done.returncode == 1
    assert "state" in last_line(done)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A state folder in which nothing can be made, not even by root, is named."""
    write_config(tmp_path)
    (tmp_path / "state").symlink_to("/proc/self")
    done = command(tmp_path, "run")
    assert done.returncode == 1
    assert "state/" in last_line(done)
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["server: {listen: x}", "[", "\xff"])
def test_a_broken_configuration_is_said(text: str, tmp_path: Path) -> None:
    """Every problem with file and line, and 1; so for every command that needs it."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config/alertd.yml").write_bytes(text.encode("latin-1"))
    for words in (["run"], ["send", "t"], ["backup", "x"], ["migrate"], ["check"]):
        done = command(tmp_path, *words)
        assert done.returncode == 1
        assert "config/alertd.yml:1: " in last_line(done)


def test_tail_tells_what_happens_and_ends_in_order(tmp_path: Path) -> None:
    """Verdict and delivery are shown; Ctrl-C ends with 0, and so does the daemon's stop, with a word."""
    write_config(tmp_path)
    with started(tmp_path, "run") as daemon:
        [url] = [line.split()[-1] for line in first_screen(daemon) if line.startswith("alertd listens on")]
        with (
            started(tmp_path, "tail", "--url", url) as tail,
            started(tmp_path, "tail", "--json", "--url", url) as other,
        ):
            for each in (tail, other):
                each.hears(b"listening to the workspace default")
            assert command(tmp_path, "send", "t", "--id", "one", "--url", url).returncode == 0
            assert b"verdict   t  s: sent  (one)\n" in tail.reads(b"delivery  t  console: delivered")
            assert tail.ends(signal.SIGINT) == 0
            other.reads(b'"kind":"delivery"')
            daemon.process.terminate()
            other.hears(b"the daemon ended the stream")
            assert other.ends() == 0


def test_tail_ends_with_1_when_the_daemon_stays_away(tmp_path: Path) -> None:
    """A connection that breaks is no orderly end: what is not there again in time ends with 1 and a sentence."""
    write_config(tmp_path)
    with started(tmp_path, "run") as daemon:
        [url] = [line.split()[-1] for line in first_screen(daemon) if line.startswith("alertd listens on")]
        with started(tmp_path, "tail", "--url", url, "--give-up-seconds", "0") as tail:
            tail.hears(b"listening to")
            daemon.process.kill()
            assert b"Traceback" not in tail.hears(b"connection")
            assert tail.ends() == 1


def test_tail_goes_on_after_the_daemon_was_killed(tmp_path: Path) -> None:
    """Killed in the middle and started again: every event is shown once, those that came meanwhile too."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    write_config(tmp_path, port=port)
    url, names = f"http://127.0.0.1:{port}", [f"e{n}" for n in range(6)]
    with started(tmp_path, "run") as daemon:
        first_screen(daemon)
        with started(tmp_path, "tail", "--type", "t", "--json", "--url", url) as tail:
            tail.hears(b"listening to")
            for name in names[:3]:
                assert command(tmp_path, "send", "t", "--id", name, "--url", url).returncode == 0
            seen = tail.reads(b'"outcome":"delivered"')
            daemon.process.kill()
            tail.hears(b"trying again")
            daemon.process.wait()
            with started(tmp_path, "run") as again:
                first_screen(again)
                assert command(tmp_path, "send", "u", "--url", url).returncode == 0
                for name in names[3:]:
                    assert command(tmp_path, "send", "t", "--id", name, "--url", url).returncode == 0
                while seen.count(b'"outcome":"delivered"') < len(names):
                    seen += tail.reads(b"\n")
                again.process.terminate()
                tail.hears(b"the daemon ended the stream")
                assert tail.ends() == 0
    told = [json.loads(line) for line in seen.splitlines()]
    for kind in ("verdict", "delivery"):
        assert sorted(each["event_id"] for each in told if each["kind"] == kind) == names


def test_a_reader_that_leaves_is_no_traceback(tmp_path: Path) -> None:
    """A closed stdout ends a command quietly."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as gone:
        done = subprocess.run(
            [PROGRAM, "version"],
            cwd=tmp_path,
            env=BARE,
            stdout=gone,
            stderr=subprocess.PIPE,
            timeout=DEADLINE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b""


def test_ctrl_c_while_waiting_says_what_was_sent(tmp_path: Path) -> None:
    """An interrupted feed tells the count so far and ends as interrupted, without a traceback."""
    write_config(tmp_path)
    with started(tmp_path, "run") as daemon:
        [url] = [line.split()[-1] for line in first_screen(daemon) if line.startswith("alertd listens on")]
        feed = subprocess.Popen(
            [PROGRAM, "send", "--url", url],
            cwd=tmp_path,
            env=BARE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert feed.stdin is not None
        feed.stdin.write(b'{"type": "live"}\n')
        feed.stdin.flush()
        daemon.reads(b"live")
        feed.send_signal(signal.SIGINT)
        out, err = feed.communicate(timeout=DEADLINE)
        assert (feed.returncode, b"Traceback" in err) == (130, False)
        assert out in {b"accepted 1, duplicates 0\n", b"accepted 0, duplicates 0\n"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands(shell: str, tmp_path: Path) -> None:
    """The script for a shell is printed, and what it asks is answered."""
    shown = command(
        tmp_path, "--show-completion", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1", SHELL=f"/bin/{shell}"
    )
    assert shown.returncode in {0, 2}
    asked = command(tmp_path, _ALERTD_COMPLETE="complete_bash", COMP_WORDS="alertd to", COMP_CWORD="1")
    assert asked.stdout.split() == [b"token"]


def loaded_by(folder: Path, *words: str) -> set[str]:
    """Name the modules that a command loads, but for those that are named at run time (destination types)."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", PROGRAM, *words],
        cwd=folder,
        env={**BARE, "ALERTD_TOKEN": "x"},
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    return {line.rpartition(b"|")[2].strip().decode() for line in done.stderr.splitlines()}


def test_commands_import_what_they_need(tmp_path: Path) -> None:
    """What makes the daemon slow to start is not loaded by a command that only talks to it."""
    heavy = ("aiohttp", "aiokafka", "re2", "uvloop", "sqlite3", "alertd.app", "alertd.config.settings", "rich")
    for words in (["--help"], ["version"], ["send", "--help"], ["send", "t", "--url", "http://127.0.0.1:1"]):
        loaded = loaded_by(tmp_path, *words)
        assert not [name for name in heavy if name in loaded], words


def test_daemon_loads_no_rich(tmp_path: Path) -> None:
    """Nothing that the daemon imports loads rich, whose fifty modules it has no use for."""
    (tmp_path / "alertd.yml").write_text("server: {listen: 127.0.0.1:0}\nstore: {url: 'sqlite:///alertd.db'}\n")
    (tmp_path / "admin.token").mkdir()  # so it ends when all else is there
    loaded = loaded_by(tmp_path, "run", "--config", "alertd.yml")
    assert {"structlog.dev", "alertd.app.edge", "alertd.destinations.slack_words"} <= loaded
    assert "rich.console" not in loaded


def test_what_waits_does_not_wait_for_imports(tmp_path: Path) -> None:
    """What the lanes have no use for is loaded when they are at work: here it does not come to that."""
    hook = "{name: h, type: webhook, settings: {url: 'https://hook.example/'}}"
    (tmp_path / "alertd.yml").write_text(
        f"server: {{listen: 192.0.2.1:1}}\nworkspaces: [{{name: default, destinations: [{hook}]}}]\n"
    )  # nobody can listen there
    loaded = loaded_by(tmp_path, "run", "--config", "alertd.yml")
    assert {"alertd.destinations.webhook_seal", "alertd.app.daemon"} <= loaded
    late = ("aiohttp", "alertd.app.edge", "alertd.api.server", "alertd.intake.http", "alertd.destinations.slack_words")
    assert not [name for name in (*late, "aiokafka") if name in loaded]
