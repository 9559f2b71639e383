"""Facts about subscriptions and types, in rows of their own."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from alertd.model.delivery import DeliveryState
from alertd.model.event import is_simulated
from alertd.model.fact import SubscriptionFacts, TypeFacts
from alertd.store.facts import KeptFacts, PastDelivery, PastEvent
from alertd.store.sqlite.meta import set_meta
from alertd.store.sqlite.part import Part
from alertd.store.sqlite.shared import SHARED, further
from alertd.store.sqlite.statement import ManyRows

if TYPE_CHECKING:
    import sqlite3

_THROUGH: Final = "facts_through"
_ENDED_AT: Final = "facts_ended"
_SUBSCRIPTIONS: Final = ManyRows(
    "INSERT OR REPLACE INTO subscription_fact(subscription_id, fired, sent, delivered, failed, last_fired_at,"
    " last_success_at, last_error, last_error_at) VALUES {rows}",
    "(?,?,?,?,?,?,?,?,?)",
)
_TYPES: Final = ManyRows(
    "INSERT INTO learnt_type(workspace_id, type, first_seen, last_seen, events) VALUES {rows}"
    " ON CONFLICT DO UPDATE SET last_seen = excluded.last_seen, events = excluded.events",
    "(?,?,?,?,?)",
)
_FORGET: Final = "DELETE FROM learnt_type WHERE workspace_id = ? AND type = ?"
_ENDED: Final = f"""
SELECT id, subscription_id, state, coalesce(started_at, id >> 20), coalesce(detail, ''),
 coalesce((SELECT substr(payload, 1, 4096) FROM event WHERE event.id = event_id), x''), {SHARED.format(delivery="delivery.id")}
FROM delivery WHERE id > ? AND +state IN (2, 3) ORDER BY id LIMIT ?
"""  # noqa: S608 - constants
_EVENTS: Final = """
SELECT id, workspace_id, type, coalesce(verdicts, x'5b5d'), substr(payload, 1, 4096) FROM event
WHERE id > ? ORDER BY id LIMIT ?
"""


class FactRows(Part):
    """What keeps facts."""

    async def facts(self) -> KeptFacts:
        """Everything that was kept."""
        kept = KeptFacts()
        for row in await self.core.reads.rows(
            "SELECT subscription_id, fired, sent, delivered, failed, last_fired_at, last_success_at, last_error,"
            " last_error_at FROM subscription_fact"
        ):
            kept.subscriptions[row[0]] = _subscription(row)
        for row in await self.core.reads.rows(
            "SELECT workspace_id, type, first_seen, last_seen, events FROM learnt_type"
        ):
            kept.types[row[0], row[1]] = TypeFacts(*row[2:])
        marks = await self.core.reads.rows("SELECT key, value FROM meta WHERE key IN (?, ?)", (_THROUGH, _ENDED_AT))
        reached = {row[0]: row[1] for row in marks}
        kept.through = int(reached[_THROUGH]) if _THROUGH in reached else None
        kept.ended = int(reached.get(_ENDED_AT, 0))
        return kept

    async def keep_facts(self, changed: KeptFacts) -> None:
        """Keep what has changed, in one transaction."""
        about = [
            (n, f.fired, f.sent, f.delivered, f.failed, f.last_fired_at_ms, f.last_success_at_ms, f.last_error or None,
             f.last_error_at_ms)
            for n, f in changed.subscriptions.items()
        ]  # fmt: skip
        types = [(*key, f.first_seen_ms, f.last_seen_ms, f.events) for key, f in changed.types.items()]

        def job(conn: sqlite3.Connection) -> None:
            _SUBSCRIPTIONS.run(conn, list(chain.from_iterable(about)))
            _TYPES.run(conn, list(chain.from_iterable(types)))
            conn.executemany(_FORGET, changed.forgotten)
            if changed.through is not None:
                set_meta(conn, _THROUGH, str(changed.through))
                set_meta(conn, _ENDED_AT, str(changed.ended))

        await self.core.writer.run(job)

    async def events_after(self, number: int, limit: int) -> list[PastEvent]:
        """Stored events with greater numbers."""
        rows = await self.core.reads.rows(_EVENTS, (number, limit))
        return [PastEvent(row[0], row[1], row[2], row[3], is_simulated(bytes(row[4]))) for row in rows]

    async def ended_after(self, number: int, limit: int) -> list[PastDelivery]:
        """Deliveries with greater ids that were delivered or are dead."""
        rows = await self.core.reads.rows(_ENDED, (number, limit))
        return [
            PastDelivery(
                row[0], row[1], DeliveryState(row[2]), row[3], row[4], is_simulated(bytes(row[5])), further(row[6])
            )
            for row in rows
        ]


def _subscription(row: tuple[Any, ...]) -> SubscriptionFacts:
    _, fired, sent, delivered, failed, fired_at, success_at, error, error_at = row
    return SubscriptionFacts(fired, sent, delivered, failed, fired_at, success_at, error or "", error_at)
