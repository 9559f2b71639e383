"""What providers' answers have in common: reading them within the kilobyte that is kept, and naming outcomes. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from alertd.destinations.retry_after import parse_retry_after
from alertd.model.delivery import ANSWER_MAX, Outcome, OutcomeKind

if TYPE_CHECKING:
    from alertd.destinations.base import HttpAnswer

THROTTLED: Final = 429
WAIT_MIN: Final = 1.0
"""Seconds: a provider that asks for less is asked again no sooner."""
REASON_MAX: Final = 200
"""Characters of a provider's own words in a reason."""

_RETRIED: Final = frozenset({408, 425, THROTTLED})
_SKIP: Final = re.compile(r"[\s,]*")
_COLON: Final = re.compile(r"\s*:\s*")
_AFTER: Final = re.compile(r"\s*[,}]")


def usual_kind(status: int) -> OutcomeKind:
    """Say what a status means where the provider has no say of its own: 2xx, worth retrying, or final."""
    if 200 <= status < 300:  # noqa: PLR2004 - the 2xx class
        return OutcomeKind.DELIVERED
    retried = status in _RETRIED or status >= 500  # noqa: PLR2004 - the 5xx class
    return OutcomeKind.RETRY_LATER if retried else OutcomeKind.REJECTED


def failed_kind(status: int) -> OutcomeKind:
    """Say what a status means where success would look otherwise: worth retrying, or final."""
    kind = usual_kind(status)
    return OutcomeKind.REJECTED if kind is OutcomeKind.DELIVERED else kind


def outcome_of(
    type_name: str, answer: HttpAnswer, kind: OutcomeKind, *, reason: str = "", wait: float | None = None
) -> Outcome:
    """Word an outcome: `slack: returned 404: no_service`; `wait` in seconds counts only where it is tried again."""
    if kind is OutcomeKind.DELIVERED:
        return Outcome(kind, answer.status, "", answer.body[:ANSWER_MAX])
    said = f": {one_line(reason)}" if reason else ""
    seconds = max(WAIT_MIN, wait) if wait is not None and kind is OutcomeKind.RETRY_LATER else None
    detail = f"{type_name}: returned {answer.status}{said}"
    return Outcome(kind, answer.status, detail, answer.body[:ANSWER_MAX], seconds)


def header_wait(answer: HttpAnswer, now_seconds: float) -> float | None:
    """Read Retry-After, in seconds; None when absent or garbage."""
    return parse_retry_after(answer.headers.get("Retry-After"), now_seconds)


def seconds_in(value: Any) -> float | None:
    """Take a number of seconds out of an answer's JSON; None for anything else."""
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e9  # noqa: PLR2004 - thirty years
    return float(value) if usable else None


def text_of(answer: HttpAnswer) -> str:
    """Read the body as text."""
    return answer.body.decode("utf-8", "replace")


def one_line(text: str) -> str:
    """Keep a provider's words on one line, printable and bounded."""
    plain = "".join(c if c.isprintable() else " " for c in text[: REASON_MAX * 2])
    line = " ".join(plain.split())
    whole = len(line) <= REASON_MAX and len(text) <= REASON_MAX * 2
    return line if whole else f"{line[: REASON_MAX - 1]}…"


def members_of(answer: HttpAnswer) -> dict[str, Any]:
    """Read the members of the JSON object in the body that are there in full: a long one was cut off at a kilobyte.

    Empty for anything else.
    """
    text = text_of(answer).strip()
    found: dict[str, Any] = {}
    decoder, at = json.JSONDecoder(), 1
    if not text.startswith("{"):
        return found
    try:
        while True:
            at = _end(_SKIP, text, at)
            name, at = decoder.raw_decode(text, at)
            value, end = decoder.raw_decode(text, _end(_COLON, text, at))
            if not isinstance(name, str):
                return found
            at = _end(_AFTER, text, end)  # an unfinished number looks like a finished one
            found[name] = value
    except (ValueError, RecursionError):
        return found


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    if match is None:
        raise ValueError("not where it should be")
    return match.end()
