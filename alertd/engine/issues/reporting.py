"""Reports: incidents that others report, or that are simulated, read from their events.

They are told by how `alertd.sources.incident` lays them out, or by the type that it gives: an endpoint may rename the
type, and a producer may report by a native event of the type `incident.reported` whose `data` has a title and a level.
What has no key of its own is told apart by its title, without the numbers in it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from alertd.engine.issues.facts import LEVELS, bears_issue, said_ms
from alertd.engine.issues.incidents import Report
from alertd.engine.issues.parameters import parameterise
from alertd.model.event import KEY_MAX, is_simulated
from alertd.model.incident import REPORTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.model.event import Event

_ID: Final = re.compile(r"incident-[0-9a-f]{32}", re.ASCII)


def is_report(body: Mapping[str, Any]) -> bool:
    """Tell whether an event reports an incident."""
    data = body.get("data")
    if data is None or "title" not in data or bears_issue(body):
        return False
    level = data.get("level")
    if type(level) is not str or level not in LEVELS:
        return False
    return body["type"] == REPORTED or _ID.fullmatch(body.get("id", "")) is not None


def report_of(event: Event, workspace_id: int) -> Report | None:
    """Read a report; None when the event is none. Never raises, whatever `data` holds."""
    if not is_report(event.body):
        return None
    data = event.body["data"]
    title = data["title"] if isinstance(data["title"], str) and data["title"] else event.type
    return Report(
        workspace_id,
        event.project,
        event.environment,
        event.key if event.key != event.type else parameterise(title)[:KEY_MAX],
        title,
        data["level"],
        data,
        event.body.get("url", ""),
        is_simulated(event.payload),
        event.severity.word,
        said_ms(event.time),
    )
