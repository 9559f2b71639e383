"""Errors for the tests of issues: `data` of events, events, and a clock's beginning."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from alertd.engine.issues.facts import Facts, facts_of
from alertd.model.event import Event
from alertd.model.severity import Severity

NOW: Final = 1_800_000_000_000
"""A moment, in milliseconds since 1970: 2027-01-15 08:00 UTC."""
SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


def frame(function: str, filename: str = "", module: str = "", *, own: bool = True, **more: Any) -> dict[str, Any]:
    """Make a frame as a decoder lays it out: what says nothing is absent."""
    names = {"filename": filename, "module": module, "function": function}
    return {name: value for name, value in names.items() if value} | {"in_app": own} | more


def error(kind: str = "KeyError", value: str = "'sku'", frames: Any = None, **more: Any) -> dict[str, Any]:
    """Make the `data` of an error; `frames` oldest caller first."""
    raised: dict[str, Any] = {"type": kind, "value": value}
    if frames is not None:
        raised["stacktrace"] = {"frames": frames}
    exception = {"type": kind, "value": value, "values": [raised]}
    return {"event_id": "0" * 32, "title": f"{kind}: {value}", "level": "error", "exception": exception, **more}


def time_of(at_ms: int) -> str:
    """Write a moment as events carry it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event(number: int = 1, at_ms: int = NOW, key: str = "1:a", **more: Any) -> Event:
    """Make an event of an issue; `more` goes into `data`, but for project and environment."""
    project, environment = more.pop("project", "shop"), more.pop("environment", "prod")
    data = error(**{"release": "shop@1.0.0", **more})
    event_id = f"{number:032x}"
    data["event_id"] = event_id
    body = {"type": "sentry.error", "id": event_id, "project": project, "environment": environment, "data": data}
    return Event(
        "sentry.error", event_id, "default", project, environment, Severity.ERROR, time_of(at_ms), key, body, b"{}"
    )


def facts(number: int = 1, at_ms: int = NOW, key: str = "1:a", **more: Any) -> Facts:
    """Make the facts of such an event, at the moment it happened."""
    found = facts_of(event(number, at_ms, key, **more), at_ms)
    assert found is not None
    return found
