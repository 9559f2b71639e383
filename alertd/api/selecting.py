"""How a request says what it selects of the history: the same names in a query and in a body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from multidict import MultiDict

from alertd.api.operation import Parameter
from alertd.api.query import Query
from alertd.api.shapes import TIME, among
from alertd.errors import InvalidError, Problem
from alertd.model.selection import STATES, Selection
from alertd.model.severity import BY_WORD
from alertd.store.base import Filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.api.context import Context

TIMES: Final = (
    Parameter("since", "from this RFC 3339 time on", TIME),
    Parameter("until", "before this RFC 3339 time", TIME),
)
"""What lists of what happened take."""
SELECTING: Final = (
    Parameter("type", "only this type"),
    Parameter("project", "only this project"),
    Parameter("environment", "only this environment"),
    Parameter("severity", "only this severity", among(BY_WORD)),
    Parameter("channel", "only what went through this channel"),
    Parameter("subscription", "only what this subscription sent"),
    Parameter("destination", "only what went to this destination"),
    Parameter("state", "only deliveries in this state, or what has one", among(STATES)),
    Parameter("alert_id", "only what belongs to this alert"),
    *TIMES,
    Parameter(
        "text",
        "looked for in the event's JSON, in what it says and as it is written, and in a delivery's error;"
        " without since, in the 24 hours before until or now",
        {"type": "string", "minLength": 1},
    ),
)
"""What chooses events, and alerts (with `ACKNOWLEDGED`)."""
ACKNOWLEDGED: Final = Parameter("acknowledged", "only what was acknowledged, or was not", {"type": "boolean"})
DELIVERIES: Final = (*SELECTING, Parameter("digest_id", "only what came together in this digest"))
"""What chooses deliveries."""


def select(query: Query) -> Selection:
    """Read a selection; what is wrong is collected in the query, whose `check` must follow."""
    severity = query.word("severity", tuple(BY_WORD))
    return Selection(
        type=query.text("type"),
        project=query.text("project"),
        environment=query.text("environment"),
        severity=BY_WORD[severity].word if severity in BY_WORD else None,
        channel=query.text("channel"),
        subscription=query.text("subscription"),
        destination=query.text("destination"),
        state=query.word("state", STATES),
        alert_number=query.alert(),
        since_ms=query.time("since"),
        until_ms=query.time("until"),
        text=query.words("text"),
        acknowledged=query.flag("acknowledged"),
        digest=query.digest(),
    )


def filter_of(query: Query, workspace: str, context: Context) -> Filter:
    """Read which page of what is asked for. Raises InvalidError with everything that is wrong."""
    selection, below, limit = select(query), query.cursor(), query.limit()
    query.check()
    chosen = selection.dated(context.clock.now_ms()).chosen()
    in_flight = frozenset(context.dispatcher.in_flight) if selection.state is not None else frozenset()
    return Filter(workspace, below, limit, in_flight, **chosen)


def names_of(parameters: Sequence[Parameter]) -> tuple[str, ...]:
    """Return the names of parameters, as a query knows them."""
    return tuple(parameter.name for parameter in parameters)


def query_of(given: Any, known: Sequence[str], pointer: str) -> Query:
    """Read the parameters from a part of a JSON body, an object of texts, that stands at `pointer`. Raises InvalidError."""
    if not isinstance(given, dict):
        raise InvalidError([Problem(pointer, "must be an object")])
    wrong = [name for name, value in given.items() if name in known and not isinstance(value, str)]
    if wrong:
        raise InvalidError([Problem(f"{pointer}/{name}", "must be a text") for name in wrong])
    return Query(MultiDict({name: str(value) for name, value in given.items()}), known, pointer)
