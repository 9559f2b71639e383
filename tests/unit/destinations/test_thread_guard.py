"""The egress guard of threads in which foreign code connects by itself."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import pytest

from alertd.destinations.faults import EgressRefusedError
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.thread_guard import ThreadGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE = 60.0
LOOPBACK = EgressPolicy(("127.0.0.1",)).check_address
NOTHING = EgressPolicy().check_address


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """Listen on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def port(server: socket.socket) -> int:
    """A port on loopback where somebody listens."""
    number: int = server.getsockname()[1]
    return number


def came(server: socket.socket) -> bool:
    """Say whether anybody has connected: on loopback that is done when `connect` returns."""
    server.setblocking(False)
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


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


def test_a_name_that_only_the_system_resolves_is_refused(port: int) -> None:
    """Nobody sees what it resolves to, so not even a permitted one is connected to."""
    named = EgressPolicy(("localhost", "127.0.0.0/8")).check_address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, ThreadGuard(named) as guard:
        with pytest.raises(EgressRefusedError):
            sock.sendto(b"x", ("localhost", port))
        sock.sendto(b"x", ("127.0.0.1", port))
    assert guard.refused.startswith("a name that only the system looks up")


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
    """The guard is that of one thread and those that it starts, for as long as it is entered."""
    begin, done = threading.Event(), threading.Event()

    def connect() -> None:
        begin.wait(DEADLINE)
        with socket.create_connection(("127.0.0.1", port)):
            done.set()

    other = threading.Thread(target=connect)
    other.start()
    with ThreadGuard(NOTHING):
        begin.set()
        other.join(DEADLINE)
    assert done.is_set()
    connect()


def _in_a_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(DEADLINE)


def _in_a_thread_of_a_thread(work: Callable[[], object]) -> None:
    _in_a_thread(lambda: _in_a_thread(work))


def _in_a_timer(work: Callable[[], object]) -> None:
    timer = threading.Timer(0, work)
    timer.start()
    timer.join(DEADLINE)


def _in_a_pool(work: Callable[[], object]) -> None:
    with ThreadPoolExecutor(1) as pool:
        wait([pool.submit(work)], DEADLINE)


def _in_a_loop(work: Callable[[], object]) -> None:
    async def main() -> None:
        with contextlib.suppress(OSError):
            await asyncio.to_thread(work)

    _in_a_thread(lambda: asyncio.run(main()))


INDIRECTLY = [_in_a_thread, _in_a_thread_of_a_thread, _in_a_timer, _in_a_pool, _in_a_loop]


@pytest.mark.parametrize("way", INDIRECTLY)
def test_threads_that_it_starts_are_watched(server: socket.socket, way: Callable[..., None]) -> None:
    """However the thread is started: what it may not connect to, it does not, and what it may, it does."""
    place = server.getsockname()

    def connect() -> None:
        with contextlib.suppress(EgressRefusedError), socket.create_connection(place, timeout=DEADLINE) as sock:
            sock.sendall(b"x")

    with ThreadGuard(NOTHING) as guard:
        way(connect)
    assert guard.refused.startswith("127.0.0.1 is loopback")
    assert not came(server)
    with ThreadGuard(LOOPBACK) as guard:
        way(connect)
    assert (guard.refused, guard.connections, came(server)) == ("", 1, True)


@pytest.mark.parametrize("way", INDIRECTLY)
def test_an_asyncio_client_is_watched(server: socket.socket, way: Callable[..., None]) -> None:
    """A loop of its own, in a thread of its own, which looks names up in other threads, is judged like all else."""
    port, failed = server.getsockname()[1], list[OSError]()

    async def connect() -> None:
        try:
            await asyncio.open_connection("localhost", port, family=socket.AF_INET)
        except OSError as error:
            failed.append(error)

    with ThreadGuard(NOTHING) as guard:
        way(lambda: asyncio.run(connect()))
    assert len(failed) == 1
    assert guard.refused.startswith("localhost resolves to 127.0.0.1, which is loopback")
    assert not came(server)


def test_a_thread_that_goes_on_connects_to_nothing(server: socket.socket) -> None:
    """When the attempt has ended, so has what it was permitted: a thread that it left behind opens nothing more."""
    over, errors = threading.Event(), list[OSError]()

    def linger() -> None:
        over.wait(DEADLINE)
        try:
            socket.create_connection(server.getsockname(), timeout=DEADLINE)
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=linger)
    with ThreadGuard(LOOPBACK):
        thread.start()
    over.set()
    thread.join(DEADLINE)
    assert [str(error) for error in errors] == ["the attempt that this belongs to has ended"]
    assert not came(server)


if sys.version_info >= (3, 12):  # Python tells of such threads from there on

    def test_a_thread_that_cannot_be_watched_is_not_started() -> None:
        """One that is started below Python's own class of threads."""
        with ThreadGuard(LOOPBACK) as guard, pytest.raises(EgressRefusedError, match="own class"):
            _thread.start_new_thread(print, ())
        assert guard.refused


def test_guards_may_stand_within_each_other(port: int) -> None:
    """The inner one judges while it is there, then the outer one again."""
    with ThreadGuard(LOOPBACK) as outer:
        with ThreadGuard(NOTHING), pytest.raises(EgressRefusedError):
            socket.create_connection(("127.0.0.1", port))
        with socket.create_connection(("127.0.0.1", port)):
            assert outer.connections == 1


def test_a_name_permits_no_other_address() -> None:
    """That a permitted name was looked up permits nothing that is not its own."""
    named = EgressPolicy(("localhost",)).check_address
    with socket.create_server(("127.0.0.2", 0)) as server, ThreadGuard(named) as guard:
        socket.getaddrinfo("localhost", 80)
        with socket.socket() as sock, pytest.raises(EgressRefusedError):
            sock.connect(server.getsockname())
        assert not came(server)
    assert guard.refused.startswith("127.0.0.2 is loopback")


def test_a_name_permits_what_it_resolves_to(port: int) -> None:
    """An exception for a name holds for that name, not for its address."""
    named = EgressPolicy(("localhost",)).check_address
    with ThreadGuard(named), socket.create_connection(("localhost", port)):
        pass
    with ThreadGuard(named), pytest.raises(EgressRefusedError):
        socket.create_connection(("127.0.0.1", port))
