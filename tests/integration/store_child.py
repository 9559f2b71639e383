"""A process with a store that the fault tests kill, starve or strip of its rights: `store_child.py WHAT PATH`."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from pathlib import Path

from alertd.clock import SystemClock
from alertd.errors import StoreUnavailableError
from alertd.store.base import Batch, Filter
from alertd.store.sqlite.store import SqliteStore, open_sqlite
from tests.conformance.store_maker import NAMES, Maker, StillClock


def say(*words: object) -> None:
    """Write a line that the parent sees at once."""
    print(*words, flush=True)  # noqa: T201 - how parent and child talk


async def commit(path: str) -> None:
    """Commit for ever, a few at a time; say the numbers of each batch once it is acknowledged."""
    store, make = await _open(path)

    async def one(worker: int) -> None:
        count = 0
        while True:
            count += 1
            plans = [make.plan(f"w{worker}-{count}-{n}") for n in range(20)]
            await store.commit(Batch(1, plans, {("t", worker): count}))
            say("stored", worker, count, *(plan.number for plan in plans))

    await asyncio.gather(*(one(worker) for worker in range(4)))


async def hold(path: str) -> None:
    """Open the store and keep it."""
    await open_sqlite(path, SystemClock())
    say("open", os.getpid())
    await asyncio.Event().wait()


async def starve(path: str) -> None:
    """Let the file grow no further by RLIMIT_FSIZE, then let it grow again."""
    store, make = await _open(path)
    await make.stored(store, "before")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_size(path + "-wal"), hard))
    try:
        await store.commit(Batch(1, [make.plan(f"big{n}", data="x" * 400) for n in range(200)]))
    except StoreUnavailableError:
        say("unavailable")
    say("healthy", await store.healthy())
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await make.stored(store, "after")
    say("healthy", await store.healthy())
    page = await store.events(Filter())
    say("events", len(page.items))
    await store.close()


async def read_only(path: str) -> None:
    """Try to open a file that may not be written, as a user who is not root."""
    await asyncio.to_thread(str)  # whoever we are afterwards may not read Python's own files
    if os.geteuid() == 0:
        os.setuid(65534)
    try:
        await open_sqlite(path, SystemClock())
    except StoreUnavailableError as error:
        say("unavailable", error)


def _size(path: str) -> int:
    return Path(path).stat().st_size


async def _open(path: str) -> tuple[SqliteStore, Maker]:
    store = await open_sqlite(path, SystemClock())
    await store.intern(NAMES)
    clock = StillClock()
    make = Maker(clock, store.salt)
    make.ids.extend(max(0, await store.newest_number() - (clock.ms << 20)))
    return store, make


if __name__ == "__main__":
    asyncio.run({"commit": commit, "hold": hold, "starve": starve, "read_only": read_only}[sys.argv[1]](sys.argv[2]))
