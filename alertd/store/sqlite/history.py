"""The history as the API reads it: pages, newest first, and single things.

A page takes numbers from a walk, chunk by chunk, and checks their rows (alertd.store.sqlite.search); no statement holds its
snapshot for long. Rows of deliveries bring nothing of their events but the id, which is read once for each event.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from alertd.errors import NotFoundError
from alertd.model.delivery import DeliveryState
from alertd.model.event import ID_HEAD_BYTES, id_in
from alertd.model.ids import ALERT, format_id, made_event_id, made_event_number
from alertd.store.base import Acknowledgement, Filter, Page, Reached
from alertd.store.sqlite import walks
from alertd.store.sqlite.conditions import AGAIN, OWN, SPAN, Conditions
from alertd.store.sqlite.key import stored_key
from alertd.store.sqlite.lookup import Lookup
from alertd.store.sqlite.part import Part
from alertd.store.sqlite.recent_keys import key_bucket
from alertd.store.sqlite.resources import log
from alertd.store.sqlite.rows import (
    ATTEMPTS,
    DELIVERY,
    EVENT,
    REJECTED,
    attempt_row,
    delivery_row,
    event_row,
    rejected_row,
    whole_delivery_row,
)
from alertd.store.sqlite.search import DELIVERY_WEIGHT, EVENT_WEIGHT, Search, Source
from alertd.store.sqlite.statement import json_list

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from alertd.store.resource import AuditEntry
    from alertd.store.sqlite.reader import Row
    from alertd.store.sqlite.search import Chosen
    from alertd.store.sqlite.walks import Walk

OUTBOX_MAX: Final = 100_000
"""A larger outbox is not sorted for a page: then all deliveries are walked over instead."""

_OUTBOX: Final = "SELECT count(*) FROM (SELECT 1 FROM delivery WHERE state < 2 LIMIT :limit)"
_IN_WORKSPACE: Final = f"SELECT {EVENT} FROM event e WHERE e.id = ? AND e.workspace_id = ? AND e.made = ?"  # noqa: S608 - a constant
_BROUGHT: Final = "SELECT event_id FROM event_key WHERE bucket = ? AND workspace_id = ? AND uid = ?"
_EVENTS_OF: Final = """
SELECT DISTINCT d.event_id FROM json_each(:ids) n CROSS JOIN delivery d ON d.id = n.value
"""
_IDS_OF: Final = f"""
SELECT d.id FROM delivery d WHERE {OWN.format(event=":number")}
UNION ALL SELECT d.id FROM delivery d INDEXED BY delivery_replay WHERE {AGAIN.format(event=":number")}
"""  # noqa: S608 - constants
_OF: Final = f"""
SELECT * FROM (
    SELECT {{columns}} FROM json_each(:numbers) n CROSS JOIN event e ON e.id = n.value
    CROSS JOIN delivery d ON {OWN.format(event="n.value")}
    UNION ALL
    SELECT {{columns}} FROM json_each(:numbers) n CROSS JOIN event e ON e.id = n.value
    CROSS JOIN delivery d INDEXED BY delivery_replay ON {AGAIN.format(event="n.value")})
ORDER BY 1
"""  # noqa: S608 - constants
_DELIVERIES_OF: Final = _OF.format(columns=DELIVERY)
_REACHED: Final = _OF.format(columns="d.id, d.event_id, d.destination_id, d.subscription_id, d.state")
_EVENTS: Final = f"""
SELECT {EVENT} FROM json_each(:ids) n CROSS JOIN event e ON e.id = n.value ORDER BY e.id DESC
"""  # noqa: S608 - constants
_DELIVERIES: Final = f"""
SELECT {DELIVERY} FROM json_each(:ids) n CROSS JOIN delivery d ON d.id = n.value
CROSS JOIN event e ON e.id = d.event_id ORDER BY d.id DESC
"""  # noqa: S608 - constants
# An id that was made is known from the number; one that was brought is the first member of the payload.
_IDS: Final = f"""
SELECT e.id, CASE WHEN e.made = 0 THEN substr(e.payload, 1, {ID_HEAD_BYTES}) END
FROM json_each(:ids) n CROSS JOIN event e ON e.id = n.value
"""  # noqa: S608 - constants
_REJECTED: Final = f"{REJECTED} WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY id DESC"  # noqa: S608 - a constant
_ALL_REJECTED: Final = Source("FROM rejected r", "r.id", "length(r.bytes) + length(r.headers)")
_ALL_EVENTS: Final = Source("FROM event e", "e.id", EVENT_WEIGHT)
_ALL_DELIVERIES: Final = Source(
    "FROM delivery d CROSS JOIN event e ON e.id = d.event_id", "d.id", DELIVERY_WEIGHT
)  # fmt: skip
_ACKNOWLEDGE: Final = """
INSERT INTO acknowledgement(event_id, actor, at) SELECT id, ?, ? FROM event WHERE id = ? ON CONFLICT DO NOTHING
"""
_ACKNOWLEDGED: Final = """
SELECT k.event_id, k.actor, k.at FROM json_each(?) n CROSS JOIN acknowledgement k ON k.event_id = n.value
"""


class History(Part):
    """What the API reads."""

    async def events(self, which: Filter, *, matched: bool | None = None) -> Page:
        """Accepted events, newest first."""
        conditions = Conditions(self.core.names, which)
        walk = await self._events_walk(conditions, matched)
        search = Search(self.core.history, _ALL_EVENTS, conditions, conditions.of_event(matched=matched))
        chosen = await search.page(walk)
        rows = await self._read(_EVENTS, chosen.ids)
        return Page([event_row(row) for row in rows], chosen.below, chosen.complete)

    async def deliveries(self, which: Filter) -> Page:
        """Deliveries, newest first."""
        chosen = await self._deliveries(_ALL_DELIVERIES, which)
        rows = await self._read(_DELIVERIES, chosen.ids)
        return Page(await self._named(rows), chosen.below, chosen.complete)

    async def delivery_ids(self, which: Filter) -> tuple[list[int], int | None]:
        """What `deliveries` would show, as ids alone."""
        chosen = await self._deliveries(replace(_ALL_DELIVERIES, weight="0"), which)
        return chosen.ids, chosen.below

    async def event(self, workspace: str, event_id: str) -> dict[str, Any] | None:
        """One event by its own id: one that was brought, else one that was made."""
        workspace_id = self._workspace_id(workspace)
        if workspace_id is None:
            return None
        brought = await self._brought(workspace_id, event_id)
        number = made_event_number(event_id, self.core.salt) if brought is None else brought
        if number is None:
            return None
        row = await self.core.history.row(_IN_WORKSPACE, (number, workspace_id, int(brought is None)))
        return event_row(row) if row else None

    async def _brought(self, workspace_id: int, event_id: str) -> int | None:
        """Find the number of an event that brought this id."""
        uid = stored_key(event_id)
        number = self.core.recent.find(workspace_id, uid)
        if number is not None:
            return number
        row = await self.core.history.row(_BROUGHT, (key_bucket(workspace_id, uid), workspace_id, uid))
        return None if row is None else int(row[0])

    async def numbers_of(self, workspace: str, event_ids: Collection[str]) -> dict[str, int]:
        """The numbers of those of these ids that events have brought, by id."""
        workspace_id = self._workspace_id(workspace)
        if workspace_id is None or not event_ids:
            return {}
        by_key = {stored_key(event_id): event_id for event_id in event_ids}
        recent, keys = self.core.recent, {workspace_id: dict.fromkeys(by_key, 0)}
        found = await self.core.writer.run(lambda conn: recent.known(conn, keys))
        return {by_key[key]: number for (_, key), number in found.items()}

    async def event_by_number(self, number: int) -> dict[str, Any] | None:
        """One event by its number."""
        row = await self.core.history.row(f"SELECT {EVENT} FROM event e WHERE e.id = ?", (number,))  # noqa: S608 - a constant
        return event_row(row) if row else None

    async def deliveries_of(self, numbers: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
        """All deliveries of some events, in the order in which they were made."""
        found: dict[int, list[dict[str, Any]]] = {}
        rows = await self.core.history.rows(_DELIVERIES_OF, {"numbers": json_list(numbers)})
        for row in await self._named(rows):
            found.setdefault(row["event_number"], []).append(row)
        return found

    async def reached(self, numbers: Sequence[int]) -> dict[int, list[Reached]]:
        """Whom the deliveries of some events were for, and their states."""
        found: dict[int, list[Reached]] = {}
        for row in await self.core.history.rows(_REACHED, {"numbers": json_list(numbers)}):
            found.setdefault(row[1], []).append(Reached(row[0], row[2], row[3], DeliveryState(row[4])))
        return found

    async def delivery(self, delivery_id: int) -> dict[str, Any] | None:
        """One delivery."""
        sql = f"SELECT {DELIVERY}, e.payload FROM delivery d JOIN event e ON e.id = d.event_id WHERE d.id = ?"  # noqa: S608 - a constant
        row = await self.core.history.row(sql, (delivery_id,))
        return whole_delivery_row(row) if row else None

    async def attempts(self, delivery_id: int) -> list[dict[str, Any]]:
        """All attempts of a delivery, first to last."""
        return (await self.attempts_of([delivery_id])).get(delivery_id, [])

    async def attempts_of(self, delivery_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
        """All attempts of some deliveries."""
        found: dict[int, list[dict[str, Any]]] = {}
        for row in await self.core.history.rows(ATTEMPTS, {"ids": json_list(delivery_ids)}):
            found.setdefault(row[0], []).append(attempt_row(row))
        return found

    async def acknowledge(
        self, number: int, acknowledgement: Acknowledgement, audit: Sequence[AuditEntry] = ()
    ) -> bool:
        """Keep the first acknowledgement of an alert."""

        def keep(conn: sqlite3.Connection) -> bool:
            kept = conn.execute(_ACKNOWLEDGE, (acknowledgement.actor, acknowledgement.at_ms, number)).rowcount
            if conn.execute("SELECT 1 FROM event WHERE id = ?", (number,)).fetchone() is None:
                raise NotFoundError(f"there is no alert {format_id(ALERT, number)}")
            if kept:
                log(conn, audit)
            return kept == 1

        return await self.core.writer.run(keep)

    async def acknowledgements(self, numbers: Sequence[int]) -> dict[int, Acknowledgement]:
        """Those of some events that were acknowledged."""
        rows = await self.core.history.rows(_ACKNOWLEDGED, (json_list(numbers),))
        return {row[0]: Acknowledgement(row[1], row[2]) for row in rows}

    async def rejected(self, which: Filter) -> Page:
        """Rejected records, newest first."""
        reader = self.core.history
        conditions = Conditions(self.core.names, Filter(which.workspace, which.below, which.limit))
        search = Search(reader, _ALL_REJECTED, conditions, conditions.of_rejected())
        chosen = await search.page(walks.Span(reader, "rejected", conditions.low, conditions.below))
        rows = await self._read(_REJECTED, chosen.ids)
        return Page([rejected_row(row, self._workspace_id(row[1])) for row in rows], chosen.below, chosen.complete)

    async def rejected_record(self, record_id: int) -> dict[str, Any] | None:
        """One rejected record."""
        row = await self.core.history.row(f"{REJECTED} WHERE id = ?", (record_id,))
        return rejected_row(row, self._workspace_id(row[1])) if row else None

    def _workspace_id(self, name: str) -> int | None:
        return self.core.named.numbers.get(("workspace", name, name))

    # -- where to look --------------------------------------------------------------------------------------------

    async def _read(self, sql: str, ids: Sequence[int]) -> list[Row]:
        return await self.core.history.rows(sql, {"ids": json_list(ids)}) if ids else []

    async def _named(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Make deliveries of rows, with the ids of their events."""
        numbers = list({row[1] for row in rows})
        ids: dict[int, str] = {}
        for number, head in await self._read(_IDS, numbers):
            ids[number] = made_event_id(number, self.core.salt) if head is None else id_in(head)
        return [delivery_row(row, ids[row[1]]) for row in rows if row[1] in ids]  # retention may have been here

    async def _deliveries(self, source: Source, which: Filter) -> Chosen:
        conditions = Conditions(self.core.names, which)
        walk = await self._deliveries_walk(conditions)
        return await Search(self.core.history, source, conditions, conditions.of_delivery()).page(walk)

    async def _deliveries_walk(self, conditions: Conditions) -> Walk:
        reader, which, low, below = self.core.history, conditions.which, conditions.low, conditions.below
        if which.alert_number is not None:
            rows = await reader.rows(_IDS_OF, {"number": which.alert_number})
            return walks.Numbers([row[0] for row in rows], low, below)
        if which.digest is not None:
            return walks.digested(reader, conditions)
        chosen = await self._by_state(conditions)
        if chosen is not None:
            return chosen
        where = conditions.of_shape()
        if not where or (which.text is not None and not conditions.selective):
            return walks.Span(reader, "delivery", low, below)

        def further(below: int) -> Walk:
            conditions.below = below
            events = Lookup(self.core, where, conditions.params, max(0, low - SPAN), below)
            return walks.Merged(walks.DeliveriesOf(reader, events, low, below), walks.again(reader, conditions))

        return walks.Newest(walks.Span(reader, "delivery", low, below), further)

    async def _by_state(self, conditions: Conditions) -> Walk | None:
        """Walk over the deliveries in the state asked for, if that is quicker than anything else."""
        reader, which = self.core.history, conditions.which
        if which.state == "in_flight":
            return walks.Numbers(list(which.in_flight), conditions.low, conditions.below)
        if which.state in ("dead", "cancelled"):
            return walks.failed(reader, conditions, DeliveryState[which.state.upper()])
        if which.state in ("pending", "retrying"):
            count = (await reader.rows(_OUTBOX, {"limit": OUTBOX_MAX + 1}))[0][0]
            if count <= OUTBOX_MAX:
                return walks.waiting(reader, conditions, DeliveryState[which.state.upper()])
        return None

    async def _events_walk(self, conditions: Conditions, matched: bool | None) -> Walk:
        reader, which, low, below = self.core.history, conditions.which, conditions.low, conditions.below
        if which.alert_number is not None:
            return walks.Numbers([which.alert_number], low, below)
        if which.acknowledged:
            return walks.acknowledged(reader, conditions)
        if which.state == "in_flight":
            rows = await reader.rows(_EVENTS_OF, {"ids": json_list(which.in_flight)})
            return walks.Numbers([row[0] for row in rows], low, below)
        chosen = await self._by_state(conditions)
        if chosen is not None:
            return walks.Merged(walks.EventsOf(reader, chosen), walks.replayed(reader, conditions))
        where = conditions.of_shape(matched=matched)
        if not where or (which.text is not None and not conditions.selective):
            return walks.Span(reader, "event", low, below)

        def further(below: int) -> Walk:
            conditions.below = below
            found = Lookup(self.core, where, conditions.params, low, below)
            return found if which.destination is None else walks.Merged(found, walks.replayed(reader, conditions))

        return walks.Newest(walks.Span(reader, "event", low, below), further)
