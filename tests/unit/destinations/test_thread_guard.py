"""The egress guard of threads in which foreign code connects by itself."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from alertd.destinations.faults import EgressRefusedError
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.thread_guard import ThreadGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOPBACK = EgressPolicy(("127.0.0.1",)).check_address
NOTHING = EgressPolicy().check_address


@pytest.fixture
def port() -> Iterator[int]:
    """A port on loopback where somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_what_is_permitted_connects(port: int) -> None:
    """A permitted address is connected to, and counted."""
    with ThreadGuard(LOOPBACK) as guard, socket.create_connection(("127.0.0.1", port)):
        pass
    assert (guard.connections, guard.refused) == (1, "")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1"])
def test_what_is_not_permitted_does_not(port: int, host: str) -> None:
    """However an address is written, the one that is connected to is judged."""
    with ThreadGuard(NOTHING) as guard, pytest.raises(OSError):  # noqa: PT011 - the resolver may refuse it, too
        socket.create_connection((host, port), timeout=5)
    assert guard.connections == 0
    assert "is loopback" in guard.refused or not guard.refused


def test_it_is_an_error_of_the_network(port: int) -> None:
    """Foreign code sees a connection that fails, and the reason is kept."""
    with ThreadGuard(NOTHING) as guard, pytest.raises(EgressRefusedError):
        socket.create_connection(("127.0.0.1", port))
    assert guard.refused.startswith("127.0.0.1 is loopback")


def test_datagrams_are_judged(port: int) -> None:
    """So is what needs no connection."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        ThreadGuard(NOTHING),
        pytest.raises(EgressRefusedError),
    ):
        sock.sendto(b"x", ("127.0.0.1", port))


def test_sockets_of_the_machine_are_refused(tmp_path: Any) -> None:
    """A path is no address."""
    with socket.socket(socket.AF_UNIX) as sock, ThreadGuard(LOOPBACK) as guard, pytest.raises(EgressRefusedError):
        sock.connect(str(tmp_path / "socket"))
    assert guard.refused


@pytest.mark.parametrize(
    "start",
    [
        lambda: subprocess.run([sys.executable, "-c", ""], check=True),
        lambda: os.system("true"),  # noqa: S605, S607 - never started
        lambda: os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {}),
    ],
    ids=["subprocess", "system", "posix_spawn"],
)
def test_programs_are_not_started(start: Callable[[], object]) -> None:
    """A program would connect unwatched."""
    with ThreadGuard(LOOPBACK), pytest.raises(EgressRefusedError):
        start()


def test_other_threads_and_later_are_free(port: int) -> None:
    """The guard is that of one thread, for as long as it is entered."""
    done = threading.Event()

    def connect() -> None:
        with socket.create_connection(("127.0.0.1", port)):
            done.set()

    with ThreadGuard(NOTHING):
        other = threading.Thread(target=connect)
        other.start()
        other.join(20)
    assert done.is_set()
    connect()


def test_a_name_permits_what_it_resolves_to(port: int) -> None:
    """An exception for a name holds for that name, not for its address."""
    named = EgressPolicy(("localhost",)).check_address
    with ThreadGuard(named), socket.create_connection(("localhost", port)):
        pass
    with ThreadGuard(named), pytest.raises(EgressRefusedError):
        socket.create_connection(("127.0.0.1", port))
