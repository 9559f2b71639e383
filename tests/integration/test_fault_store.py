"""Faults of the store under the whole daemon: a disk that is full or read-only, a lock held by somebody else, and floods while it is slow."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from tests.daemon import DEADLINE, Daemon, Reply, ended, eventually, hook, route, workspace
from tests.machine import lacks
from tests.receiver import Receiver

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

DISK_BYTES = 4_000_000
FILL_BYTES = 15_000
REFUSED = 30
"""How many events are refused: what is logged of them is more than a page of memory."""
FLOOD_SECONDS = 90.0
"""How long a body of the flood may be refused."""
MOUNT_FLAGS = {os.ST_NOSUID: "nosuid", os.ST_NODEV: "nodev", os.ST_NOEXEC: "noexec", os.ST_NOATIME: "noatime"}
"""What a mount has to keep where it may not be taken away."""
PROBE_SECONDS = 0.05


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on loopback."""
    async with Receiver() as made:
        yield made


def mount(*words: str) -> bool:
    """Mount something, which only root can, and not on every machine; say whether that was done."""
    return os.geteuid() == 0 and subprocess.run(["mount", *words], check=False, capture_output=True).returncode == 0  # noqa: S603, S607 - fixed words


def unmount(folder: Path) -> None:
    """Undo that, whatever is still open there."""
    subprocess.run(["umount", "-l", str(folder)], check=False)  # noqa: S603, S607 - fixed words


class Disk(ABC):
    """What becomes of a daemon's disk: `what`, by what `kind` of means, and what it `says` to users. `close` undoes all of it."""

    what: str
    kind: str
    says: str

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        daemon.state.mkdir(parents=True)

    @abstractmethod
    def fail(self) -> None:
        """Let nothing be written after a while."""

    @abstractmethod
    def recover(self) -> None:
        """Let everything be written again."""

    @abstractmethod
    def close(self) -> None:
        """Take it away."""

    def _limit(self, most: int) -> None:
        """Let the daemon write to no file beyond so many bytes."""
        assert self._daemon.process is not None
        hard = resource.prlimit(self._daemon.process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self._daemon.process.pid, resource.RLIMIT_FSIZE, (most, hard))


class FullDisk(Disk):
    """A disk without room: a small tmpfs for root, else a limit of nothing on the files that the daemon writes."""

    what = "Full disk"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._filler = daemon.state / "filler"
        self._mounted = mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(daemon.state))
        self.kind = "tmpfs" if self._mounted else "RLIMIT_FSIZE"
        self.says = "the disk is full" if self._mounted else "I/O error"

    @override
    def fail(self) -> None:
        if not self._mounted:
            self._limit(0)
            return
        with contextlib.suppress(OSError), self._filler.open("wb", buffering=0) as stream:
            while True:
                stream.write(b"x" * 4096)

    @override
    def recover(self) -> None:
        if self._mounted:
            self._filler.unlink(missing_ok=True)
        else:
            self._limit(resource.RLIM_INFINITY)

    @override
    def close(self) -> None:
        if self._mounted:
            unmount(self._daemon.state)


class ReadOnlyDisk(Disk):
    """A disk that turns read-only after a failed write: for root by a mount over the folder, else by the files' modes.

    Both hold for what is opened from then on, so the failed write is what makes them felt.
    """

    _mounted = False
    what = "Read-only disk"
    kind = "a mount" if os.geteuid() == 0 else "modes"
    says = "read-only"

    @override
    def fail(self) -> None:
        folder = str(self._daemon.state)
        if os.geteuid():
            self._allow(0o400, 0o500)
        else:
            flags = os.statvfs(folder).f_flag
            options = ["remount", "bind", "ro", *(word for flag, word in MOUNT_FLAGS.items() if flags & flag)]
            self._mounted = mount("--bind", folder, folder)
            if not (self._mounted and mount("-o", ",".join(options), folder)):
                lacks("root may not mount here, and is not held by modes")
        self._limit(0)

    @override
    def recover(self) -> None:
        self.close()
        self._limit(resource.RLIM_INFINITY)

    @override
    def close(self) -> None:
        if self._mounted:
            unmount(self._daemon.state)
            self._mounted = False
        elif os.geteuid():
            self._allow(0o600, 0o700)

    def _allow(self, file: int, folder: int) -> None:
        for each in self._daemon.state.iterdir():
            each.chmod(file)
        self._daemon.state.chmod(folder)


@contextlib.contextmanager
def locked(daemon: Daemon) -> Iterator[None]:
    """Hold the write lock of the daemon's database."""
    conn = sqlite3.connect(daemon.database, isolation_level=None, timeout=10, check_same_thread=False)
    with contextlib.closing(conn):
        conn.execute("BEGIN IMMEDIATE")
        yield
        conn.execute("ROLLBACK")


@contextlib.contextmanager
def slowed(daemon: Daemon, held: float, free: float) -> Iterator[None]:
    """Make every commit slow: somebody else has the write lock most of the time."""
    over = threading.Event()

    def hold() -> None:
        while not over.wait(free):
            with locked(daemon):
                over.wait(held)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def stored(daemon: Daemon) -> set[str]:
    """Return the ids of all stored events."""
    with contextlib.closing(sqlite3.connect(daemon.database)) as conn:
        return {
            str(row[0])
            for row in conn.execute("SELECT json_extract(CAST(payload AS TEXT), '$.id') FROM event WHERE made = 0")
        }


def sized(name: str) -> dict[str, Any]:
    """Make an event that takes room on a disk."""
    return {"type": "fault.x", "id": name, "message": "x" * FILL_BYTES}


def config_of(receiver: Receiver, **more: Any) -> dict[str, Any]:
    """Configure one hook for everything."""
    made = workspace([hook("hook", receiver.url("/hook"))], [route("all", "fault.*", "hook")])
    return {"workspaces": [made], "delivery": {"retry": {"initial_seconds": 0.1}}, **more}


@pytest.mark.parametrize("make", [FullDisk, ReadOnlyDisk], ids=["full", "read-only"])
async def test_a_disk_that_takes_nothing(
    make: Callable[[Daemon], FullDisk | ReadOnlyDisk],
    tmp_path: Path,
    receiver: Receiver,
    record_property: Callable[[str, object], None],
) -> None:
    """It is 503 with Retry-After; what was acknowledged is stored and delivered once; it ends by itself."""
    daemon = Daemon(tmp_path, config_of(receiver))
    disk = make(daemon)
    record_property("told", f"{disk.what} by: {disk.kind}")
    try:
        async with daemon:
            taken, refused = await _through(daemon, disk)
            await receiver.until(lambda: set(receiver.events("/hook")) == taken, "what was acknowledged")
            await asyncio.gather(*(daemon.wait_state(name, "delivered") for name in sorted(taken)[:20]))
            assert len(receiver.got("/hook")) == len(taken)
            assert await daemon.stop() == 0
            assert stored(daemon) == taken
            assert not taken & refused
    finally:
        disk.close()


async def _through(daemon: Daemon, disk: Disk) -> tuple[set[str], set[str]]:
    """Send until the disk refuses and after it recovered; return what was acknowledged and what was not."""
    taken, refused = set(await daemon.send(sized("before-1"), sized("before-2"))), set()
    disk.fail()
    number = 0
    while len(refused) < REFUSED:
        number += 1
        reply = await daemon.offer(sized(f"full-{number}"))
        (taken if reply.status == 202 else refused).add(f"full-{number}")
        assert reply.status in (202, 503), reply.body
        assert number < 500
    assert f"({disk.says})" in reply.json["detail"]
    assert int(reply.headers["retry-after"]) > 0
    assert reply.headers["content-type"] == "application/problem+json"
    ready = await daemon.call("GET", "/-/ready", token="")
    assert (ready.status, ready.json["store"]) == (503, False)
    assert (await daemon.call("GET", "/-/healthy", token="")).status == 200
    assert (await daemon.call("GET", "/api/v1/workspaces/default/events?limit=1")).status == 200
    disk.recover()

    async def is_ready() -> bool:
        return (await daemon.call("GET", "/-/ready", token="")).status == 200

    await eventually(is_ready, "readiness without any event")
    taken.update(await daemon.send(sized("after-1"), sized("after-2")))
    assert (await daemon.metrics())["alertd_commit_failures_total"] >= REFUSED
    return taken, refused


def hearing(folder: Path) -> dict[str, str]:
    """Say to a daemon where the service manager listens, and how often it wants a sign of life."""
    return {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "1000000"}


async def sign_of_life(manager: socket.socket) -> None:
    """Wait for one that comes from now on."""
    with contextlib.suppress(BlockingIOError):
        while manager.recv(4096):
            pass
    async with asyncio.timeout(DEADLINE):
        while b"WATCHDOG=1" not in await asyncio.get_running_loop().sock_recv(manager, 4096):
            pass


async def test_a_full_disk_is_no_death(tmp_path: Path, receiver: Receiver, manager: socket.socket) -> None:
    """The watchdog gets its signs while the disk is full, for a restart would make no room."""
    daemon = Daemon(tmp_path / "daemon", config_of(receiver), **hearing(tmp_path))
    disk = FullDisk(daemon)

    async def cannot_write() -> bool:
        await daemon.offer(sized("filling"))
        return (await daemon.call("GET", "/-/ready", token="")).status == 503

    try:
        async with daemon:
            disk.fail()
            await eventually(cannot_write, "the store to be unable to write")
            await sign_of_life(manager)
            await sign_of_life(manager)
            assert (await daemon.call("GET", "/-/ready", token="")).json["store"] is False
            disk.recover()
    finally:
        disk.close()


async def test_another_file_in_the_place_of_the_store_is_death(
    tmp_path: Path, receiver: Receiver, manager: socket.socket
) -> None:
    """What is written goes into a file without a name: no more signs of life, so that a restart finds the new one."""
    async with Daemon(tmp_path / "daemon", config_of(receiver), **hearing(tmp_path)) as daemon:
        await sign_of_life(manager)
        fresh = daemon.database.with_name("fresh")
        fresh.touch()
        fresh.replace(daemon.database)
        [told] = await daemon.wait_log("watchdog.withheld")
        assert told["reason"] == "the liveness check said no"


async def test_locked_store(tmp_path: Path, receiver: Receiver) -> None:
    """While another process has the lock, the queue fills: 429 for what finds no room, 503 for the rest; then it recovers."""
    async with Daemon(tmp_path, config_of(receiver, intake={"queue": {"max_events": 20}})) as daemon:
        with locked(daemon):
            replies = await asyncio.gather(*(daemon.offer(sized(f"locked-{n}")) for n in range(60)))
        counts = Counter(reply.status for reply in replies)
        assert set(counts) == {429, 503}
        assert counts[503] >= 20
        assert all(int(reply.headers["retry-after"]) > 0 for reply in replies)
        again = await asyncio.gather(
            *(_insist(lambda n=n: daemon.offer(sized(f"locked-{n}")), Counter()) for n in range(60))
        )
        assert sum(reply.json["accepted"] for reply in again) == 60
        await receiver.until(lambda: len(receiver.events("/hook")) >= 60, "all events")
        assert len({request.delivery_id for request in receiver.got("/hook")}) == 60
        metrics = await daemon.metrics()
        assert metrics["alertd_intake_queued_events"] == 0
        assert metrics["alertd_intake_capacity_events"] == 20


async def _insist(send: Callable[[], Awaitable[Reply]], refused: Counter[int], seconds: float = DEADLINE) -> Reply:
    """Send until accepted, as a producer does that heeds 429 and 503 (but more impatiently), and count these."""

    async def accepted() -> Reply | None:
        reply = await send()
        if reply.status == 202:
            return reply
        assert reply.status in (429, 503)
        refused[reply.status] += 1
        return None

    found: Reply = await eventually(accepted, "an event to be accepted", seconds)
    return found


async def test_outcomes_survive_a_locked_store(tmp_path: Path, receiver: Receiver) -> None:
    """What was delivered while its outcome could not be stored is not delivered again, and is on record later."""
    async with Daemon(tmp_path, config_of(receiver)) as daemon:
        [made] = await daemon.send("fault.first")
        await receiver.expect("/hook")
        with locked(daemon):
            await daemon.post("destinations/hook/test")
            await asyncio.wait_for(daemon.call("GET", "/-/ready", token=""), 5)
        await daemon.wait_state(made, "delivered")
        assert len(receiver.got("/hook")) == 2


@pytest.mark.timeout(600)
async def test_flood_while_the_store_is_slow(tmp_path: Path) -> None:
    """100,000 events against a store that is mostly locked: refused where there is no room, none lost, memory bounded."""
    routes = [route("all", "flood", "null")]
    config = {"workspaces": [workspace([{"name": "null", "type": "null"}], routes)]}
    async with Daemon(tmp_path, config) as daemon:
        slowest = 0.0
        done = asyncio.Event()
        refused: Counter[int] = Counter()
        bodies = iter(range(100))

        async def pour() -> None:
            for body in bodies:
                events = [{"type": "flood", "id": f"{body}-{n}", "message": "x" * 200} for n in range(1000)]
                await _insist(lambda events=events: daemon.offer(*events), refused, FLOOD_SECONDS)

        async def probe() -> None:
            nonlocal slowest
            while not await ended(done, PROBE_SECONDS):
                began = time.monotonic()
                await daemon.call("GET", "/-/healthy", token="")
                slowest = max(slowest, time.monotonic() - began)

        probing = asyncio.ensure_future(probe())
        with slowed(daemon, held=0.05, free=0.03):
            await asyncio.gather(*(pour() for _ in range(24)))
        done.set()
        await probing
        assert refused[429] > 0
        metrics = await daemon.metrics()
        assert metrics['alertd_events_total{result="accepted",source="http"}'] == 100_000
        assert memory(daemon) < 400_000_000
        assert slowest < 3

        async def delivered() -> bool:
            name = 'alertd_deliveries_total{destination="null",state="delivered",workspace="default"}'
            return (await daemon.metrics()).get(name) == 100_000

        await eventually(delivered, "all deliveries")
        sys.stdout.write(f"\nrefused {dict(refused)}, slowest probe {slowest:.2f} s, {memory(daemon) >> 20} MiB\n")


def memory(daemon: Daemon) -> int:
    """Return the greatest resident size of the daemon so far, in bytes."""
    assert daemon.process is not None
    with open(f"/proc/{daemon.process.pid}/status") as stream:  # noqa: PTH123 - no file on a disk
        return next(int(line.split()[1]) * 1024 for line in stream if line.startswith("VmHWM"))
