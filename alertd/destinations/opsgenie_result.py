"""What became of a request that Opsgenie accepted: it is done later, and told under the request's own number. Pure."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from alertd.destinations.answers import THROTTLED, members_of
from alertd.destinations.base import HttpAnswer
from alertd.model.delivery import OutcomeKind

if TYPE_CHECKING:
    from alertd.model.delivery import Outcome

ID_MAX: Final = 100
"""Characters of a request's number."""

_OK: Final = 200
_ACCEPTED: Final = 202
_NOT_YET: Final = 404
_NOT_IMPLEMENTED: Final = 501


class Fate(Enum):
    """What is known of a request."""

    DONE = "done"
    FAILED = "failed"
    NOT_YET = "not yet"
    UNKNOWN = "unknown"
    """Nobody will say: asking again would not help."""


def request_of(outcome: Outcome) -> str:
    """Read the number of an accepted request; empty when there is none."""
    if outcome.kind is not OutcomeKind.DELIVERED or outcome.status != _ACCEPTED:
        return ""
    number = members_of(HttpAnswer(_ACCEPTED, {}, outcome.answer)).get("requestId")
    return number if isinstance(number, str) and len(number) <= ID_MAX else ""


def fate_of(answer: HttpAnswer) -> tuple[Fate, str]:
    """Read what is known of a request, and in Opsgenie's words why."""
    busy = answer.status >= 500 and answer.status != _NOT_IMPLEMENTED  # noqa: PLR2004 - the 5xx class
    if busy or answer.status in {_NOT_YET, THROTTLED}:
        return Fate.NOT_YET, ""
    data = members_of(answer).get("data") if answer.status == _OK else None
    if not isinstance(data, dict):
        return Fate.UNKNOWN, ""
    done = data.get("isSuccess", data.get("success"))
    said = data.get("status")
    if not isinstance(done, bool):
        return Fate.UNKNOWN, ""
    return Fate.DONE if done else Fate.FAILED, said if isinstance(said, str) else ""
