"""What systemd hears: the words of sd_notify, and signs of life only while there is life."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from alertd.clock import SystemClock
from alertd.systemd import Notifier, Watchdog, watchdog_seconds

if TYPE_CHECKING:
    from pathlib import Path

DEADLINE = 60.0


@pytest.fixture
def manager(manager: socket.socket) -> socket.socket:
    """Listen where systemd would, for some time."""
    manager.settimeout(DEADLINE)
    return manager


def heard(manager: socket.socket) -> list[str]:
    """Take one datagram."""
    return manager.recv(4096).decode().split("\n")


def notifier_of(manager: socket.socket) -> Notifier:
    """Make the client for the listener."""
    return Notifier.from_environment({"NOTIFY_SOCKET": manager.getsockname()}, SystemClock())


def test_the_words_of_a_life(manager: socket.socket) -> None:
    """Ready, reload, status, sign of life and stop are said in the words of sd_notify, in order."""
    notifier = notifier_of(manager)
    assert notifier.enabled
    notifier.ready("listening on\n127.0.0.1")
    assert heard(manager) == ["READY=1", "STATUS=listening on 127.0.0.1"]
    notifier.reloading()
    word, stamp = heard(manager)
    assert word == "RELOADING=1"
    assert 0 < int(stamp.removeprefix("MONOTONIC_USEC=")) <= SystemClock().monotonic() * 1_000_000
    notifier.ready()
    assert heard(manager) == ["READY=1"]
    notifier.status("busy")
    assert heard(manager) == ["STATUS=busy"]
    notifier.alive()
    assert heard(manager) == ["WATCHDOG=1"]
    notifier.stopping("draining")
    assert heard(manager) == ["STOPPING=1", "STATUS=draining"]


def test_an_abstract_socket() -> None:
    """An address that begins with @ is in the abstract namespace."""
    name = f"alertd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        listener.settimeout(DEADLINE)
        Notifier.from_environment({"NOTIFY_SOCKET": f"@{name}"}, SystemClock()).ready()
        assert heard(listener) == ["READY=1"]


def test_without_a_manager_nothing_is_said() -> None:
    """Outside systemd every call does nothing."""
    notifier = Notifier.from_environment({}, SystemClock())
    assert not notifier.enabled
    with capture_logs() as lines:
        notifier.ready("x")
        notifier.alive()
    assert lines == []


def test_a_manager_that_is_gone_is_only_logged(tmp_path: Path) -> None:
    """Failing to tell harms nothing."""
    with capture_logs() as lines:
        Notifier(str(tmp_path / "nobody"), SystemClock()).ready()
    assert [line["event"] for line in lines] == ["systemd.notify_failed"]


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_reading_what_the_watchdog_wants(environ: dict[str, str], seconds: float | None) -> None:
    """The watchdog counts only when it is set, sane and meant for this process."""
    assert watchdog_seconds(environ) == seconds


class Signs(Notifier):
    """Counts the signs of life."""

    def __init__(self) -> None:
        super().__init__(None, SystemClock())
        self.count = 0

    @override
    def alive(self) -> None:
        """Count one."""
        self.count += 1


async def test_signs_of_life_follow_the_check() -> None:
    """Yes gives a sign; no, an error and silence give none; each change is logged once."""
    signs = Signs()
    never = asyncio.Event()
    answers = iter(["yes", "no", "raises", "hangs", "yes"])

    async def check() -> bool:
        answer = next(answers, None)
        if answer is None:
            watchdog.stop()
            return False
        if answer == "raises":
            raise OSError("the writer is gone")
        if answer == "hangs":
            await never.wait()
        return answer == "yes"

    watchdog = Watchdog(signs, check, watchdog_seconds=0.02)
    with capture_logs() as lines:
        async with asyncio.timeout(DEADLINE):
            await watchdog.run()
    assert signs.count == 2
    assert [line["event"] for line in lines] == ["watchdog.withheld", "watchdog.resumed", "watchdog.withheld"]


async def test_a_plain_check_will_do() -> None:
    """The check need not be a coroutine."""
    signs = Signs()

    def check() -> bool:
        if signs.count:
            watchdog.stop()
        return True

    watchdog = Watchdog(signs, check, watchdog_seconds=0.02)
    async with asyncio.timeout(DEADLINE):
        await watchdog.run()
    assert signs.count == 2
