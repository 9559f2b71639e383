"""The issue that a message is about: that of the alert, else the one of which an event of alertd's own tells. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.destinations.loose import object_in
from alertd.model.event import SIMULATION

if TYPE_CHECKING:
    from alertd.destinations.base import Message

_OWN: Final = frozenset({"alertd", SIMULATION})
_KINDS: Final = ("issue.", "incident.")


def issue_of(message: Message) -> dict[str, Any]:
    """Give the issue as it stands in the API; empty when there is none."""
    if message.issue:
        return object_in(message.issue)
    if not message.event_type.startswith(_KINDS):
        return {}
    event = object_in(message.event)
    data = event.get("data") if event.get("source") in _OWN else None
    issue = data.get("issue") if isinstance(data, dict) else None
    return issue if isinstance(issue, dict) else {}
