"""Whom destinations that write to people reach, and which take issues only: what the engine cannot see in their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.destinations.base import Particular, Reaching
from alertd.destinations.people import People
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.engine.ruleset import Reach

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.destinations.mail_server import MailServer
    from alertd.model.workspace import LearntProject, Workspace


def people_of(workspace: Workspace, project: LearntProject | None = None) -> People:
    """Say who belongs to a project (None: to none, or to one that nobody knows); its owner may be the workspace's."""
    if project is None:
        return People(workspace.owner)
    return People(project.owner or workspace.owner, project.collaborators)


def reach_of(workspaces: Sequence[Workspace], mail: MailServer) -> Reach:
    """Say where destinations that depend on settings and people reach anybody, and which take issues only."""
    issues_only: set[tuple[str, str]] = set()
    projects: dict[tuple[str, str], frozenset[str]] = {}
    for workspace in workspaces:
        people = {project.name: people_of(workspace, project) for project in workspace.projects}
        for destination in workspace.destinations:
            kind = REGISTRY[destination.type]
            if not isinstance(kind, (Reaching, Particular)):
                continue
            settings = parse_settings(destination.type, destination.settings)
            if isinstance(kind, Particular) and kind.needs_issue(settings):
                issues_only.add((workspace.name, destination.name))
            if isinstance(kind, Reaching) and not kind.reaches(settings, mail, people_of(workspace)):
                reached = (name for name, own in people.items() if kind.reaches(settings, mail, own))
                projects[workspace.name, destination.name] = frozenset(reached)
    return Reach(projects, frozenset(issues_only))
