"""The keys of events that have just come: held in memory, then merged into their index in the index's own order.

A random key (a UUID) that goes into `event_key` by itself dirties a page of its own, which costs more than all else about
its event. So keys gather here until a run is cut; every transaction then merges a part of the run in order, whose keys are
neighbours and share pages. Nothing hangs on memory: the events' own rows hold their ids, and the small fact `keys_to`
says up to which event all keys are merged; `load` reads the rest back.

What a transaction does here counts once it is committed. All but `find` belongs to the thread that writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.store.sqlite.key import stored_key
from alertd.store.sqlite.names import get_meta, set_meta
from alertd.store.sqlite.statement import ManyRows, blob

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from alertd.store.sqlite.key import Uid

Keys = dict[int, "dict[Uid, int]"]
"""Events' numbers by workspace and key."""

PACE: Final = 2
"""How many keys are merged for each new event: more than 1, so that a run is merged before the next one is due."""
PART_KEYS: Final = 100
"""How many keys are merged at once."""

_KEYS_TO: Final = "keys_to"
_NOTHING: Final[dict[Uid, int]] = {}
_INDEX: Final = ManyRows(
    "INSERT INTO event_key(workspace_id, uid, event_id) VALUES {rows} ON CONFLICT DO NOTHING", "(?,?,?)"
)
_KNOWN: Final = ManyRows("SELECT uid, event_id FROM event_key WHERE workspace_id = ? AND uid IN ({rows})", "?")
_DELETE: Final = "DELETE FROM event_key WHERE workspace_id = ? AND uid = ? AND event_id = ?"
_REST: Final = "SELECT id, workspace_id, iif(made, NULL, payload) FROM event WHERE id > ?"


class RecentKeys:
    """Finds, adds and drops the keys of one store; after each transaction `settle` is called.

    A run is cut after `run_events` events; the keys of twice as many at most are in memory.
    """

    def __init__(self, run_events: int) -> None:
        self._run_events = run_events
        self._part = min(PART_KEYS, run_events)
        self._reset()

    def _reset(self) -> None:
        self._fresh: Keys = {}
        self._run: Keys = {}
        self._buckets: list[tuple[int, list[Uid]]] = []
        self._order: list[tuple[int, Uid]] = []
        self._position = 0
        self._run_to = 0
        self._newest = 0
        self._since = 0
        self._debt = 0
        self._forget_transaction()

    def _forget_transaction(self) -> None:
        self._added: Keys = {}
        self._added_events = 0
        self._added_newest = 0
        self._dropped: set[tuple[int, Uid]] = set()
        self._merged = 0

    def load(self, conn: sqlite3.Connection) -> None:
        """Begin anew with what the file says: when it was opened, or opened again."""
        self._reset()
        self._newest = int(get_meta(conn, _KEYS_TO) or 0)
        for number, workspace_id, payload in conn.execute(_REST, (self._newest,)):
            self._since += 1
            self._newest = max(self._newest, number)
            if payload is not None:
                self._fresh.setdefault(workspace_id, {})[stored_key(orjson.loads(payload)["id"])] = number

    def find(self, workspace_id: int, uid: Uid) -> int | None:
        """Return the number of a committed event whose key is not merged yet; from any thread."""
        for held in (self._fresh, self._run):
            number = held.get(workspace_id, _NOTHING).get(uid)
            if number is not None:
                return number
        return None

    def known(self, conn: sqlite3.Connection, keys: Keys) -> dict[tuple[int, Uid], int]:
        """Which of these keys are taken, with the numbers of their events."""
        found: dict[tuple[int, Uid], int] = {}
        for workspace_id, uids in keys.items():
            for text, chunk in _KNOWN.chunks([_param(uid) for uid in uids]):
                found.update({(workspace_id, row[0]): row[1] for row in conn.execute(text, [workspace_id, *chunk])})
            for held in (self._run, self._fresh):
                own = held.get(workspace_id, _NOTHING)
                if not own.keys().isdisjoint(uids):
                    found.update({(workspace_id, uid): own[uid] for uid in own.keys() & uids})
        for key in self._dropped.intersection(found):
            del found[key]
        for workspace_id, uids in keys.items() if self._added else ():
            added = self._added.get(workspace_id, _NOTHING)
            found.update({(workspace_id, uid): added[uid] for uid in added.keys() & uids})
        return found

    def add(self, conn: sqlite3.Connection, keys: Keys, events: int, newest: int) -> None:
        """Take the keys of a batch of so many events that was just written, the greatest number among them `newest`."""
        for workspace_id, uids in keys.items():
            if min(uids.values()) > self._newest:
                self._added.setdefault(workspace_id, {}).update(uids)
            else:  # numbers that do not follow the others: `load` would not look for them
                _INDEX.run(conn, [part for uid, number in uids.items() for part in (workspace_id, _param(uid), number)])
        self._added_events += events
        self._added_newest = max(self._added_newest, newest)
        self._debt += PACE * events
        if self._debt >= self._part:
            self._merge(conn, self._debt - self._debt % self._part)
            self._debt %= self._part

    def drop(self, conn: sqlite3.Connection, keys: Iterable[tuple[int, Uid, int]]) -> None:
        """Forget the keys of events that were deleted."""
        gone = list(keys)
        conn.executemany(_DELETE, gone)
        for workspace_id, uid, number in gone:
            if self.find(workspace_id, uid) == number:
                self._dropped.add((workspace_id, uid))

    def settle(self, committed: bool) -> None:
        """Take what the transaction did as done, or as never done."""
        if committed and (self._added_events or self._dropped):
            for workspace_id, uid in self._dropped:
                for held in (self._fresh, self._run):
                    held.get(workspace_id, {}).pop(uid, None)
            for workspace_id, uids in self._added.items():
                self._fresh.setdefault(workspace_id, {}).update(uids)
            self._since += self._added_events
            self._newest = max(self._newest, self._added_newest)
            self._position += self._merged
            if self._position == len(self._order) and not self._buckets:
                self._run, self._order, self._position = {}, [], 0
        self._forget_transaction()

    def _merge(self, conn: sqlite3.Connection, count: int) -> None:
        """Write the next keys of the run into the index; cut the next run when it is time."""
        cut = not self._order and self._since >= self._run_events
        if cut:
            self._cut()
        start = self._position + self._merged
        while self._buckets and len(self._order) < start + count:
            workspace_id, uids = self._buckets.pop()
            self._order += [(workspace_id, uid) for uid in sorted(uids)]
        part = self._order[start : start + count]
        self._merged += len(part)
        rows: list[Any] = []
        for workspace_id, uid in part:
            number = self._run[workspace_id].get(uid)
            if number is not None and (workspace_id, uid) not in self._dropped:
                rows += (workspace_id, _param(uid), number)
        _INDEX.run(conn, rows)
        if (cut or part) and not self._buckets and self._position + self._merged == len(self._order):
            set_meta(conn, _KEYS_TO, str(self._run_to))

    def _cut(self) -> None:
        """Begin a run: keys by their first sign, last ones first; each such bucket is sorted when its turn comes."""
        self._run, self._fresh = self._fresh, {}
        self._run_to, self._since = self._newest, 0
        for workspace_id in sorted(self._run, reverse=True):
            texts: dict[Any, list[Uid]] = {}
            blobs: dict[Any, list[Uid]] = {}
            for uid in self._run[workspace_id]:
                heads = blobs if isinstance(uid, bytes) else texts
                heads.setdefault(uid[0], []).append(uid)
            for heads in (blobs, texts):
                self._buckets += [(workspace_id, heads[head]) for head in sorted(heads, reverse=True)]


def _param(uid: Uid) -> Any:
    return blob(uid) if isinstance(uid, bytes) else uid
