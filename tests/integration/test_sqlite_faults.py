"""What the SQLite store does when the world misbehaves: kills, full disks, locks, foreign and damaged files."""

# ruff: noqa: ASYNC240, S603 - a test may block its own loop, and starts only what it names itself
from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

import alertd.store.sqlite.backup
import alertd.store.sqlite.store
from alertd.errors import (
    ConflictError,
    NotFoundError,
    StoreCorruptError,
    StoreError,
    StoreInUseError,
    StoreUnavailableError,
    StoreVersionError,
)
from alertd.store.base import Batch, Filter
from alertd.store.sqlite.backup import backup_file
from alertd.store.sqlite.connection import SqliteOptions, open_writer
from alertd.store.sqlite.lock import FileLock
from alertd.store.sqlite.migrate import Migration, migrate, migrations, version_of
from alertd.store.sqlite.recent_keys import RecentKeys
from alertd.store.sqlite.shapes import Shapes
from alertd.store.sqlite.store import SqliteStore, open_sqlite
from tests.conformance.store_maker import NAMES, Maker, StillClock
from tests.machine import lacks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ROOT = Path(__file__).parents[2]
VERSIONS = Path(__file__).parent / "store_versions"
DEADLINE_SECONDS = 60
QUICK = SqliteOptions(busy_seconds=0.05)


@asynccontextmanager
async def opened(path: Path, options: SqliteOptions = QUICK) -> AsyncIterator[tuple[SqliteStore, Maker]]:
    """Open a store, with names and a maker of plans."""
    clock = StillClock()
    store = await open_sqlite(path, clock, options)
    try:
        await store.intern(NAMES)
        yield store, Maker(clock, store.salt, await store.newest_number())
    finally:
        await store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "alertd.db"


@contextmanager
def child(what: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run `store_child.py`; it is dead afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.store_child", what, str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(DEADLINE_SECONDS)
        if process.stdout:
            process.stdout.close()


def lines(process: subprocess.Popen[str]) -> Iterator[list[str]]:
    """Read what a child says (its log, which shares the pipe, left out)."""
    assert process.stdout
    for line in process.stdout:
        if line[0].isalpha():
            yield line.split()


def _no_more_disk(reading: Shapes | RecentKeys, conn: sqlite3.Connection) -> None:
    raise sqlite3.OperationalError("disk I/O error")


def quick_check(path: Path) -> str:
    """Ask SQLite itself."""
    with closing(sqlite3.connect(path)) as conn:
        return str(conn.execute("PRAGMA quick_check").fetchone()[0])


# -- one owner --------------------------------------------------------------------------------------------------------


async def test_second_opener_is_refused(path: Path) -> None:
    """A file that a daemon owns is refused, naming the owner, and free again once that closed."""
    async with opened(path):
        with pytest.raises(StoreInUseError, match=str(os.getpid())):
            await open_sqlite(path, StillClock())
    async with opened(path) as (store, _):
        assert await store.healthy()


async def test_second_opener_by_another_name_is_refused(path: Path) -> None:
    """One that comes by a symbolic link, to the file or to its folder, meets the same lock; hard links are refused as such."""
    by_file, by_folder, hard = (path.with_name(name) for name in ("link.db", "folder", "hard.db"))
    by_file.symlink_to(path)
    by_folder.symlink_to(path.parent)
    async with opened(path):
        for other in (by_file, by_folder / path.name):
            with pytest.raises(StoreInUseError, match=str(os.getpid())):
                await open_sqlite(other, StillClock())
        hard.hardlink_to(path)
        with pytest.raises(StoreUnavailableError, match=r"hard\.db has 2 names"):
            await open_sqlite(hard, StillClock())
    hard.unlink()
    async with opened(by_file) as (store, _):
        assert await store.healthy()
        with pytest.raises(StoreInUseError, match=str(os.getpid())):
            await open_sqlite(path, StillClock())


async def test_lock_of_another_process_ends_with_it(path: Path) -> None:
    """Another process's lock holds until it is killed, however it is killed."""
    with child("hold", path) as process:
        pid = next(words[1] for words in lines(process) if words[0] == "open")
        with pytest.raises(StoreInUseError, match=pid):
            await open_sqlite(path, StillClock())
        process.send_signal(signal.SIGKILL)
        process.wait(DEADLINE_SECONDS)
        async with opened(path) as (store, _):
            assert await store.healthy()


# -- kill -9 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [1, 7, 40])
async def test_kill_loses_nothing_acknowledged(path: Path, after: int) -> None:
    """After SIGKILL amid commits, every acknowledged event is there, with its position, and the file is sound."""
    acknowledged: dict[int, tuple[int, list[int]]] = {}
    numbers: list[int] = []
    with child("commit", path) as process:
        for words in lines(process):
            worker, count, *stored = map(int, words[1:])
            acknowledged[worker] = (count, stored)
            numbers += stored
            if len(numbers) >= after * 20:
                process.send_signal(signal.SIGKILL)
                break
        for words in lines(process):
            numbers += map(int, words[3:]) if len(words) == 23 else ()
    with capture_logs() as logs:
        async with opened(path) as (store, _):
            found = {row["number"] for row in (await store.events(Filter(limit=100_000))).items}
            positions = await store.positions()
    assert set(numbers) <= found
    assert len(found) % 20 == 0
    assert all(positions["t", worker] >= count for worker, (count, _) in acknowledged.items())
    assert [entry["check"] for entry in logs if entry["event"] == "store.unclean"] == ["now"]
    assert quick_check(path) == "ok"


async def test_clean_stop_needs_no_check(path: Path) -> None:
    """A store that was closed is opened without a check, again and again."""
    with capture_logs() as logs:
        for _ in range(3):
            async with opened(path):
                pass
    assert not [entry for entry in logs if entry["event"] == "store.unclean"]


async def test_a_store_that_was_not_closed_is_checked(path: Path, tmp_path: Path) -> None:
    """What a kill leaves behind is looked at before it is used; what was closed after that is not."""
    left = tmp_path / "left.db"
    async with opened(path):
        pass
    async with opened(path) as (store, make):
        await make.stored(store)
        for end in ("", "-wal"):
            shutil.copyfile(f"{path}{end}", f"{left}{end}")
    with capture_logs() as logs:
        for _ in range(2):
            async with opened(left):
                pass
    assert [entry["check"] for entry in logs if entry["event"] == "store.unclean"] == ["now"]


@pytest.mark.parametrize("table", ["event", "attempt"])  # the second one is not read when a store is opened
async def test_damage_is_found_after_an_unclean_stop(path: Path, table: str) -> None:
    """A damaged file is refused when it was not closed cleanly."""
    await _damaged(path, table)
    with pytest.raises(StoreCorruptError):
        await open_sqlite(path, StillClock())


async def test_damage_of_a_large_file_is_found_in_the_background(path: Path) -> None:
    """A file too large to check first opens at once, and writes are refused when the damage is found."""
    await _damaged(path)
    with capture_logs() as logs:
        store = await open_sqlite(path, StillClock(), SqliteOptions(check_bytes=0))
        try:
            assert store._checking is not None
            await asyncio.wait_for(store._checking, DEADLINE_SECONDS)
            with pytest.raises(StoreCorruptError):
                await store.set_meta("a", "b")
            assert not await store.healthy()
        finally:
            await store.close()
    assert "store.corrupt" in [entry["event"] for entry in logs]


async def _damaged(path: Path, table: str = "event") -> None:
    """Make a store, spoil some of its pages, and take the clean mark away."""
    async with opened(path) as (store, make):
        await store.commit(Batch(1, [make.plan(f"e{n}", data="x" * 400) for n in range(2000)]))
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("UPDATE meta SET value = '0' WHERE key = 'closed_cleanly'")
        root = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
        size = conn.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * 64)


# -- a disk that is full, a file that may not be written, a lock ------------------------------------------------------


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Mount a file system of 4 MB."""
    folder = Path(tempfile.mkdtemp())
    mount, umount = shutil.which("mount"), shutil.which("umount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=4m", "alertd-test", str(folder)]
    if os.geteuid() != 0 or not mount or subprocess.run(command, check=False, capture_output=True).returncode:
        folder.rmdir()
        lacks("there is no right to mount a tmpfs here; RLIMIT_FSIZE stands in for a full disk")
    try:
        yield folder
    finally:
        subprocess.run([umount or "umount", "-l", str(folder)], check=True)
        folder.rmdir()


async def test_full_disk(small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On a full disk commits fail with nothing stored; when there is room again they succeed, without a restart."""
    with capsys.disabled():
        sys.stdout.write(" full disk: a tmpfs of 4 MB ")
    async with opened(small_disk / "alertd.db") as (store, make):
        await make.stored(store, "before")
        ballast = small_disk / "ballast"
        _fill(ballast)
        with pytest.raises(StoreUnavailableError):
            await store.commit(_big(make, "lost"))
        assert await store.event("default", "before") is not None
        ballast.unlink()
        await store.commit(_big(make, "kept"))
        assert await store.healthy()
        assert await store.event("default", "lost0") is None
        assert len((await store.events(Filter(limit=1000))).items) == 1 + 500
    assert quick_check(small_disk / "alertd.db") == "ok"


async def test_full_disk_when_opening(small_disk: Path) -> None:
    """A store that cannot be made for want of room says so, and leaves no lock."""
    ballast = small_disk / "ballast"
    _fill(ballast)
    with pytest.raises(StoreUnavailableError):
        await open_sqlite(small_disk / "alertd.db", StillClock())
    ballast.unlink()
    async with opened(small_disk / "alertd.db") as (store, _):
        assert await store.healthy()


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass


def _big(make: Maker, name: str) -> Batch:
    return Batch(1, [make.plan(f"{name}{n}", data="x" * 1000) for n in range(500)])


def test_file_that_may_not_grow(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With RLIMIT_FSIZE for a full disk: refused while it holds, nothing stored, and well again afterwards."""
    with capsys.disabled():
        sys.stdout.write(" full disk: RLIMIT_FSIZE ")
    with child("starve", path) as process:
        said = [" ".join(words) for words in lines(process)]
    assert said == ["unavailable", "healthy False", "healthy True", "events 2"]
    assert quick_check(path) == "ok"


def test_file_that_may_not_be_written() -> None:
    """A read-only file is refused at opening as unavailable, with its path."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        file = folder / "alertd.db"
        asyncio.run(_make(file))
        file.chmod(0o444)
        (folder / "alertd.db.lock").unlink()
        with child("read_only", file) as process:
            said = [" ".join(words) for words in lines(process)]
    assert len(said) == 1
    assert said[0].startswith("unavailable")
    assert str(file) in said[0]


async def test_connection_that_turns_read_only_is_opened_anew(path: Path) -> None:
    """A write that is refused as read-only is reported, and the writer tries with a new connection next time."""
    async with opened(path) as (store, make):
        await store.core.writer.run(lambda conn: conn.execute("PRAGMA query_only = ON").fetchall())
        with pytest.raises(StoreUnavailableError):
            await make.stored(store, "a")
        await make.stored(store, "b")
        assert await store.event("default", "a") is None


async def test_a_connection_that_is_opened_anew_in_vain_is_closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file says cannot be read then either: nothing stays open, and the next write tries again."""
    made: list[sqlite3.Connection] = []

    def watched(place: Path, options: SqliteOptions) -> sqlite3.Connection:
        made.append(open_writer(place, options))
        return made[-1]

    async with opened(path) as (store, make):
        await store.core.writer.run(lambda conn: conn.execute("PRAGMA query_only = ON").fetchall())
        with pytest.raises(StoreUnavailableError):
            await make.stored(store, "a")
        with monkeypatch.context() as patch:
            patch.setattr(alertd.store.sqlite.store, "open_writer", watched)
            patch.setattr(RecentKeys, "load", _no_more_disk)
            with pytest.raises(StoreError):
                await make.stored(store, "b")
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            made[0].execute("SELECT 1")
        await make.stored(store, "c")


async def test_file_locked_by_another(path: Path) -> None:
    """While another connection holds the lock, writes fail after the wait and reads go on; then all is well."""
    async with opened(path) as (store, make):
        await make.stored(store, "before")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailableError, match="locked"):
                await make.stored(store, "lost")
            assert not await store.healthy()
            assert await store.event("default", "before") is not None
            other.execute("ROLLBACK")
        await make.stored(store, "after")
        assert await store.event("default", "lost") is None
        assert await store.healthy()


async def test_file_that_was_replaced_is_not_healthy(path: Path) -> None:
    """A database that somebody moved away under the daemon is noticed, and each reason is told once for as long as it holds."""
    aside = path.with_name("elsewhere.db")
    async with opened(path) as (store, _):
        with capture_logs() as logs:
            path.rename(aside)
            assert [await store.healthy() for _ in range(3)] == [False] * 3
            path.touch()
            assert not await store.healthy()
            aside.rename(path)
            assert await store.healthy()
            path.rename(aside)
            assert not await store.healthy()
            aside.rename(path)
        missing = f"[Errno 2] No such file or directory: '{path}'"
        other = "another file stands in the place of the one that was opened"
        assert [(line["event"], line["error"]) for line in logs] == [
            ("store.unhealthy", error) for error in (missing, other, missing)
        ]


async def test_a_last_write_that_fails_is_no_complaint(path: Path) -> None:
    """Nobody waits for what a close writes; that it could not is found by the next start."""
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    def failing(conn: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async with opened(path) as (store, _):
        await store.core.writer.close(failing)
        await asyncio.sleep(0)  # the answer comes from the thread
    gc.collect()
    assert told == []


# -- foreign and damaged files, versions ------------------------------------------------------------------------------


async def test_newer_version_is_refused(path: Path) -> None:
    """A file of a newer alertd is refused with both versions named, and left as it was."""
    await _make(path)
    newest = migrations()[-1].version
    with closing(sqlite3.connect(path)) as conn:
        conn.execute(f"PRAGMA user_version = {newest + 1}")
    with pytest.raises(StoreVersionError, match=f"version {newest + 1}.* {newest}:"):
        await open_sqlite(path, StillClock())
    with closing(sqlite3.connect(path)) as conn:
        assert version_of(conn) == newest + 1


@pytest.mark.parametrize("content", [b"not a database, but long enough to look like one\n" * 100, b""])
async def test_an_opening_that_fails_leaves_nothing_open(
    path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither at its first step nor after its last: no descriptor of the file stays, and the lock is free."""
    path.write_bytes(content)
    monkeypatch.setattr(Shapes, "recover", _no_more_disk)
    with pytest.raises(StoreError) as caught:
        await open_sqlite(path, StillClock())
    held = [each.resolve() for each in Path("/proc/self/fd").iterdir()]
    assert not [file for file in held if file.parent == path.parent]
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    lock = FileLock(path)
    lock.take()
    lock.release()


@pytest.mark.parametrize("content", [b"not a database, but long enough to look like one\n" * 100, b"\0" * 8192])
async def test_file_that_is_no_database(path: Path, content: bytes) -> None:
    """A file that is no SQLite database is refused and left as it was."""
    path.write_bytes(content)
    with pytest.raises(StoreError, match=str(path)):
        await open_sqlite(path, StillClock())
    assert path.read_bytes() == content


async def test_database_of_another_program(path: Path) -> None:
    """A SQLite database of another program is refused and left alone."""
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("CREATE TABLE theirs (a)")
    with pytest.raises(StoreError, match="another program"):
        await open_sqlite(path, StillClock())
    with closing(sqlite3.connect(path)) as conn:
        assert [row[0] for row in conn.execute("SELECT name FROM sqlite_master")] == ["theirs"]


async def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """A folder that does not exist is a clear error."""
    with pytest.raises(StoreUnavailableError, match="nowhere"):
        await open_sqlite(tmp_path / "nowhere" / "alertd.db", StillClock())


def test_every_version_has_its_sample() -> None:
    """For each version of the layout a file of that version is kept, so that its migration is tested for ever."""
    assert sorted(file.name for file in VERSIONS.glob("*.sql")) == [f"v{m.version}.sql" for m in migrations()]


@pytest.mark.parametrize("sample", sorted(VERSIONS.glob("*.sql")), ids=lambda sample: sample.stem)
async def test_older_version_is_brought_up_to_date(path: Path, sample: Path) -> None:
    """A file of any version that ever was opens with everything in it: events, deliveries, attempts, names, tokens."""
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript(sample.read_text(encoding="utf-8"))
    async with opened(path) as (store, make):
        assert [row["type"] for row in (await store.events(Filter())).items] == ["run:failed", "run:failed"]
        brought = await store.event("default", "a")
        assert brought is not None
        deliveries = (await store.deliveries(Filter(alert_number=brought["number"]))).items
        assert [row["state"].word for row in deliveries] == ["retrying"]
        assert [a["number"] for a in await store.attempts(deliveries[0]["id"])] == [1, 2]
        assert await store.positions() == {("events", 0): 7}
        assert [token.name for token in await store.tokens()] == ["ci"]
        assert set((await store.names()).values()) == set(NAMES)
        assert await store.get_meta("kafka_instance_id") == "sample"
        await make.stored(store, "new")
    with closing(sqlite3.connect(path)) as conn:
        assert version_of(conn) == migrations()[-1].version
    assert quick_check(path) == "ok"


async def test_the_log_tells_a_new_file_from_an_old_one(path: Path) -> None:
    """A new file is one line with its version, a file that is up to date none, an old one a line for each step."""
    later = [each.version for each in migrations()[1:]]

    async def told() -> list[tuple[str, int]]:
        with capture_logs() as logs:
            async with opened(path):
                pass
        return [
            (each["event"], each["version"]) for each in logs if each["event"] in {"store.created", "store.migrated"}
        ]

    assert await told() == [("store.created", later[-1])]
    assert await told() == []
    path.unlink()
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript((VERSIONS / "v1.sql").read_text(encoding="utf-8"))
    assert await told() == [("store.migrated", each) for each in later]


async def test_migration_is_one_transaction(path: Path) -> None:
    """Steps that are missing are all made, or none of them when one fails."""
    await _make(path)
    newest = migrations()[-1].version
    good = Migration(
        newest + 1, "good", "-- name: good\nCREATE TABLE good (a); -- a; comment\nINSERT INTO good VALUES (1);\n"
    )
    bad = Migration(newest + 2, "bad", "-- name: bad\nCREATE TABLE bad (a);\nINSERT INTO missing VALUES (1);\n")
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        with pytest.raises(sqlite3.OperationalError):
            migrate(conn, [*migrations(), good, bad])
        assert version_of(conn) == newest
        assert conn.execute("SELECT count(*) FROM sqlite_master WHERE name IN ('good', 'bad')").fetchone() == (0,)
        assert migrate(conn, [*migrations(), good]) == [good]
        assert version_of(conn) == newest + 1
        assert conn.execute("SELECT a FROM good").fetchone() == (1,)
        assert migrate(conn, [*migrations(), good]) == []


# -- backup -----------------------------------------------------------------------------------------------------------


async def test_backup_while_writing(path: Path, tmp_path: Path) -> None:
    """A backup taken amid commits is a whole store: every event in it has its delivery and its position."""
    target = tmp_path / "backup.db"
    async with opened(path) as (store, make):
        done = 0

        async def write() -> None:
            nonlocal done
            while not target.exists() or done < 3:
                done += 1
                await store.commit(Batch(1, [make.plan(f"{done}-{n}") for n in range(50)], {("t", 0): done}))

        writing = asyncio.create_task(write())
        await store.backup(str(target))
        await asyncio.wait_for(writing, DEADLINE_SECONDS)
    async with opened(target) as (copy, _):
        events = len((await copy.events(Filter(limit=100_000))).items)
        assert events == len((await copy.deliveries(Filter(limit=100_000))).items)
        assert events == 50 * (await copy.positions()).get(("t", 0), 0)
        assert copy.salt == store.salt
    assert target.stat().st_mode & 0o777 == 0o600


async def test_backup_refuses_what_is_there(path: Path, tmp_path: Path) -> None:
    """A backup never replaces a file, and says what it lacks; nothing half-made stays."""
    target = tmp_path / "backup.db"
    target.write_text("mine")
    async with opened(path) as (store, _):
        with pytest.raises(ConflictError, match=r"backup\.db"):
            await store.backup(str(target))
        with pytest.raises(StoreUnavailableError):
            await store.backup(str(tmp_path / "nowhere" / "backup.db"))
    assert target.read_text() == "mine"
    with pytest.raises(NotFoundError):
        backup_file(tmp_path / "nothing.db", tmp_path / "backup2.db")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["alertd.db", "alertd.db.lock", "backup.db"]


async def test_backup_never_replaces_what_came_meanwhile(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that appears under the name while the copy is made stays what it is."""
    target = tmp_path / "backup.db"
    synced = alertd.store.sqlite.backup._sync

    def late(written: Path) -> None:
        target.write_text("theirs")
        synced(written)

    async with opened(path) as (store, _):
        monkeypatch.setattr(alertd.store.sqlite.backup, "_sync", late)
        with pytest.raises(ConflictError, match=r"backup\.db"):
            await store.backup(str(target))
    assert target.read_text() == "theirs"
    assert sorted(f.name for f in tmp_path.iterdir()) == ["alertd.db", "alertd.db.lock", "backup.db"]


@pytest.mark.parametrize("running", [True, False])
async def test_backup_of_a_file(path: Path, tmp_path: Path, *, running: bool) -> None:
    """The command line's backup works beside a running daemon and without one."""
    async with opened(path) as (store, make):
        await make.stored(store, "a")
        if running:
            await asyncio.to_thread(backup_file, path, tmp_path / "b.db")
    if not running:
        backup_file(path, tmp_path / "b.db")
    async with opened(tmp_path / "b.db") as (copy, _):
        assert await copy.event("default", "a") is not None


# -- the writer -------------------------------------------------------------------------------------------------------


async def test_failing_jobs_harm_no_others(path: Path) -> None:
    """Jobs that share a transaction with one that fails after it wrote are all done, that one not at all."""
    async with opened(path) as (store, _):

        def good(conn: sqlite3.Connection, number: int) -> int:
            conn.execute("INSERT INTO meta VALUES (?, ?)", (f"good{number}", "1"))
            return number

        def bad(conn: sqlite3.Connection) -> None:
            conn.execute("INSERT INTO meta VALUES ('bad', '1')")
            raise ConflictError("on purpose")

        jobs = [bad if n % 7 == 3 else partial(good, number=n) for n in range(50)]
        answers = await asyncio.gather(*(store.core.writer.run(job) for job in jobs), return_exceptions=True)
        for number, answer in enumerate(answers):
            assert isinstance(answer, ConflictError) if number % 7 == 3 else answer == number
        assert await store.get_meta("bad") is None
        assert await store.get_meta("good49") == "1"


async def test_cancelled_caller_does_not_take_its_write_back(path: Path) -> None:
    """What was asked before the caller was cancelled is stored, and the writer goes on."""
    async with opened(path) as (store, make):
        task = asyncio.create_task(store.commit(Batch(1, [make.plan("a")])))
        await asyncio.sleep(0)  # one step: it has queued its job
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await make.stored(store, "b")
        assert await store.event("default", "a") is not None


async def test_close_finishes_what_was_asked(path: Path) -> None:
    """Writes that wait when the store is closed are done; later ones are refused."""
    async with opened(path) as (store, make):
        tasks = [asyncio.create_task(store.commit(Batch(1, [make.plan(f"e{n}")]))) for n in range(20)]
        await asyncio.sleep(0)
        await store.close()
        await asyncio.gather(*tasks)
        with pytest.raises(StoreUnavailableError):
            await make.stored(store, "late")
        with pytest.raises(StoreUnavailableError):
            await store.positions()
    async with opened(path) as (store, _):
        assert len((await store.events(Filter())).items) == 20


async def test_full_queue_makes_callers_wait(path: Path) -> None:
    """However many call at once, all are served, though only few may queue."""
    async with opened(path, SqliteOptions(queue_jobs=2)) as (store, make):
        await asyncio.gather(*(store.commit(Batch(1, [make.plan(f"e{n}")])) for n in range(100)))
        assert len((await store.events(Filter(limit=200))).items) == 100


async def test_wal_is_truncated_when_a_long_read_let_it_grow(path: Path) -> None:
    """A WAL that a foreign read kept from being reset becomes small again by itself."""
    wal = path.with_name(path.name + "-wal")
    async with opened(path, SqliteOptions(wal_max_bytes=200_000)) as (store, make):
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM event").fetchall()
            await store.commit(_big(make, "a"))
            await store.commit(_big(make, "b"))
            assert wal.stat().st_size > 200_000
        store.core.writer._truncated_at = 0.0
        await make.stored(store, "c")
        await store.healthy()
        assert wal.stat().st_size <= 200_000


async def test_old_sqlite_is_warned_of_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SQLite with the WAL-reset bug is named in one warning, however many stores are opened."""
    from alertd.store.sqlite import connection  # noqa: PLC0415 - its cache is emptied first

    connection.warn_if_old.cache_clear()
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
    with capture_logs() as logs:
        for _ in range(2):
            async with opened(path):
                pass
    assert [entry["event"] for entry in logs].count("store.sqlite_old") == 1


async def _make(path: Path) -> None:
    async with opened(path) as (store, make):
        await make.stored(store, "a")
