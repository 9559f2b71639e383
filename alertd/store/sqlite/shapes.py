"""Shapes: what events have in common for those who filter the history; few, though events are many.

A shape is workspace, type, project, environment, severity, and who was told by which subscriptions. Each commit writes
one row that says which of its events have which shape: an outline. `alertd.store.sqlite.blocks` makes of outlines what
the history looks up. A column that is NULL in a shape's row means anything: past `SHAPES_MAX` shapes, new ones say less.
A shape promises nothing but that an event which fits a filter has one that fits it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.model.severity import Severity
from alertd.model.verdict import VerdictCode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from alertd.engine.plan import Plan

SHAPES_MAX: Final = 20_000
"""How many shapes may tell all they can; past it new ones leave out who was told, past half as many again all but the
workspace."""
ROUTES_MAX: Final = 256
"""A shape names at most so many destinations and subscriptions; an event with more has one that leaves them out."""

SELECT: Final = (
    "SELECT id, workspace_id, type, project, environment, severity, matched, subscriptions, channels, destinations"
    " FROM shape"
)
INSERT: Final = (
    "INSERT OR IGNORE INTO shape(id, workspace_id, type, project, environment, severity, matched, subscriptions,"
    " channels, destinations) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

_Routes = tuple[tuple[int, ...], tuple[int, ...]]
"""(subscription, channel, subscription, channel …) of what was sent, and the destinations."""
_Key = tuple[int, str | None, str, str, int, bool, _Routes | None]
"""(workspace, type, project, environment, severity, matched, routes); type None: anything but the workspace may be."""
_SENT: Final = VerdictCode.SENT


@dataclass(frozen=True, slots=True)
class Outline:
    """The shapes of one commit's events: the row, and the shapes that must be stored with it.

    `shapes` is JSON: `[[shape of each event, …], [its number less first, …]]`; `first` is the number of the first one.
    """

    first: int
    events: int
    shapes: bytes
    fresh: list[tuple[Any, ...]]


class Shapes:
    """All shapes of a store, by what they are made of. Belongs to the event loop."""

    def __init__(self, rows: Iterable[Sequence[Any]] = (), bound: int = SHAPES_MAX) -> None:
        self._bound = bound
        self._known: dict[_Key, int] = {}
        self._unstored: dict[int, tuple[Any, ...]] = {}
        self._single: dict[tuple[Any, ...], int] = {}
        self._busy: dict[int, frozenset[int]] = {}
        self._last = 0
        for row in rows:
            self._known[_key_of(row)] = row[0]
            self._last = max(self._last, row[0])

    def outline(self, plans: Sequence[Plan]) -> Outline:
        """Outline the events of a commit; `done` must follow, whatever becomes of it."""
        single, first = self._single, plans[0].number
        shapes = []
        for plan in plans:
            event, verdicts, deliveries = plan.event, plan.verdicts, plan.deliveries
            if len(verdicts) == 1 and len(deliveries) == 1 and (sent := verdicts[0]).code is _SENT:
                short = (
                    plan.workspace_id, event.type, event.project, event.environment, event.severity, plan.matched,
                    sent.subscription_id, sent.channel_id, deliveries[0].destination_id,
                )  # fmt: skip
                shapes.append(single.get(short) or self._add(short, plan))
            else:
                shapes.append(self._find(plan))
        used = frozenset(shapes)
        self._busy[first] = used
        fresh = [self._unstored[shape] for shape in used if shape in self._unstored] if self._unstored else []
        stored = orjson.dumps((shapes, [plan.number - first for plan in plans]))
        return Outline(first, len(plans), stored, fresh)

    def done(self, outline: Outline, *, stored: bool) -> None:
        """Take note of what became of a commit."""
        self._busy.pop(outline.first, None)
        if stored:
            for row in outline.fresh:
                self._unstored.pop(row[0], None)

    def forget(self, shapes: Collection[int]) -> list[int]:
        """Forget shapes that no event has any more, but those that are in use; return which were forgotten."""
        going = set(shapes).difference(self._unstored, *self._busy.values())
        self._known = {key: shape for key, shape in self._known.items() if shape not in going}
        self._single.clear()
        return sorted(going)

    def __len__(self) -> int:
        """How many shapes there are."""
        return len(self._known)

    def _add(self, short: tuple[Any, ...], plan: Plan) -> int:
        """Find the shape of an event with one verdict and one delivery, and remember it by a key that is quickly made."""
        shape = self._single[short] = self._find(plan)
        if len(self._single) > self._bound * 2:
            self._single.clear()
        return shape

    def _find(self, plan: Plan) -> int:
        event = plan.event
        sent = [part for v in plan.verdicts if v.code is _SENT for part in (v.subscription_id, v.channel_id)]
        routes = (tuple(sent), tuple([delivery.destination_id for delivery in plan.deliveries]))
        key = (plan.workspace_id, event.type, event.project, event.environment, event.severity, plan.matched, routes)
        return self._known.get(key) or self._make(key)

    def _make(self, key: _Key) -> int:
        """Give a new shape its number, or the number of one that says less when there are too many."""
        workspace_id, event_type, project, environment, severity, matched, routes = key
        if routes is not None and (len(self) >= self._bound or max(map(len, routes)) > ROUTES_MAX):
            key = (workspace_id, event_type, project, environment, severity, matched, None)
        if len(self) >= self._bound * 3 // 2:
            key = (workspace_id, None, "", "", 0, False, None)
        shape = self._known.get(key)
        if shape is None:
            shape = self._last = self._last + 1
            self._known[key] = shape
            self._unstored[shape] = (shape, *_columns(key))
        return shape


def _columns(key: _Key) -> tuple[Any, ...]:
    workspace_id, event_type, project, environment, severity, matched, routes = key
    if event_type is None:
        return (workspace_id, *[None] * 8)
    told = [None] * 3 if routes is None else [_listed(routes[0][::2]), _listed(routes[0][1::2]), _listed(routes[1])]
    return (workspace_id, event_type, project, environment, Severity(severity).word, int(matched), *told)


def _listed(numbers: Iterable[int]) -> str:
    """Write numbers so that one of them is found by its commas: `,7,8,`."""
    return "," + "".join(f"{number}," for number in numbers)


def _key_of(row: Sequence[Any]) -> _Key:
    _, workspace_id, event_type, project, environment, severity, matched, subscriptions, channels, destinations = row
    if event_type is None:
        return (workspace_id, None, "", "", 0, False, None)
    routes = None
    if subscriptions is not None:
        pairs = zip(_numbers(subscriptions), _numbers(channels), strict=True)
        routes = (tuple(part for pair in pairs for part in pair), _numbers(destinations))
    return (workspace_id, event_type, project, environment, Severity[severity.upper()], bool(matched), routes)


def _numbers(listed: str) -> tuple[int, ...]:
    return tuple(int(number) for number in listed.split(",") if number)
