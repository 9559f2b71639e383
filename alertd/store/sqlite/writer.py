"""The writer: one thread, one connection, group commit.

Jobs that queue up while a transaction runs go together into the next one: no timer, one fsync. When a job fails after it
wrote something, the transaction is rolled back and its jobs run again, each in its own, so that it harms no other. A
caller that is cancelled while it waits does not take its job back: what was asked is done, or fails, unseen. Whoever
must know shields the call.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from alertd.errors import StoreError, StoreUnavailableError
from alertd.store.sqlite.failure import breaks_connection, translate

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")

GROUP_JOBS: Final = 256
"""How many jobs one transaction takes at most."""
TRUNCATE_SECONDS: Final = 1.0
"""Least time between two attempts to truncate a WAL that has grown too large."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Ticket:
    job: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]


_Answer = tuple["asyncio.Future[Any]", Any, "Exception | None"]


class Writer:
    """Runs jobs on the one connection that writes. `connect` opens it anew after an I/O error.

    On the thread, `begun` writes what every transaction begins with, and `settled` hears before anybody else whether one was
    committed or rolled back.
    """

    def __init__(
        self,
        conn: sqlite3.Connection,
        connect: Callable[[], sqlite3.Connection],
        *,
        queue_jobs: int,
        wal_bytes: Callable[[], int],
        wal_max_bytes: int,
        begun: Callable[[sqlite3.Connection], None] = lambda _: None,
        settled: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._begun = begun
        self._settled = settled
        self._conn: sqlite3.Connection | None = conn
        self._connect = connect
        self._wal_bytes = wal_bytes
        self._wal_max_bytes = wal_max_bytes
        self._truncated_at = 0.0
        self._room = asyncio.Semaphore(queue_jobs)
        self._queue: SimpleQueue[_Ticket | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._refusal: StoreError | None = None
        self._thread = threading.Thread(target=self._work, name="alertd-store", daemon=True)
        self._thread.start()

    # -- the event loop's side ------------------------------------------------------------------------------------

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job inside a transaction and return its answer once that is durable."""
        async with self._room:
            if self._closed:
                raise StoreUnavailableError("the store is closed")
            if self._refusal is not None:
                raise type(self._refusal)(*self._refusal.args)
            future: asyncio.Future[T] = self._loop.create_future()
            self._queue.put(_Ticket(job, future))
            return await future

    async def execute(self, sql: str, params: Sequence[Any]) -> None:
        """Run one statement as a job."""

        def job(conn: sqlite3.Connection) -> None:
            conn.execute(sql, params)

        await self.run(job)

    def refuse(self, error: StoreError) -> None:
        """Refuse every further job with this error."""
        self._refusal = error

    async def close(self, last: Callable[[sqlite3.Connection], None]) -> None:
        """Finish what was asked, run `last`, close the connection; twice is fine."""
        if not self._closed:
            self._closed = True
            if self._refusal is None:
                ended = self._loop.create_future()
                ended.add_done_callback(asyncio.Future.exception)  # the next start finds what was not written
                self._queue.put(_Ticket(last, ended))
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    @staticmethod
    def _resolve(answers: Iterable[_Answer]) -> None:
        for future, value, error in answers:
            if future.done():
                continue
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

    # -- the thread's side ----------------------------------------------------------------------------------------

    def _work(self) -> None:
        going = True
        while going:
            group, going = self._next_group()
            if group:
                answers = self._transact(group)
                group.clear()  # who gave a job frees what it wrote, and does so while it is at hand
                try:
                    self._loop.call_soon_threadsafe(self._resolve, answers)
                except RuntimeError:
                    _log.warning("store.unheard", jobs=len(answers), reason="the event loop is closed")
                del answers
                self._tidy()
        self._drop()

    def _next_group(self) -> tuple[list[_Ticket], bool]:
        ticket = self._queue.get()
        group: list[_Ticket] = []
        try:
            while ticket is not None:
                group.append(ticket)
                if len(group) == GROUP_JOBS:
                    return group, True
                ticket = self._queue.get_nowait()
        except Empty:
            return group, True
        return group, False

    def _transact(self, group: list[_Ticket]) -> list[_Answer]:
        """Run jobs in one transaction; when that fails, each in its own."""
        try:
            conn = self._begin()
        except Exception as error:  # noqa: BLE001 - the thread's boundary: every caller is told
            return self._fail(group, error)
        try:
            answers = [self._attempt(conn, ticket) for ticket in group]
            conn.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - the thread's boundary: every caller is told
            self._undo(conn, error)
            return self._fail(group, error) if len(group) == 1 else self._one_by_one(group)
        self._settled(True)
        return answers

    def _begin(self) -> sqlite3.Connection:
        if self._conn is None:
            self._conn = self._connect()
            _log.info("store.reopened")
        try:
            self._conn.execute("BEGIN IMMEDIATE")
            self._begun(self._conn)
        except Exception as error:
            self._undo(self._conn, error)
            raise
        return self._conn

    @staticmethod
    def _attempt(conn: sqlite3.Connection, ticket: _Ticket) -> _Answer:
        """Run one job; one that fails before it wrote anything leaves the transaction as it was."""
        before = conn.total_changes
        try:
            return ticket.future, ticket.job(conn), None
        except Exception as error:
            if not conn.in_transaction or conn.total_changes != before or breaks_connection(error):
                raise
            return ticket.future, None, translate(error)

    def _one_by_one(self, group: list[_Ticket]) -> list[_Answer]:
        """Run each job in its own transaction; stop trying when not even an empty one can begin."""
        answers: list[_Answer] = []
        for ticket in group:
            answers += self._transact([ticket])
            if isinstance(answers[-1][2], StoreUnavailableError) and self._conn is None:
                return answers + self._fail(group[len(answers) :], answers[-1][2])
        return answers

    @staticmethod
    def _fail(group: list[_Ticket], error: Exception) -> list[_Answer]:
        return [(ticket.future, None, translate(error)) for ticket in group]

    def _undo(self, conn: sqlite3.Connection, error: Exception) -> None:
        self._settled(False)
        try:
            if conn.in_transaction:
                conn.execute("ROLLBACK")
        except Exception as failure:  # noqa: BLE001 - a connection that cannot even roll back is thrown away
            _log.warning("store.rollback_failed", error=str(failure))
            self._drop()
        if breaks_connection(error):
            self._drop()

    def _drop(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            try:
                conn.close()
            except Exception as error:  # noqa: BLE001 - nothing can be done with it any more
                _log.warning("store.close_failed", error=str(error))

    def _tidy(self) -> None:
        """Truncate a WAL that outgrew its bound (a long read kept it from being reset), without waiting for readers."""
        if self._conn is None or time.monotonic() - self._truncated_at < TRUNCATE_SECONDS:
            return
        self._truncated_at = time.monotonic()
        if self._wal_bytes() <= self._wal_max_bytes:
            return
        try:
            wait = self._conn.execute("PRAGMA busy_timeout").fetchone()[0]
            self._conn.execute("PRAGMA busy_timeout = 0")
            try:
                self._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                self._conn.execute(f"PRAGMA busy_timeout = {wait}")
        except Exception as error:  # noqa: BLE001 - housekeeping: it is tried again
            _log.warning("store.truncate_failed", error=str(error))
            self._undo(self._conn, error)
