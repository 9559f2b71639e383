"""The history as the API reads it: pages, newest first, found in slices so that no read holds its snapshot for long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.model.delivery import DeliveryState, OutcomeKind
from alertd.model.ids import first_of, made_event_number
from alertd.store.base import Page
from alertd.store.sqlite.key import stored_key
from alertd.store.sqlite.part import Part

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.store.base import Filter
    from alertd.store.sqlite.reader import Row

SLICES: Final = (1_000, 10_000)
"""How many rows the first look, and every further one, passes over at most."""
SCAN_MAX: Final = 500_000
"""How many rows one page passes over at most; a page that found less than asked for by then says where to go on."""
_END: Final = (1 << 63) - 1

_EVENT: Final = "e.id, e.workspace_id, e.type, e.matched, e.payload, e.verdicts, e.revision"
_DELIVERY: Final = (
    "d.id, d.event_id, e.type, e.payload, e.workspace_id, d.destination_id, d.subscription_id, d.channel_id, d.state,"
    " d.attempts, d.next_at, d.started_at, d.duration, d.outcome, d.status, d.detail, d.answer, d.replay_of"
)
_FIELD: Final = "coalesce(json_extract(CAST(e.payload AS TEXT), '$.{name}'), '{default}') = :{name}"
_DEFAULTS: Final = {"project": "", "environment": "", "severity": "info"}
_OF_EVENT: Final = """d.id IN (
    SELECT id FROM delivery WHERE event_id = {event} AND replay_of IS NOT NULL
    UNION ALL
    SELECT id FROM delivery WHERE event_id = {event} AND id > {event}
    AND id < coalesce((SELECT min(id) FROM event WHERE id > {event}), 9223372036854775807))"""
_ATTEMPTS: Final = """
SELECT number, started_at, duration, outcome, status, detail, answer FROM attempt WHERE delivery_id = :id
UNION ALL
SELECT attempts, started_at, duration, outcome, status, detail, answer FROM delivery
WHERE id = :id AND outcome IS NOT NULL
ORDER BY 1
"""
_REJECTED: Final = """
SELECT id, workspace, topic, partition, record_offset, reason, bytes, size FROM rejected
WHERE id < :below {where} ORDER BY id DESC LIMIT :limit
"""


class _Query:
    """Conditions and their parameters, as a filter makes them."""

    def __init__(self, names: dict[int, tuple[str, str, str]], which: Filter) -> None:
        self._names = names
        self._which = which
        self.event: list[str] = []
        self.delivery: list[str] = []
        self.params: dict[str, Any] = {}
        self.low = 0 if which.since_ms is None else first_of(which.since_ms)
        self.below = min(
            _END if which.below is None else which.below,
            _END if which.until_ms is None else first_of(which.until_ms),
        )
        self._add_event()
        self._add_delivery()

    def _add_event(self) -> None:
        which = self._which
        if which.workspace is not None:
            self.event.append(_in("e.workspace_id", self._numbers("workspace", which.workspace)))
        if which.type is not None:
            self.event.append("e.type = :type")
            self.params["type"] = which.type
        for name, default in _DEFAULTS.items():
            value = getattr(which, name)
            if value is not None:
                self.event.append(_FIELD.format(name=name, default=default))
                self.params[name] = value

    def _add_delivery(self) -> None:
        which = self._which
        if which.destination is not None:
            self.delivery.append(_in("d.destination_id", self._numbers("destination", which.destination)))
        if which.subscription is not None:
            self.delivery.append(_in("d.subscription_id", self._numbers("subscription", which.subscription)))
        if which.state is not None:
            state = DeliveryState.__members__.get(which.state.upper(), -1)
            guard = " AND d.state < 2" if state in (0, 1) else " AND d.state > 2" if state > 2 else ""  # noqa: PLR2004 - the partial indexes' own words
            self.delivery.append(f"d.state = {int(state)}{guard}")

    def _numbers(self, kind: str, name: str) -> list[int]:
        """Every number that a name has, in the filter's workspace if it says one."""
        inside = self._which.workspace
        return [
            number
            for number, (its_kind, workspace, its_name) in self._names.items()
            if its_kind == kind and its_name == name and (kind == "workspace" or inside in (None, workspace))
        ]


class History(Part):
    """What the API reads."""

    async def events(self, which: Filter, *, matched: bool | None = None) -> Page:
        """Accepted events, newest first; those of a destination, subscription or state have such a delivery."""
        query = _Query(self.core.names, which)
        where = query.event
        if matched is not None:
            where.append(f"e.matched = {int(matched)}")
        if query.delivery:
            parts = [_OF_EVENT.format(event="e.id"), *query.delivery]
            where.append(f"EXISTS (SELECT 1 FROM delivery d WHERE {' AND '.join(parts)})")  # noqa: S608 - constants
        if which.alert_number is not None:
            where.append("e.id = :number")
            query.params["number"] = query.low = which.alert_number
            query.below = min(query.below, which.alert_number + 1)
        sql = f"SELECT {_EVENT} FROM event e WHERE {_and(where, 'e')} ORDER BY e.id DESC LIMIT :limit"  # noqa: S608
        return await self._page(query, which.limit, "event e", [], sql, _event)

    async def event(self, workspace: str, event_id: str) -> dict[str, Any] | None:
        """One event by its own id: a brought one, else one that was made by this store."""
        numbers = [n for n, (kind, _, name) in self.core.names.items() if kind == "workspace" and name == workspace]
        found = await self.core.history.row(
            f"SELECT event_id FROM event_key WHERE {_in('workspace_id', numbers)} AND uid = ?",  # noqa: S608 - numbers
            (stored_key(event_id),),
        )
        number = found[0] if found else made_event_number(event_id, self.core.salt)
        if number is None:
            return None
        guard = "" if found else " AND e.made = 1"
        row = await self.core.history.row(
            f"SELECT {_EVENT} FROM event e WHERE e.id = ? AND {_in('e.workspace_id', numbers)}{guard}",  # noqa: S608
            (number,),
        )
        return _event(row) if row else None

    async def event_by_number(self, number: int) -> dict[str, Any] | None:
        """One event by its number."""
        row = await self.core.history.row(f"SELECT {_EVENT} FROM event e WHERE e.id = ?", (number,))  # noqa: S608
        return _event(row) if row else None

    async def deliveries(self, which: Filter) -> Page:
        """Deliveries, newest first."""
        query = _Query(self.core.names, which)
        source = list(query.delivery)
        if which.alert_number is not None:
            source.append(_OF_EVENT.format(event=":number"))
            query.params["number"] = which.alert_number
        where = _and([*source, *query.event], "d")
        sql = f"""SELECT {_DELIVERY} FROM delivery d CROSS JOIN event e ON e.id = d.event_id
                  WHERE {where} ORDER BY d.id DESC LIMIT :limit"""  # noqa: S608 - constants and numbers
        return await self._page(query, which.limit, "delivery d", source, sql, _delivery)

    async def delivery(self, delivery_id: int) -> dict[str, Any] | None:
        """One delivery."""
        sql = f"SELECT {_DELIVERY} FROM delivery d JOIN event e ON e.id = d.event_id WHERE d.id = ?"  # noqa: S608
        row = await self.core.history.row(sql, (delivery_id,))
        return _delivery(row) if row else None

    async def attempts(self, delivery_id: int) -> list[dict[str, Any]]:
        """All attempts of a delivery, first to last."""
        return [_attempt(row) for row in await self.core.history.rows(_ATTEMPTS, {"id": delivery_id})]

    async def rejected(self, which: Filter) -> Page:
        """Rejected records, newest first."""
        params: dict[str, Any] = {"below": which.below if which.below is not None else _END, "limit": which.limit + 1}
        where = ""
        if which.workspace is not None:
            where, params["workspace"] = "AND workspace = :workspace", which.workspace
        rows = await self.core.history.rows(_REJECTED.format(where=where), params)
        ids = {name: number for number, (kind, _, name) in self.core.names.items() if kind == "workspace"}
        items = [_rejected(row, ids) for row in rows[: which.limit]]
        return Page(items, items[-1]["id"] if len(rows) > which.limit else None)

    async def _page(
        self, query: _Query, limit: int, table: str, source: list[str], sql: str, view: Callable[[Row], dict[str, Any]]
    ) -> Page:
        """Look through a table backwards in slices until a page is full, the table ends or enough was passed over."""
        alias = table[-1]
        lowest = f"""SELECT min(id), count(*) FROM (SELECT {alias}.id FROM {table}
                     WHERE {_and(source, alias)} ORDER BY {alias}.id DESC LIMIT :limit)"""  # noqa: S608 - constants
        found: list[Row] = []
        below, passed, size = query.below, 0, max(SLICES[0], limit + 1)
        while len(found) <= limit:
            bounds = {**query.params, "low": query.low, "below": below}
            low, count = (await self.core.history.rows(lowest, {**bounds, "limit": size}))[0]
            if count:
                wanted = {**bounds, "low": low, "limit": limit + 1 - len(found)}
                found += await self.core.history.rows(sql, wanted)
                below = low
            if count < size:
                break
            passed, size = passed + count, SLICES[1]
            if passed >= SCAN_MAX:
                return Page([view(row) for row in found[:limit]], found[limit - 1][0] if len(found) > limit else below)
        return Page([view(row) for row in found[:limit]], found[limit - 1][0] if len(found) > limit else None)


def _and(conditions: list[str], alias: str) -> str:
    return " AND ".join([f"{alias}.id >= :low", f"{alias}.id < :below", *conditions])


def _in(column: str, numbers: list[int]) -> str:
    return f"{column} IN ({','.join(map(str, numbers)) or 'NULL'})"


def _event(row: Row) -> dict[str, Any]:
    return {
        "number": row[0],
        "workspace_id": row[1],
        "type": row[2],
        "matched": bool(row[3]),
        "payload": row[4],
        "verdicts": b"[]" if row[5] is None else row[5],
        "revision": row[6],
    }


def _delivery(row: Row) -> dict[str, Any]:
    names = (
        "id", "event_number", "event_type", "payload", "workspace_id", "destination_id", "subscription_id",
        "channel_id", "state", "attempts", "next_at_ms", "started_at_ms", "duration_us", "outcome", "status", "detail",
        "answer", "replay_of",
    )  # fmt: skip
    view = dict(zip(names, row, strict=True))
    view["state"] = DeliveryState(view["state"])
    view["outcome"] = None if view["outcome"] is None else OutcomeKind(view["outcome"])
    view["detail"] = view["detail"] or ""
    view["answer"] = view["answer"] or b""
    return view


def _attempt(row: Row) -> dict[str, Any]:
    return {
        "number": row[0],
        "started_at_ms": row[1],
        "duration_us": row[2],
        "outcome": OutcomeKind(row[3]),
        "status": row[4],
        "detail": row[5] or "",
        "answer": row[6] or b"",
    }


def _rejected(row: Row, workspace_ids: dict[str, int]) -> dict[str, Any]:
    return {
        "id": row[0],
        "workspace_id": workspace_ids.get(row[1]),
        "topic": row[2],
        "partition": row[3],
        "offset": row[4],
        "reason": row[5],
        "bytes": row[6],
        "size": row[7],
    }
