"""Groups of event types, and the channels that join one: a channel whose group has no type could not be made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from alertd.model.catalogue import groups, known_types
from alertd.model.channel import Channel, ChannelKind
from alertd.resources.kinds import CHANNEL, EVENT_TYPE, WORKSPACE

if TYPE_CHECKING:
    from alertd.model.event_type import EventType
    from alertd.model.fields import Resource
    from alertd.model.workspace import Workspace, WorkspaceSettings
    from alertd.resources.entry import Entry
    from alertd.resources.kinds import Kind
    from alertd.resources.snapshot import Snapshot


def group_of(entry: Entry) -> str | None:
    """Return the group that a channel joins; None for every other one."""
    channel = cast("Channel", entry.model)
    return channel.pattern if channel.kind is ChannelKind.GROUP else None


def groupless(snapshot: Snapshot, workspace: Workspace) -> list[Entry]:
    """Return the channels that join a group of which a workspace, as it is given, knows no type."""
    joining = [entry for entry in snapshot.entries(CHANNEL.word, workspace.name) if group_of(entry) is not None]
    known = groups(known_types(workspace)) if joining else {}
    return [entry for entry in joining if group_of(entry) not in known]


def stranded(snapshot: Snapshot, kind: Kind, key: tuple[str, str], after: Resource | None) -> list[Entry]:
    """Return the channels whose group has its last type taken by a change.

    The resource with the `key` (workspace, name) becomes `after` (None: it goes).
    """
    if kind not in (EVENT_TYPE, WORKSPACE):
        return []
    workspace = snapshot.workspace(key[0])
    known = {entry.key for entry in groupless(snapshot, workspace)}
    return [entry for entry in groupless(snapshot, _changed(workspace, kind, key[1], after)) if entry.key not in known]


def _changed(workspace: Workspace, kind: Kind, name: str, after: Resource | None) -> Workspace:
    if kind is WORKSPACE:
        return workspace.model_copy(update={"catalogues": cast("WorkspaceSettings", after).catalogues})
    others = [each for each in workspace.event_types if each.name != name]
    own = [] if after is None else [cast("EventType", after)]
    return workspace.model_copy(update={"event_types": (*others, *own)})
