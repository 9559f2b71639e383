"""The built-in catalogues: event types that a workspace knows when it switches a catalogue on; a fact sheet, no behaviour.

Severity here is how bad such an event is by nature. `critical` is what somebody must look at now, and what a default
subscription tells: an app that keeps crashing, a metric alert, a failed backup, a suspended add-on; of alertd itself a
crash, a full store, a stalled intake. What is lost or needs a decision soon is an error; what changes what runs, or who
may touch it, is a warning; the rest is information.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from alertd.model.derived_type import DerivedType
from alertd.model.event_type import EventType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from alertd.model.workspace import Workspace

_Row = tuple[str, str, str, str, str]
"""(type, title, group, severity, description)"""

_PAAS: Final[tuple[_Row, ...]] = (
    ("addon_db_upgraded", "Addon database upgraded", "addons", "info", "A database add-on now runs a newer version."),
    ("addon_deleted", "Addon deleted", "addons", "warning", "An add-on was removed from the app."),
    ("addon_plan_changed", "Addon plan changed", "addons", "info", "An add-on moved to another plan."),
    ("addon_provisioned", "Addon provisioned", "addons", "info", "A new add-on is ready for the app."),
    ("addon_resumed", "Addon resumed", "addons", "info", "A suspended add-on serves the app again."),
    ("addon_suspended", "Addon suspended", "addons", "critical", "An add-on was put to sleep and serves nothing."),
    ("addon_updated", "Addon Updated", "addons", "info", "An add-on's settings were changed."),
    ("alert_added", "Alert Added", "alerts", "info", "Somebody set up a metric alert for the app."),
    ("alert_deleted", "Alert Deleted", "alerts", "warning", "A metric alert of the app was removed."),
    ("app_alert_triggered", "Alert triggered", "app", "critical", "A metric stayed beyond the limit of its alert."),
    ("app_command_ran", "App command ran", "app", "info", "Somebody ran a one-off command in the app's environment."),
    ("app_crashed", "App crashed", "crashes", "critical", "The app has crashed several times within a short while."),
    ("app_crashed_repeated", "App crashed repeated", "crashes", "error", "One more crash; sent for every single one."),
    ("app_deleted", "App deleted", "app", "warning", "The app and all that belonged to it is gone."),
    ("app_deployed", "App deployed", "deployments", "info", "A new version of the app is live."),
    ("app_edited", "App Edited", "app", "info", "The app's settings were changed."),
    ("app_project_updated", "App project updated", "app", "info", "The app was assigned to another project."),
    ("app_region_migration_started", "Region Migration Started", "app", "warning", "The app is moving to another region."),
    ("app_renamed", "App renamed", "app", "info", "The app has a new name, and so new addresses."),
    ("app_restarted", "App restarted", "app", "info", "All containers of the app were started anew."),
    ("app_scaled", "App scaled", "app", "info", "The number or the size of the app's containers changed."),
    ("app_stopped", "App stopped", "app", "warning", "No container of the app runs any longer."),
    ("app_transferred", "App transferred", "app", "warning", "The app belongs to another owner now."),
    ("collaborator_accepted", "Collaborator accepted", "collaborators", "info", "An invited person joined the app."),
    ("collaborator_invited", "Collaborator invited", "collaborators", "info", "Somebody was asked to join the app."),
    ("collaborator_removed", "Collaborator removed", "collaborators", "warning", "A person lost access to the app."),
    ("collaborator_role_changed", "Collaborator role changed", "collaborators", "warning", "A person may now do more, or less."),
    ("database_backup_failed", "Database backup failed", "databases", "critical", "A backup could not be taken."),
    ("database_backup_succeeded", "Database backup succeeded", "databases", "info", "A backup was taken and kept."),
    ("database_maintenance_completed", "Addon maintenance completed", "databases", "info", "Maintenance of a database is over."),
    ("database_maintenance_planned", "Addon maintenance planned", "databases", "warning", "A database will be maintained soon."),
    ("database_maintenance_started", "Addon maintenance started", "databases", "warning", "A database is being maintained now."),
    ("domain_added", "Domain added", "domains", "info", "The app answers to one more domain."),
    ("domain_edited", "Domain edited", "domains", "info", "A domain's settings or its certificate changed."),
    ("domain_removed", "Domain removed", "domains", "warning", "The app no longer answers to a domain."),
    ("github_link", "Github link", "source", "info", "The app was connected to a GitHub repository."),
    ("github_unlink", "Github unlink", "source", "warning", "The app is no longer connected to its GitHub repository."),
    ("notifier_added", "Notifier added", "notifiers", "info", "Somebody set up one more notifier."),
    ("notifier_edited", "Notifier edited", "notifiers", "info", "A notifier tells others, or of other things, than before."),
    ("notifier_removed", "Notifier removed", "notifiers", "warning", "A notifier was removed: it tells nobody any more."),
    ("project_created", "Project created", "project", "info", "There is a new project."),
    ("project_deleted", "Project deleted", "project", "warning", "A project is gone."),
    ("project_edited", "Project edited", "project", "info", "A project's name or settings changed."),
    ("variable_added", "Variable added", "variables", "info", "The app has one more environment variable."),
    ("variable_bulk_edited", "Variables bulk edited", "variables", "info", "Several environment variables changed at once."),
    ("variable_edited", "Variable edited", "variables", "info", "An environment variable has another value."),
    ("variable_removed", "Variable removed", "variables", "warning", "An environment variable of the app is gone."),
)  # fmt: skip
_RUNS: Final[tuple[_Row, ...]] = (
    ("run:failed", "Run failed", "runs", "error", "A run failed, and so did each of its retries."),
    ("run:cancelled", "Run cancelled", "runs", "warning", "A run was stopped before its end."),
    ("deploy:failed", "Deployment failed", "deployments", "error", "A deployment broke while it was processed."),
    ("deploy:succeeded", "Deployment succeeded", "deployments", "info", "A deployment was processed and is ready."),
)
_AGENTS: Final[tuple[_Row, ...]] = (
    ("agent_deployed", "Agent deployed", "agents", "info", "A version of an agent is live."),
    ("agent_stopped", "Agent stopped", "agents", "warning", "An agent no longer runs."),
    ("backup_agent_queued", "Backup agent queued", "agents", "info", "A stand-in for an agent waits for its turn."),
    ("agent_hub_published", "Agent published", "agents", "info", "An agent can be found in the hub by others."),
    ("workspace_invitation_accepted", "Invitation accepted", "collaborators", "info", "An invited person joined the workspace."),
    ("agent.budget_paused", "Agent paused by its budget", "budget", "error", "An agent used up its budget and rests."),
    ("agent.budget_updated", "Agent budget updated", "budget", "info", "An agent may spend more, or less, than before."),
)  # fmt: skip
_ALERTD: Final[tuple[_Row, ...]] = (
    ("alertd.started", "alertd started", "alertd", "info", "The daemon is up and takes events."),
    ("alertd.crashed", "alertd crashed", "alertd", "critical", "The daemon ended without a stop; found at the next start."),
    ("alertd.destination_disabled", "Destination disabled", "alertd", "error", "Nothing more is sent there until it is enabled."),
    ("alertd.destination_failing", "Destination failing", "alertd", "error", "Attempt after attempt fails there."),
    ("alertd.delivery_dead", "Delivery dead", "alertd", "error", "A delivery was given up; it can be replayed."),
    ("alertd.intake_stalled", "Intake stalled", "alertd", "critical", "Events wait and none is taken in."),
    ("alertd.store_full", "Store full", "alertd", "critical", "The store cannot write: nothing new is accepted."),
    ("alertd.reload_failed", "Reload failed", "alertd", "error", "A changed configuration was refused; the old one goes on."),
    ("alertd.silence_expiring", "Silence expiring", "alertd", "warning", "A silence is about to end."),
)  # fmt: skip


def _types(rows: Iterable[_Row]) -> tuple[EventType, ...]:
    return tuple(
        EventType(name=name, title=title, group=group, severity=severity, description=description)
        for name, title, group, severity, description in rows
    )


@cache
def catalogue(name: str) -> tuple[EventType, ...]:
    """Every type of a built-in catalogue (`paas`, `runs`, `agents`, `alertd`)."""
    return _types({"paas": _PAAS, "runs": _RUNS, "agents": _AGENTS, "alertd": _ALERTD}[name])


APP_CRASHED: Final = DerivedType(
    name="app_crashed",
    title="App crashed",
    type="app_crashed",
    types=("app_crashed_repeated",),
    occurrences=(2, 5, 12),
)
"""Comes with `paas`: once each on the 2nd, the 5th and the 12th crash of a project."""


def derived_types(workspace: Workspace) -> tuple[DerivedType, ...]:
    """A workspace's derived types with the built-in ones; its own of the same name stand in their place."""
    own = {derived.name for derived in workspace.derived_types}
    built_in = [APP_CRASHED] if "paas" in workspace.catalogues else []
    return (*(each for each in built_in if each.name not in own), *workspace.derived_types)


def known_types(workspace: Workspace) -> Mapping[str, EventType]:
    """Every type that a workspace knows by name, its own over those of its catalogues, field by field."""
    known = {each.name: each for name in workspace.catalogues for each in catalogue(name)}
    for own in workspace.event_types:
        base = known.get(own.name)
        known[own.name] = own if base is None else _over(base, own)
    return known


def _over(base: EventType, own: EventType) -> EventType:
    said = {name: value for name, value in own if value not in ("", None)}
    return base.model_copy(update=said)


def groups(known: Mapping[str, EventType]) -> Mapping[str, tuple[str, ...]]:
    """Every group with its types."""
    found: dict[str, list[str]] = {}
    for each in known.values():
        if each.group is not None:
            found.setdefault(each.group, []).append(each.name)
    return {group: tuple(sorted(names)) for group, names in found.items()}
