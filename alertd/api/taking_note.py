"""Taking note: an alert is acknowledged, and with the one that tells of an incident the incident."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.deeds import acting
from alertd.engine.issues import incidents
from alertd.engine.issues.document import INCIDENT
from alertd.engine.making import SOURCE
from alertd.model import ids
from alertd.model.event import SIMULATION
from alertd.resources.change import Noted
from alertd.store.base import Acknowledgement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from alertd.api.context import Context
    from alertd.model.incident import Incident

_OPENED: Final = "incident.opened"


async def take_note(context: Context, row: Mapping[str, Any], workspace: str, by: str) -> None:
    """Acknowledge the alert of a row; who was first is kept, and stands in the audit log.

    Raises IntakeFullError and StoreUnavailableError; asking again does what is left to be done.
    """
    number, now_ms = row["number"], context.clock.now_ms()
    noted = Noted("acknowledged", ("alert", workspace, ids.format_id(ids.ALERT, number)), None, None)
    await context.store.acknowledge(number, Acknowledgement(by, now_ms), [context.registry.line(by, noted)])
    told = _told(row)
    incident = None if told is None else await context.store.incident(told)
    if incident is not None and incident.workspace_id == row["workspace_id"]:
        await carry_out(context, incident, workspace, by, "acknowledged", incidents.acknowledge)


async def carry_out(
    context: Context,
    incident: Incident,
    workspace: str,
    by: str,
    word: str,
    act: Callable[[Incident, int, str], Incident | None],
) -> Incident | None:
    """Do to an incident what a person decided; return it as it is then, None when nothing has changed.

    `word` is for the audit log, `act` what it makes of the incident. Raises as `take_note`.
    """
    done: list[Incident] = []
    noted = Noted(word, ("incident", workspace, ids.format_id(INCIDENT, incident.id)), None, None)

    def change(known: Incident) -> Incident | None:
        return act(known, context.clock.now_ms(), by)

    await context.pipeline.do(acting(incident, change, done, lambda: context.registry.line(by, noted)))
    return done[0] if done else None


def _told(row: Mapping[str, Any]) -> int | None:
    """Return the number of the incident that an alert tells of, which alertd itself wrote; None when it tells of none."""
    if row["type"] != _OPENED:
        return None
    event = orjson.loads(row["payload"])
    return ids.parse_id(INCIDENT, event["key"]) if event.get("source") in {SOURCE, SIMULATION} else None
