"""Dangling references: what resources name and a snapshot does not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.resources.joined_groups import group_of, groupless
from alertd.resources.kinds import KINDS, referred

if TYPE_CHECKING:
    from alertd.resources.entry import Entry
    from alertd.resources.snapshot import Snapshot


def dangling(snapshot: Snapshot) -> list[tuple[Entry, str, str]]:
    """Return the references that lead nowhere: the entry, its field, the missing name."""
    references = [
        (entry, name, missing)
        for workspace in snapshot.workspace_names()
        for kind in KINDS
        for name, noun in kind.references
        for entry in snapshot.entries(kind.word, workspace)
        for missing in referred(entry.model, name)
        if not snapshot.knows(noun, workspace, missing)
    ]
    joining = [entry for each in snapshot.workspaces() for entry in groupless(snapshot, each)]
    return [*references, *((entry, "pattern", str(group_of(entry))) for entry in joining)]
