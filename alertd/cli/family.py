"""The family of a stored event: in the place of each event that it made what was decided about that one, and so on."""

from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from alertd.cli.client import Client

FAMILY_MAX: Final = 20
"""So many events are asked for; those beyond stand there by their names alone."""


def with_family(client: "Client", workspace: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return an event's page with the pages of what it made, and of what that made. Raises what the client raises."""
    head = dict(found)
    waiting, room = deque([head]), FAMILY_MAX
    while waiting:
        page, relatives = waiting.popleft(), []
        for named in page.get("made", ()):
            shown = _page(client, workspace, named["id"]) if room else None
            room -= 1 if room else 0
            if shown is not None:
                waiting.append(shown)
            relatives.append(shown or named)
        page["made"] = relatives
    return head


def _page(client: "Client", workspace: str, event_id: str) -> dict[str, Any] | None:
    from alertd.cli.client import below

    return client.find(below(workspace, "events", event_id), ("verdicts",))
