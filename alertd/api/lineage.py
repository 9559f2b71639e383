"""Where an event came from and what it made, as far as the store tells: from the cause to what it made, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from alertd.engine.issues.document import INCIDENT, ISSUE
from alertd.engine.lineage import (
    INCIDENT_PREFIX,
    ISSUE_PREFIX,
    began,
    fired_of,
    is_made,
    issue_of,
    looked_at,
    made_ids,
    named_cause,
    since_of,
    tells_of,
    tells_of_incident,
)
from alertd.engine.metric import PREFIX as METRIC_PREFIX
from alertd.model.event import from_payload
from alertd.model.ids import first_of, milliseconds, parse_id
from alertd.store.base import Filter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.engine.compiled import CompiledMetric
    from alertd.engine.rules import WorkspaceRules
    from alertd.model.event import Event
    from alertd.store.base import Store

Row = dict[str, Any]

MADE_MAX: Final = 100
"""How many events an event shows that came of it."""
TRANSITIONS_MAX: Final = 200
"""Among how many of an issue's newest transitions the one is looked for that an event tells of."""
LATE_MS: Final = 60_000
"""How long after its time an alert that fired by time alone is looked for, in milliseconds; a restart holds it up."""
BATCH_NUMBERS: Final = 65_536
"""How many numbers behind its own stands, at most, what an event made at once: all of it is of one batch."""
_PAGE: Final = 200
_PAGES: Final = 10
"""So many pages, of so many events, are searched for what a metric alert has made."""


class Lineage:
    """Looks up causes and what they made."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def cause(self, event: Event, number: int) -> Row | None:
        """Return the row of the event that a made one came of; None: it was not made, or nothing kept says of what.

        Of the end of an incident it is the event that opened it.
        """
        if not is_made(event):
            return None
        if event.id.startswith(INCIDENT_PREFIX):
            opened = parse_id(INCIDENT, event.key)
            if opened is None or not tells_of_incident(event, opened):
                return None
            return await self._numbered(opened, event)
        if event.id.startswith(ISSUE_PREFIX):
            return await self._of_issue(event, number)
        named = named_cause(event)
        if named is not None:
            return await self._store.event(event.workspace, named)
        return await self._that_began(event) if event.id.startswith(f"{METRIC_PREFIX}-") else None

    async def made(self, event: Event, number: int, rules: WorkspaceRules | None) -> list[Row]:
        """Return the rows of the events that came of one, oldest first; `rules` are those that decided about it."""
        found = [await self._store.event(event.workspace, each) for each in made_ids(rules, event, number)]
        rows = {row["number"]: row for row in found if row is not None}
        for rule in looked_at(rules, event):
            async for row in self._fired(rule, event, number):
                rows[row["number"]] = row
        return [rows[each] for each in sorted(rows)[:MADE_MAX]]

    # -- below ----------------------------------------------------------------------------------------------------

    async def _numbered(self, number: int, beside: Event) -> Row | None:
        """Return the row with a number, if it is of the same workspace: who wrote the event may have made its claim up."""
        row = await self._store.event_by_number(number)
        return row if row is not None and from_payload(row["payload"]).workspace == beside.workspace else None

    async def _of_issue(self, event: Event, number: int) -> Row | None:
        """Find the event whose transition an `issue.*` tells of; a person's command has none."""
        issue_id = parse_id(ISSUE, issue_of(event))
        if issue_id is None:
            return None
        for caused_by, transition in await self._store.transitions(issue_id, TRANSITIONS_MAX):
            if caused_by < number and event.type == f"{ISSUE_PREFIX}{transition.change.word}":
                row = await self._numbered(caused_by, event)
                if row is not None and tells_of(event, from_payload(row["payload"]).id):
                    return row
        return None

    async def _that_began(self, made: Event) -> Row | None:
        """Find the event with which the value went beyond the limit that a metric alert tells of."""
        since_ms = since_of(made)
        if since_ms is None or since_ms < 0:
            return None
        async for row in self._search(self._around(made, since_ms, since_ms + 1)):
            if began(made, from_payload(row["payload"]), milliseconds(row["number"])):
                return row
        return None

    async def _fired(self, rule: CompiledMetric, event: Event, number: int) -> AsyncIterator[Row]:
        """Find what a metric alert made of an event: at once, and when its value had been beyond the limit long enough."""
        arrived_ms = milliseconds(number)
        at_once = [
            self._around(event, arrived_ms, None, kind, below=number + BATCH_NUMBERS)
            for kind in {rule.type, rule.resolved_type}
        ]
        due_ms = arrived_ms + rule.for_ms
        later = [self._around(event, due_ms, due_ms + LATE_MS, rule.type)] if rule.for_ms else []
        for which in (*at_once, *later):
            async for row in self._search(which, above=number):
                if fired_of(rule, event, arrived_ms, from_payload(row["payload"])):
                    yield row

    def _around(
        self, event: Event, since_ms: int, until_ms: int | None, kind: str | None = None, below: int | None = None
    ) -> Filter:
        """Choose what arrived in a time where an event belongs."""
        return Filter(
            workspace=event.workspace,
            type=kind,
            project=event.project,
            environment=event.environment,
            since_ms=since_ms,
            until_ms=until_ms,
            below=below,
            limit=_PAGE,
        )

    async def _search(self, which: Filter, above: int = 0) -> AsyncIterator[Row]:
        """Give what is chosen, newest first, down to a number."""
        for _ in range(_PAGES):
            page = await self._store.events(which)
            for row in page.items:
                if row["number"] <= above:
                    return
                yield row
            if page.next_below is None or page.next_below <= max(above, first_of(which.since_ms or 0)):
                return
            which = replace(which, below=page.next_below)
