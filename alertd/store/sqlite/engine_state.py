"""What the engine remembers between events, in rows: cooldowns, counts, series. Written with each batch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from sys import intern
from typing import TYPE_CHECKING, Any, Final

from alertd.engine.metric import LATE_MS
from alertd.engine.state import Count, Series
from alertd.store.sqlite.part import Part
from alertd.store.sqlite.statement import ManyRows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator

    from alertd.engine.state import CooldownKey, RuleKey
    from alertd.store.base import Batch

SLICE: Final = 500
"""How many rows one transaction forgets at most."""
PAGE: Final = 20_000
"""How many rows a start reads at once."""

_COOLDOWNS: Final = ManyRows(
    "INSERT INTO cooldown(subscription_id, project, environment, key, until_ms) VALUES {rows}"
    " ON CONFLICT DO UPDATE SET until_ms = excluded.until_ms",
    "(?,?,?,?,?)",
)
_COUNTS: Final = ManyRows(
    "INSERT INTO occurrence(rule_id, project, environment, key, times, until_ms) VALUES {rows}"
    " ON CONFLICT DO UPDATE SET times = excluded.times, until_ms = excluded.until_ms",
    "(?,?,?,?,?,?)",
)
_SERIES: Final = ManyRows(
    "INSERT OR REPLACE INTO series"
    "(alert_id, project, environment, key, value, seen_ms, time_ms, since_ms, told_ms) VALUES {rows}",
    "(?,?,?,?,?,?,?,?,?)",
)
_RESTING: Final = """
SELECT subscription_id, project, environment, key, until_ms FROM cooldown
WHERE (subscription_id, project, environment, key) > (?, ?, ?, ?) AND until_ms > ?
ORDER BY subscription_id, project, environment, key LIMIT ?
"""
_GOING_ON: Final = """
SELECT rule_id, project, environment, key, times, until_ms FROM occurrence
WHERE (rule_id, project, environment, key) > (?, ?, ?, ?) AND until_ms > ?
ORDER BY rule_id, project, environment, key LIMIT ?
"""
_DROP_SERIES: Final = "DELETE FROM series WHERE (alert_id, project, environment, key) = (?, ?, ?, ?)"


def write_state(conn: sqlite3.Connection, batch: Batch) -> None:
    """Write what a batch changes of the engine's memory."""
    if batch.cooldowns:
        _COOLDOWNS.run(conn, list(chain.from_iterable((*key, until) for key, until in batch.cooldowns.items())))
    if batch.counts:
        _COUNTS.run(conn, list(chain.from_iterable((*key, *count) for key, count in batch.counts.items())))
    if batch.series:
        kept = [(*key, *series) for key, series in batch.series.items() if series is not None]
        _SERIES.run(conn, list(chain.from_iterable(kept)))
        conn.executemany(_DROP_SERIES, [key for key, series in batch.series.items() if series is None])


@dataclass(frozen=True, slots=True)
class _Expiring:
    """A table whose rows are over some time, walked along its key."""

    table: str
    rule: str
    over: str

    @property
    def find(self) -> str:
        key = f"{self.rule}, project, environment, key"
        return (
            f"SELECT {key} FROM {self.table} WHERE ({key}) > (?, ?, ?, ?) AND {self.over}"  # noqa: S608 - constants
            f" ORDER BY {key} LIMIT {SLICE}"
        )

    @property
    def delete(self) -> str:
        key = f"{self.rule}, project, environment, key"
        return f"DELETE FROM {self.table} WHERE ({key}) = (?, ?, ?, ?) AND {self.over}"  # noqa: S608 - constants


_EXPIRING: Final = (
    _Expiring("cooldown", "subscription_id", "until_ms <= ?"),
    _Expiring("occurrence", "rule_id", "until_ms <= ?"),
    _Expiring("series", "alert_id", f"since_ms IS NULL AND seen_ms <= ? - {LATE_MS}"),
)


class EngineStates(Part):
    """What the pipeline takes up at the start, and what housekeeping forgets."""

    async def cooldowns(self, now_ms: int) -> dict[CooldownKey, int]:
        """All cooldowns that still rest at `now_ms`."""
        found: dict[CooldownKey, int] = {}
        async for rows in self._pages(_RESTING, now_ms):
            found.update(((row[0], intern(row[1]), intern(row[2]), row[3]), row[4]) for row in rows)
        return found

    async def counts(self, now_ms: int) -> dict[RuleKey, Count]:
        """All counts that go on at `now_ms`."""
        found: dict[RuleKey, Count] = {}
        async for rows in self._pages(_GOING_ON, now_ms):
            found.update(((row[0], intern(row[1]), intern(row[2]), row[3]), Count(*row[4:])) for row in rows)
        return found

    async def _pages(self, sql: str, now_ms: int) -> AsyncIterator[list[tuple[Any, ...]]]:
        """Read along a table's key: a million rows at once would take their memory twice."""
        after: tuple[Any, ...] = (-1, "", "", "")
        while rows := await self.core.reads.rows(sql, (*after, now_ms, PAGE)):
            yield rows
            after = tuple(rows[-1][:4])

    async def series(self) -> dict[RuleKey, Series]:
        """All series that metric alerts follow."""
        rows = await self.core.reads.rows(
            "SELECT alert_id, project, environment, key, value, seen_ms, time_ms, since_ms, told_ms FROM series"
        )
        return {(row[0], row[1], row[2], row[3]): Series(*row[4:]) for row in rows}

    async def forget(self, now_ms: int) -> int:
        """Delete what is over at `now_ms`, in slices; return how many rows went."""
        gone = 0
        for expiring in _EXPIRING:
            after: tuple[Any, ...] = (-1, "", "", "")
            while rows := await self.core.history.rows(expiring.find, (*after, now_ms)):
                gone += await self.core.writer.run(_Forget(expiring.delete, [(*row, now_ms) for row in rows]))
                after = tuple(rows[-1])
        return gone


@dataclass(frozen=True, slots=True)
class _Forget:
    """A job that deletes rows by their keys, unless they have begun anew meanwhile."""

    sql: str
    rows: list[tuple[Any, ...]]

    def __call__(self, conn: sqlite3.Connection) -> int:
        return int(conn.executemany(self.sql, self.rows).rowcount)
