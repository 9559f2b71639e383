"""A filter of the history as conditions of SQL: what an event's row, a delivery's row and a shape must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.model.delivery import DeliveryState
from alertd.model.selection import EVENT_FIELDS, in_json
from alertd.store.sqlite.statement import json_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alertd.model.ids import NameKey
    from alertd.store.base import Filter

SPAN: Final = 1 << 20
"""An event's own deliveries have the numbers right behind its own: so many at most are looked at."""
OWN: Final = (
    "d.id > {event} AND d.id < min({event} + 1048576,"
    " coalesce((SELECT min(later.id) FROM event later WHERE later.id > {event}), 9223372036854775807))"
    " AND d.event_id = {event} AND d.replay_of IS NULL"
)
"""Which deliveries an event was planned with."""
AGAIN: Final = "d.event_id = {event} AND d.replay_of IS NOT NULL"
"""Which deliveries repeat one of an event's."""

_FIELD: Final = "coalesce(json_extract(CAST(e.payload AS TEXT), '$.{name}'), '{default}') = :{name}"
_SENT: Final = """EXISTS (SELECT 1 FROM json_each(CAST(e.verdicts AS TEXT)) v
WHERE json_extract(v.value, '$[2]') = 0{subscriptions}{channels})"""
_HOLDS: Final = "CAST(e.payload AS TEXT) LIKE :{form} ESCAPE '\\'"
_FAILED_WITH: Final = "d.detail LIKE :words ESCAPE '\\'"
_IN_DIGEST: Final = "d.id IN (SELECT n.delivery_id FROM digested n WHERE n.digest_id = :digest)"
_SERVES: Final = """EXISTS (SELECT 1 FROM shared s CROSS JOIN json_each(s.subscriptions) v
WHERE s.delivery_id = d.id AND {further})"""
_ACKNOWLEDGED: Final = "EXISTS (SELECT 1 FROM acknowledgement k WHERE k.event_id = e.id)"
_FLYING: Final = "(SELECT value FROM json_each(:in_flight))"


class Conditions:
    """Conditions and their parameters. `low` and `below` bound the numbers that are looked at.

    `destinations`, `subscriptions` and `channels` are the numbers that the names of the filter have; None: any.
    """

    def __init__(self, names: Mapping[int, NameKey], which: Filter) -> None:
        self.which = which
        self.low, self.below = which.bounds
        self._names = names
        self.workspaces = self._numbers("workspace", which.workspace)
        self.destinations = self._numbers("destination", which.destination)
        self.subscriptions = self._numbers("subscription", which.subscription)
        self.channels = self._numbers("channel", which.channel)
        self.params: dict[str, Any] = {
            "workspace": which.workspace,
            "type": which.type,
            "digest": which.digest,
            **{name: getattr(which, name) for name in EVENT_FIELDS},
            "in_flight": json_list(which.in_flight),
        }
        if which.text is not None:
            self.params |= {"words": _like(which.text), **{name: _like(form) for name, form in self._forms.items()}}

    @property
    def selective(self) -> bool:
        """Whether it asks for anything that may be rare; a text is not known to the index, and a workspace is large."""
        names = ("type", *EVENT_FIELDS, "destination", "subscription", "channel")
        return any(getattr(self.which, name) is not None for name in names)

    def places(self) -> str:
        """JSON of all destinations that a delivery of this filter may have."""
        found = self.destinations
        if found is None:
            inside = self.which.workspace
            found = [n for n, (kind, w, _) in self._names.items() if kind == "destination" and inside in (None, w)]
        return json_list(found)

    def of_event(self, *, matched: bool | None = None) -> list[str]:
        """Conditions on an event's row `e` in a list of events."""
        which = self.which
        found = self._of_both()
        if matched is not None:
            found.append(f"e.matched = {int(matched)}")
        if self.subscriptions is not None or self.channels is not None:
            parts = {"subscriptions": _part(0, self.subscriptions), "channels": _part(1, self.channels)}
            found.append(_SENT.format(**parts))
        if which.destination is not None or which.state is not None:
            having = " AND ".join(["", *self._of_both_deliveries()])
            own, again = OWN.format(event="e.id"), AGAIN.format(event="e.id")
            found.append(
                f"(EXISTS (SELECT 1 FROM delivery d WHERE {own}{having})"  # noqa: S608 - constants and numbers
                f" OR EXISTS (SELECT 1 FROM delivery d INDEXED BY delivery_replay WHERE {again}{having}))"
            )
        if which.acknowledged is not None:
            found.append(_ACKNOWLEDGED if which.acknowledged else f"NOT {_ACKNOWLEDGED}")
        return [*found, self._says()] if which.text is not None else found

    def of_delivery(self) -> list[str]:
        """Conditions on a delivery's row `d`, and its event's `e`, in a list of deliveries."""
        found = [*self._of_both_deliveries(), *self._of_both()]
        if self.subscriptions is not None:
            own, further = within("d.subscription_id", self.subscriptions), within("v.value", self.subscriptions)
            found.append(f"({own} OR {_SERVES.format(further=further)})")
        if self.channels is not None:
            found.append(within("d.channel_id", self.channels))
        if self.which.digest is not None:
            found.append(_IN_DIGEST)
        return [*found, self._says(_FAILED_WITH)] if self.which.text is not None else found

    def of_rejected(self) -> list[str]:
        """Conditions on a rejected record's row `r`."""
        return [] if self.which.workspace is None else ["r.workspace = :workspace"]

    def of_shape(self, *, matched: bool | None = None) -> list[str]:
        """Conditions on a shape; none: any shape will do."""
        found = []
        if self.workspaces is not None:
            found.append(within("workspace_id", self.workspaces))
        given = [name for name in ("type", *EVENT_FIELDS) if getattr(self.which, name) is not None]
        found += [f"({name} IS NULL OR {name} = :{name})" for name in given]
        if matched is not None:
            found.append(f"(matched IS NULL OR matched = {int(matched)})")
        for column in ("subscriptions", "channels", "destinations"):
            numbers = getattr(self, column)
            if numbers is not None:
                listed = " OR ".join(f"instr({column}, ',{number},')" for number in numbers) or "0"
                found.append(f"({column} IS NULL OR {listed})")
        return found

    @property
    def _forms(self) -> dict[str, str]:
        """How the text may stand in JSON, by the names of parameters."""
        return {f"text{turn}": form for turn, form in enumerate(in_json(self.which.text or ""))}

    def _says(self, *others: str) -> str:
        holds = (_HOLDS.format(form=name) for name in self._forms)
        return f"({' OR '.join((*holds, *others))})"

    def _of_both(self) -> list[str]:
        found = []
        if self.workspaces is not None:
            found.append(within("e.workspace_id", self.workspaces))
        if self.which.type is not None:
            found.append("e.type = :type")
        return found + [
            _FIELD.format(name=name, default=default)
            for name, default in EVENT_FIELDS.items()
            if getattr(self.which, name) is not None
        ]

    def _of_both_deliveries(self) -> list[str]:
        found = []
        if self.destinations is not None:
            found.append(within("d.destination_id", self.destinations))
        word = self.which.state
        if word == "in_flight":
            found.append(f"d.state < 2 AND d.id IN {_FLYING}")
        elif word is not None:
            state = DeliveryState.__members__.get(word.upper(), -1)
            found.append(f"d.state = {int(state)}")
            if 0 <= state < DeliveryState.DELIVERED and self.which.in_flight:
                found.append(f"d.id NOT IN {_FLYING}")
        return found

    def _numbers(self, kind: str, name: str | None) -> list[int] | None:
        """Every number that a name has, in the filter's workspace if it says one; None: no name was given."""
        if name is None:
            return None
        inside = self.which.workspace
        return [
            number
            for number, (its_kind, workspace, its_name) in self._names.items()
            if its_kind == kind and its_name == name and inside in (None, workspace)
        ]


def within(column: str, numbers: Sequence[int]) -> str:
    """Say that a column holds one of some numbers."""
    return f"{column} IN ({','.join(map(str, numbers)) or 'NULL'})"


def _part(position: int, numbers: Sequence[int] | None) -> str:
    return "" if numbers is None else " AND " + within(f"json_extract(v.value, '$[{position}]')", numbers)


def _like(text: str) -> str:
    """Write a text as a pattern of LIKE that finds it anywhere."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
