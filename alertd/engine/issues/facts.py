"""Facts: what an event says to an issue. Most events say nothing to any: only errors and messages do.

An event bears an issue when its `data` has `event_id`, `title` and a `level` of Sentry's, as every decoder of errors
writes it; nothing else is looked at, so that all other events cost one look-up. A producer of native events that wants
them grouped writes the same three. The issue is named by the event's `key`: Sentry's own number of it, or a fingerprint
(`alertd.engine.issues.fingerprint`), or what a native producer gave.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from alertd.clock import DAY_MS
from alertd.model.error_facts import Facts
from alertd.model.event import SIMULATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.model.event import Event

__all__ = ["Facts", "bears_issue", "facts_of", "moment", "said_ms"]

LEVELS: Final = frozenset({"fatal", "error", "warning", "info", "debug"})
"""Sentry's words for how bad an error is."""
OLDEST_MS: Final = 30 * DAY_MS
"""No event counts as older than this, in milliseconds: clocks of devices lie."""
TITLE_MAX: Final = 256
"""Greatest length of a title and of a culprit, in characters."""
NAME_MAX: Final = 256
"""Greatest length of a release and of a user's name, in characters."""

_USER: Final = ("id", "username", "email", "ip_address")


def bears_issue(body: Mapping[str, Any]) -> bool:
    """Tell whether an event's body belongs to an issue."""
    data = body.get("data")
    if data is None or "event_id" not in data or "title" not in data:
        return False
    level = data.get("level")
    return type(level) is str and level in LEVELS


def facts_of(event: Event, now_ms: int) -> Facts | None:
    """Return an event's facts, which its decoder may have read; None when it bears no issue, or is simulated.

    Never raises, whatever `data` holds.
    """
    if event.facts is not None:
        return event.facts
    body = event.body
    data = body.get("data")
    if data is None or "event_id" not in data or "title" not in data:  # `bears_issue`, in line
        return None
    get = data.get
    level = get("level")
    if type(level) is not str or level not in LEVELS or body.get("source") == SIMULATION:
        return None
    title, culprit, release, user = data["title"], get("culprit"), get("release"), get("user")
    name = user.get("id") if type(user) is dict else ""
    return Facts(
        event.key,
        event.id,
        title[:TITLE_MAX] if type(title) is str and title else event.type,
        culprit[:TITLE_MAX] if type(culprit) is str else "",
        level,
        event.environment,
        release[:NAME_MAX] if type(release) is str else "",
        name if type(name) is str and 0 < len(name) <= NAME_MAX else _user(user),
        moment(event.time, now_ms),
    )


def moment(time: str, now_ms: int) -> int:
    """When something happened, in milliseconds: never after `now_ms`, never more than `OLDEST_MS` before."""
    at_ms = int(datetime.fromisoformat(time).timestamp() * 1000)
    if at_ms > now_ms:
        return now_ms
    oldest = now_ms - OLDEST_MS
    return at_ms if at_ms > oldest else oldest  # noqa: FURB136 - max() takes twice as long


def said_ms(time: str) -> int:
    """When something is said to have happened, however long ago, in milliseconds since 1970.

    Raises ValueError for what is no time with an offset, OverflowError.
    """
    said = datetime.fromisoformat(time)
    if said.tzinfo is None:
        raise ValueError(f"{time} has no offset")
    return max(0, int(said.timestamp() * 1000))


def _user(given: Any) -> str:
    if type(given) is dict:
        for name in _USER:
            value = given.get(name)
            if value and type(value) is str:
                return value[:NAME_MAX]
    return ""
