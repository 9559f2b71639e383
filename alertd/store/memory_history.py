"""The history in memory: what was accepted, decided and delivered, and the filters over it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from alertd.errors import NotFoundError
from alertd.model.ids import ALERT, format_id, made_event_number
from alertd.model.verdict import VerdictCode
from alertd.store.base import Reached
from alertd.store.memory_engine import MemoryEngine
from alertd.store.memory_rows import attempt_view, page_of, rejected_view

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from alertd.store.base import Acknowledgement, Filter, Page, RejectedRecord
    from alertd.store.memory_rows import MemoryDelivery, MemoryEvent
    from alertd.store.resource import AuditEntry


class MemoryHistory(MemoryEngine):
    """What the API reads."""

    def __init__(self, salt: int) -> None:
        super().__init__()
        self._salt = salt
        self._events: dict[int, MemoryEvent] = {}
        self._keys: dict[tuple[int, str], int] = {}
        self._deliveries: dict[int, MemoryDelivery] = {}
        self._by_event: dict[int, list[MemoryDelivery]] = {}
        self._rejected: dict[int, RejectedRecord] = {}
        self._acknowledged: dict[int, Acknowledgement] = {}

    async def events(self, which: Filter, *, matched: bool | None = None) -> Page:
        """Events, newest first."""

        def fits(event: MemoryEvent) -> bool:
            number = event.plan.number
            return (
                self._event_fits(event, which)
                and matched in (None, event.plan.matched)
                and which.alert_number in (None, number)
                and which.acknowledged in (None, number in self._acknowledged)
                and self._was_sent(event, which)
                and (
                    (which.destination, which.state) == (None, None)
                    or any(self._reaches(kept, which) and _is_in(kept, which) for kept in self._of(number))
                )
                and which.is_said(event.payload)
            )

        return page_of(which, [(number, event.view) for number, event in self._events.items() if fits(event)])

    async def event(self, workspace: str, event_id: str) -> dict[str, Any] | None:
        """One event by its own id: one that was brought, else one that was made."""
        workspace_id = self._workspace_id(workspace)
        brought = None if workspace_id is None else self._keys.get((workspace_id, event_id))
        number = made_event_number(event_id, self._salt) if brought is None else brought
        event = None if number is None else self._events.get(number)
        if event is None or event.plan.workspace_id != workspace_id or event.made is not (brought is None):
            return None
        return event.view()

    async def numbers_of(self, workspace: str, event_ids: Collection[str]) -> dict[str, int]:
        """The numbers of those of these ids that events have brought, by id."""
        workspace_id = self._workspace_id(workspace)
        keys = {event_id: self._keys.get((workspace_id or 0, event_id)) for event_id in event_ids}
        return {event_id: number for event_id, number in keys.items() if number in self._events}

    async def event_by_number(self, number: int) -> dict[str, Any] | None:
        """One event by its number."""
        event = self._events.get(number)
        return event.view() if event else None

    async def deliveries(self, which: Filter) -> Page:
        """Deliveries, newest first."""
        chosen = [
            (number, self._viewer(kept))
            for number, kept in self._deliveries.items()
            if self._delivery_fits(kept, which)
        ]
        return page_of(which, chosen)

    async def delivery_ids(self, which: Filter) -> tuple[list[int], int | None]:
        """Deliveries as ids."""
        page = await self.deliveries(which)
        return [row["id"] for row in page.items], page.next_below

    async def deliveries_of(self, numbers: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
        """All deliveries of some events."""
        found = {n: sorted(self._of(n), key=lambda kept: kept.delivery.id) for n in numbers}
        return {number: [self._viewer(kept)() for kept in own] for number, own in found.items() if own}

    async def reached(self, numbers: Sequence[int]) -> dict[int, list[Reached]]:
        """The same, as little of them."""
        return {
            number: [Reached(r["id"], r["destination_id"], r["subscription_id"], r["state"]) for r in rows]
            for number, rows in (await self.deliveries_of(numbers)).items()
        }

    async def delivery(self, delivery_id: int) -> dict[str, Any] | None:
        """One delivery."""
        kept = self._deliveries.get(delivery_id)
        return {**self._viewer(kept)(), "payload": kept.delivery.payload} if kept else None

    async def attempts(self, delivery_id: int) -> list[dict[str, Any]]:
        """All attempts of a delivery."""
        kept = self._deliveries.get(delivery_id)
        return [attempt_view(attempt) for attempt in kept.attempts] if kept else []

    async def attempts_of(self, delivery_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
        """All attempts of some deliveries."""
        found = {number: await self.attempts(number) for number in delivery_ids}
        return {number: made for number, made in found.items() if made}

    async def acknowledge(
        self, number: int, acknowledgement: Acknowledgement, audit: Sequence[AuditEntry] = ()
    ) -> bool:
        """Keep the first acknowledgement of an alert."""
        self._write()
        if number not in self._events:
            raise NotFoundError(f"there is no alert {format_id(ALERT, number)}")
        if number in self._acknowledged:
            return False
        self._acknowledged[number] = acknowledgement
        self._audit += audit
        return True

    async def acknowledgements(self, numbers: Sequence[int]) -> dict[int, Acknowledgement]:
        """Those of some events."""
        return {number: self._acknowledged[number] for number in numbers if number in self._acknowledged}

    async def rejected(self, which: Filter) -> Page:
        """Rejected records, newest first."""
        chosen = [
            (number, lambda record=record: self._view_rejected(record))
            for number, record in self._rejected.items()
            if which.workspace in (None, record.workspace)
        ]
        return page_of(dataclasses.replace(which, since_ms=None, until_ms=None), chosen)

    async def rejected_record(self, record_id: int) -> dict[str, Any] | None:
        """One rejected record."""
        record = self._rejected.get(record_id)
        return self._view_rejected(record) if record else None

    async def forget_rejected(self, record_id: int, audit: AuditEntry | None = None) -> None:
        """Forget a rejected record."""
        self._write()
        self._rejected.pop(record_id, None)
        if audit is not None:
            self._audit.append(audit)

    # -- below ----------------------------------------------------------------------------------------------------

    def _of(self, number: int) -> Sequence[MemoryDelivery]:
        return self._by_event.get(number, ())

    def _event_fits(self, event: MemoryEvent, which: Filter) -> bool:
        if which.workspace is not None and event.plan.workspace_id != self._workspace_id(which.workspace):
            return False
        if which.type not in (None, event.plan.event.type):
            return False
        return which.fits(event.payload)

    def _was_sent(self, event: MemoryEvent, which: Filter) -> bool:
        """Whether one verdict, which is `sent`, names the subscription and the channel."""
        if which.subscription is None and which.channel is None:
            return True
        return any(
            v.code is VerdictCode.SENT
            and self._is_named("subscription", which.subscription, v.subscription_id, which)
            and self._is_named("channel", which.channel, v.channel_id, which)
            for v in event.plan.verdicts
        )

    def _delivery_fits(self, kept: MemoryDelivery, which: Filter) -> bool:
        d = kept.delivery
        event = self._events[d.event_number]
        return (
            self._reaches(kept, which)
            and which.digest in (None, kept.digest_id)
            and any(
                self._is_named("subscription", which.subscription, number, which)
                for number in (d.subscription_id, *d.also)
            )
            and self._is_named("channel", which.channel, d.channel_id, which)
            and _is_in(kept, which)
            and self._event_fits(event, which)
            and which.alert_number in (None, d.event_number)
            and which.is_said(event.payload, kept.detail)
        )

    def _reaches(self, kept: MemoryDelivery, which: Filter) -> bool:
        return self._is_named("destination", which.destination, kept.delivery.destination_id, which)

    def _is_named(self, kind: str, name: str | None, number: int, which: Filter) -> bool:
        return name is None or number in self._numbers(kind, name, which.workspace)

    def _viewer(self, kept: MemoryDelivery) -> Callable[[], dict[str, Any]]:
        event = self._events[kept.delivery.event_number]
        return lambda: kept.view(event.plan.workspace_id, event.id)

    def _view_rejected(self, record: RejectedRecord) -> dict[str, Any]:
        return rejected_view(record, self._workspace_id(record.workspace))


def _is_in(kept: MemoryDelivery, which: Filter) -> bool:
    """Whether a delivery is in the state asked for; one that is being attempted is in no other state."""
    if which.state is None:
        return True
    if not kept.state.final and kept.delivery.id in which.in_flight:
        return which.state == "in_flight"
    return kept.state.word == which.state
