"""Lineage: which events came of which, told from their ids and `data`, since nothing else keeps it. Pure.

The id of what alertd makes follows from its cause (`alertd.engine.making`), so what may have been made can be looked up, and
what claims to have been made can be checked. Only a metric alert's id follows from times as well, which the store alone knows.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from alertd.clock import rfc3339
from alertd.engine.derive import PREFIX as DERIVED_PREFIX
from alertd.engine.derive import derived_id
from alertd.engine.issues.news import concerns
from alertd.engine.issues.telling import incident_told_id, issue_told_id
from alertd.engine.making import SOURCE
from alertd.engine.metric import PREFIX as METRIC_PREFIX
from alertd.engine.metric import Said, number_in
from alertd.model.event import KEY_MAX, SIMULATION
from alertd.model.issue import Change

if TYPE_CHECKING:
    from alertd.engine.compiled import CompiledDerived, CompiledMetric
    from alertd.engine.rules import WorkspaceRules
    from alertd.model.event import Event

ISSUE_PREFIX: Final = "issue."
INCIDENT_PREFIX: Final = "incident."
_RULES: Final = (f"{DERIVED_PREFIX}-", f"{METRIC_PREFIX}-")
_TELLING: Final = (ISSUE_PREFIX, INCIDENT_PREFIX)
_TOLD: Final = ("opened", "resolved")


def is_made(event: Event) -> bool:
    """Whether an event looks like one that alertd has made because of others, or of time."""
    if event.body.get("source") not in (SOURCE, SIMULATION):
        return False
    telling = event.type.startswith(_TELLING) and event.id.startswith(f"{event.type}-")
    return telling or event.id.startswith(_RULES)


def made_ids(rules: WorkspaceRules | None, event: Event, number: int) -> list[str]:
    """Return the ids that events would have which came of this one, whose number is `number`; all but metric alerts'.

    `rules` are those that decided about it; None: nobody knows them any more, nor what its derived types made.
    """
    found = []
    if rules is not None:
        scope = rules.scope(event.type, event.project, event.environment)
        found += [derived_id(rule.name, event.id) for rule in scope.derived]
    if not is_made(event) and concerns(event.body):
        kinds = [f"{ISSUE_PREFIX}{change.word}" for change in Change]
        found += [issue_told_id(kind, event.id) for kind in kinds]
        kinds = [f"{INCIDENT_PREFIX}{word}" for word in _TOLD]
        found += [incident_told_id(kind, event.workspace, number) for kind in kinds]
    return found


def made_by(rule: CompiledDerived, event: Event) -> bool:
    """Whether a derived type has made an event, which it then does not count."""
    named = named_cause(event)
    return named is not None and event.id == derived_id(rule.name, named)


def looked_at(rules: WorkspaceRules | None, event: Event) -> list[CompiledMetric]:
    """Return the metric alerts that have found a number in an event."""
    if rules is None or event.is_simulated or is_made(event):
        return []
    scope = rules.scope(event.type, event.project, event.environment)
    return [rule for rule in scope.metrics if number_in(rule.field, event.body) is not None]


def fired_of(rule: CompiledMetric, cause: Event, arrived_ms: int, made: Event) -> bool:
    """Whether a metric alert has made an event because of another one, or of the time since that one had arrived."""
    data = _data(made)
    if not is_made(made) or data.get("metric_alert") != rule.name:
        return False
    return named_cause(made) == cause.id or (data.get("reason") == Said.FIRING and began(made, cause, arrived_ms))


def began(made: Event, cause: Event, arrived_ms: int) -> bool:
    """Whether an event that arrived then is the one with which the value went beyond the limit that `made` tells of."""
    data = _data(made)
    return (
        data.get("since") == rfc3339(arrived_ms)
        and made.key == f"{data.get('metric_alert')}/{cause.key}"[:KEY_MAX]
        and number_in(str(data.get("field")), cause.body) is not None
        and not is_made(cause)
    )


def since_of(made: Event) -> int | None:
    """Return since when a value was beyond the limit that a metric alert tells of, in milliseconds; None: it does not say."""
    try:
        return round(datetime.fromisoformat(str(_data(made).get("since"))).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def issue_of(made: Event) -> str:
    """Return the outside id of the issue that an event tells of; empty: it names none."""
    issue = _data(made).get("issue")
    return str(issue.get("id")) if isinstance(issue, dict) else ""


def named_cause(made: Event) -> str | None:
    """Return the id of the cause that a made event names in its `data`; None when it names none that can be its cause."""
    cause = _data(made).get("cause")
    named = cause.get("id") if isinstance(cause, dict) else None
    if not isinstance(named, str):
        return None
    if made.id.startswith(f"{DERIVED_PREFIX}-"):
        return named if made.id == derived_id(str(_data(made).get("derived_type")), named) else None
    return named if made.id.startswith(f"{METRIC_PREFIX}-") else None


def tells_of(made: Event, cause_id: str) -> bool:
    """Whether an event tells what another one has made of an issue."""
    return made.id == issue_told_id(made.type, cause_id)


def tells_of_incident(made: Event, number: int) -> bool:
    """Whether an event tells of the incident with a number, which is that of the event that opened it."""
    return made.id == incident_told_id(made.type, made.workspace, number)


def _data(event: Event) -> dict[str, Any]:
    data = event.body.get("data")
    return data if isinstance(data, dict) else {}
