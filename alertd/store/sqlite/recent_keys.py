"""Idempotency keys: new ones gather in memory and are merged into their index bucket by bucket, and most are known to be new.

A random key (a UUID) that goes into `event_key` by itself dirties a page of its own, which costs more than all else about
its event. So the keys are spread evenly over buckets, which are neighbours in the index, and a hand goes round: the bucket
that it points at is merged when more than `limit` keys wait. By then many keys wait for each page. A transaction adds its
keys to a log, from which `load` knows them again; a row of the log goes when the hand has been everywhere since.

A bit for each key that was ever merged or waits says which keys are new without a look into the index. Bits are kept for
each bucket, written when it is merged. A bucket in which too many keys wait, as somebody chose them so, is merged out of its
turn: searching it is linear. Retention deletes events, never keys: a key counts only while its event is
there, and keys of what is gone are deleted when their bucket is merged.

What a transaction does here counts once it is committed. All but `find` belongs to the thread that writes.
"""

from __future__ import annotations

from mmap import mmap
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from alertd.store.sqlite.key import UID_BYTES
from alertd.store.sqlite.meta import get_meta, set_meta
from alertd.store.sqlite.statement import ManyRows, blob, json_list

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from alertd.store.sqlite.key import Uid

Keys = dict[int, "dict[Uid, int]"]
"""Events' numbers by workspace and key."""

BUCKETS: Final = 4096
FILTER_BYTES: Final = 2048
"""Bytes of one bucket's bits; all together are 8 MiB, and 5 million keys set one of 14."""
CROWD: Final = 2048
"""More keys than that wait in no bucket for its turn; where they are spread evenly, a sixtieth of that do."""
GONE_MAX: Final = 1024
"""A bucket's bits are made anew when so many of its keys went."""

_BUCKET_SHIFT: Final = 20
_BIT_SHIFT: Final = 6
_KEY_BYTES: Final = 4 + UID_BYTES
_ENTRY_BYTES: Final = _KEY_BYTES + 8
_UNKNOWN: Final = b"\xff" * FILTER_BYTES

_HAND: Final = "key_hand"
_INDEX: Final = ManyRows(
    "INSERT INTO event_key(bucket, workspace_id, uid, event_id) VALUES {rows}"
    " ON CONFLICT DO UPDATE SET event_id = excluded.event_id",
    "(?,?,?,?)",
)
_FIND: Final = ManyRows(
    "WITH v(bucket, workspace_id, uid) AS (VALUES {rows}) SELECT k.uid, k.event_id FROM v CROSS JOIN event_key k"
    " ON k.bucket = v.bucket AND k.workspace_id = v.workspace_id AND k.uid = v.uid",
    "(?,?,?)",
)
_LIVE: Final = "SELECT id FROM event WHERE id IN (SELECT value FROM json_each(?))"
_OLDEST: Final = "SELECT coalesce(min(id), 0) FROM event"
_SWEEP: Final = "DELETE FROM event_key WHERE bucket = ? AND event_id < ?"
_ROWS: Final = "SELECT workspace_id, uid FROM event_key WHERE bucket = ?"
_LOG: Final = "INSERT INTO key_log(hand, keys) VALUES (?, ?)"
_LOGGED: Final = "SELECT hand, keys FROM key_log ORDER BY id"
_FIRST_LOGGED: Final = "SELECT id, hand FROM key_log ORDER BY id LIMIT 64"
_TRIM: Final = "DELETE FROM key_log WHERE id <= ?"
_FILTERS: Final = "SELECT bucket, bits FROM key_filter"
_FILTER: Final = "SELECT oldest, gone FROM key_filter WHERE bucket = ?"
_KEEP_FILTER: Final = "INSERT OR REPLACE INTO key_filter(bucket, oldest, gone, bits) VALUES (?, ?, ?, ?)"


def key_bucket(workspace_id: int, uid: Uid) -> int:
    """Return the bucket that a key is in."""
    return crc32(_head(workspace_id) + uid) >> _BUCKET_SHIFT


def index_keys(conn: sqlite3.Connection) -> None:
    """Write every bucket's bits for keys that were put into the index by themselves (great stores made for benchmarks)."""
    for bucket in range(BUCKETS):
        conn.execute(_KEEP_FILTER, (bucket, 0, 0, _bits_of(conn.execute(_ROWS, (bucket,)))))


class RecentKeys:
    """Finds and adds the keys of one store; after each transaction `settle` is called.

    `limit` is how many keys wait in memory, at 28 bytes each; those of one transaction may come on top.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._reset()

    def _reset(self) -> None:
        self._bits = mmap(-1, BUCKETS * FILTER_BYTES)  # a page of it is there from its first bit on
        self._unknown: set[int] = set()
        self._waiting = [bytearray() for _ in range(BUCKETS)]
        self._crowded: set[int] = set()
        self._count = 0
        self._hand = 0
        self._forget_transaction()

    def _forget_transaction(self) -> None:
        self._added: list[tuple[int, dict[Uid, int]]] = []
        self._entries: list[bytes] = []
        self._merged: list[int] = []
        self._relieved: list[int] = []
        self._remade: dict[int, bytes | bytearray] = {}

    def load(self, conn: sqlite3.Connection) -> None:
        """Begin anew with what the file says: when it was opened, or opened again."""
        self._reset()
        self._hand = int(get_meta(conn, _HAND) or 0)
        filters = dict(conn.execute(_FILTERS).fetchall())
        if conn.execute("SELECT 1 FROM event_key LIMIT 1").fetchone() is not None:
            self._unknown.update(set(range(BUCKETS)).difference(filters))
            filters |= dict.fromkeys(self._unknown, _UNKNOWN)
        for bucket, bits in filters.items():
            self._bits[bucket * FILTER_BYTES : (bucket + 1) * FILTER_BYTES] = bits
        for logged, keys in conn.execute(_LOGGED):
            self._take(_entries(keys), logged)

    def find(self, workspace_id: int, uid: Uid) -> int | None:
        """Return the number of a committed event whose key is not merged yet; from any thread."""
        key = _head(workspace_id) + uid
        return _number(self._waiting[crc32(key) >> _BUCKET_SHIFT], key)

    def known(self, conn: sqlite3.Connection, keys: Keys) -> dict[tuple[int, Uid], int]:
        """Which of these keys are taken, with the numbers of their events."""
        found: dict[tuple[int, Uid], int] = {}
        bits = self._bits
        for workspace_id, uids in keys.items():
            start = crc32(_head(workspace_id))
            maybe = [
                uid for uid in uids if bits[(at := crc32(uid, start) >> _BIT_SHIFT) >> 3] >> (at & 7) & 1
            ]  # fmt: skip
            for uid, number in self._look_up(conn, workspace_id, maybe) if maybe else ():
                found[workspace_id, uid] = number
        if found:
            live = {row[0] for row in conn.execute(_LIVE, (json_list(found.values()),))}
            found = {key: number for key, number in found.items() if number in live}
        for workspace_id, added in self._added:
            found.update({(workspace_id, uid): added[uid] for uid in added.keys() & keys.get(workspace_id, {}).keys()})
        return found

    def add(self, conn: sqlite3.Connection, keys: Keys) -> None:
        """Take the keys of a batch that was just written; before that, merge what is too much."""
        if not self._added:  # what this transaction added waits in no bucket yet, so no bucket is merged after it
            self._merge(conn)
        for workspace_id, uids in keys.items():
            head = _head(workspace_id)
            entries = [head + uid + number.to_bytes(8, "big") for uid, number in uids.items()]
            conn.execute(_LOG, (self._hand + len(self._merged), blob(b"".join(entries))))
            self._added.append((workspace_id, uids))
            self._entries += entries

    def settle(self, committed: bool) -> None:
        """Take what the transaction did as done, or as never done."""
        if committed and (self._merged or self._relieved or self._entries):
            for bucket, bits in self._remade.items():
                self._bits[bucket * FILTER_BYTES : (bucket + 1) * FILTER_BYTES] = bits
            emptied = (*self._merged, *self._relieved)
            for bucket in emptied:
                self._count -= len(self._waiting[bucket]) // _ENTRY_BYTES
                self._waiting[bucket] = bytearray()
            self._unknown.difference_update(emptied)
            self._crowded.difference_update(emptied)
            self._hand += len(self._merged)
            self._take(self._entries, self._hand)
        self._forget_transaction()

    def _take(self, entries: Iterable[bytes], logged: int) -> None:
        """Let entries wait that were logged when the hand was there, but those that were merged since."""
        bits, waiting, passed = self._bits, self._waiting, self._hand - logged
        count, crowd = 0, CROWD * _ENTRY_BYTES
        for entry in entries:
            place = crc32(entry[:_KEY_BYTES])
            bucket = place >> _BUCKET_SHIFT
            if passed and (bucket - logged) % BUCKETS < passed:
                continue
            waiting[bucket] += entry
            if len(waiting[bucket]) > crowd:
                self._crowded.add(bucket)
            at = place >> _BIT_SHIFT
            bits[at >> 3] |= 1 << (at & 7)
            count += 1
        self._count += count

    def _look_up(self, conn: sqlite3.Connection, workspace_id: int, uids: Iterable[Uid]) -> Iterator[tuple[Uid, int]]:
        """Find keys that wait, and those in the index."""
        head, rest = _head(workspace_id), []
        for uid in uids:
            key = head + uid
            bucket = crc32(key) >> _BUCKET_SHIFT
            number = _number(self._waiting[bucket], key)
            if number is not None:
                yield uid, number
            else:
                rest += [bucket, workspace_id, blob(uid)]
        for text, chunk in _FIND.chunks(rest):
            yield from conn.execute(text, chunk)

    def _merge(self, conn: sqlite3.Connection) -> None:
        """Merge buckets from the hand on until no more than `limit` keys wait, and those that are crowded; trim the log."""
        count, merged = self._count, self._merged
        while count > self._limit and len(merged) < BUCKETS:
            bucket = (self._hand + len(merged)) % BUCKETS
            merged.append(bucket)
            count -= len(self._waiting[bucket]) // _ENTRY_BYTES
        self._relieved += self._crowded.difference(merged)
        emptied = (*merged, *self._relieved)
        if emptied:
            _INDEX.run(conn, [part for bucket in emptied for part in self._rows(bucket)])
            oldest = conn.execute(_OLDEST).fetchone()[0]
            for bucket in emptied:
                if self._waiting[bucket] or bucket in self._unknown:
                    self._tidy(conn, bucket, oldest)
        if merged:
            self._move(conn, self._hand + len(merged))

    def _rows(self, bucket: int) -> Iterator[Any]:
        """Give what waits in a bucket as parameters."""
        entries = _entries(bytes(self._waiting[bucket]))
        for entry in sorted(entries, key=_key):  # stable: the last one of a key stays the last
            yield from (bucket, *_parts(entry))

    @staticmethod
    def _move(conn: sqlite3.Connection, hand: int) -> None:
        """Write where the hand is now, and delete of the log what it has gone round since."""
        set_meta(conn, _HAND, str(hand))
        over = [number for number, logged in conn.execute(_FIRST_LOGGED) if logged + BUCKETS <= hand]
        if over:
            conn.execute(_TRIM, (over[-1],))

    def _tidy(self, conn: sqlite3.Connection, bucket: int, oldest: int) -> None:
        """Delete a merged bucket's keys of events that are gone, and write its bits."""
        swept, gone = conn.execute(_FILTER, (bucket,)).fetchone() or (0, 0)
        if swept < oldest:
            gone += conn.execute(_SWEEP, (bucket, oldest)).rowcount
        bits: bytes | bytearray = self._bits[bucket * FILTER_BYTES : (bucket + 1) * FILTER_BYTES]
        if gone > GONE_MAX or bucket in self._unknown:
            gone = 0
            bits = self._remade[bucket] = _bits_of(conn.execute(_ROWS, (bucket,)))
        conn.execute(_KEEP_FILTER, (bucket, max(swept, oldest), gone, bits))


def _head(workspace_id: int) -> bytes:
    return workspace_id.to_bytes(4, "big")


def _key(entry: bytes) -> bytes:
    return entry[:_KEY_BYTES]


def _parts(entry: bytes) -> tuple[Any, ...]:
    """Cut an entry into workspace, uid and number, as parameters."""
    uid, number = blob(entry[4:_KEY_BYTES]), entry[_KEY_BYTES:]
    return int.from_bytes(entry[:4], "big"), uid, int.from_bytes(number, "big")


def _entries(keys: bytes) -> Iterator[bytes]:
    return (keys[at : at + _ENTRY_BYTES] for at in range(0, len(keys), _ENTRY_BYTES))


def _number(waiting: bytearray, key: bytes) -> int | None:
    """Find the number of the event that brought a key last."""
    at = waiting.rfind(key)
    while at % _ENTRY_BYTES and at >= 0:  # the bytes of two neighbours may look like a key
        at = waiting.rfind(key, 0, at + len(key) - 1)
    return None if at < 0 else int.from_bytes(waiting[at + len(key) : at + _ENTRY_BYTES], "big")


def _bits_of(rows: Iterable[tuple[int, Uid]]) -> bytearray:
    """Make a bucket's bits of all its keys."""
    bits = bytearray(FILTER_BYTES)
    for workspace_id, uid in rows:
        at = (crc32(_head(workspace_id) + uid) >> _BIT_SHIFT) % (FILTER_BYTES * 8)
        bits[at >> 3] |= 1 << (at & 7)
    return bits
