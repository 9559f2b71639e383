"""Incidents: what opens one, what is noted in it, what ends it. Every function returns a new value, None where nothing is.

An issue has at most one open incident: what happens to the issue meanwhile is an entry of its timeline, not another
incident. An incident is resolved by hand, with its issue (so that a regression opens another), by a merge into an issue that
has another one or is resolved, or by quiet, when its issue was not seen for a while and does not spike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from alertd.engine.issues.changes import candidates, deploy_of, deploys
from alertd.engine.issues.distinct import count
from alertd.engine.issues.score import parts_of
from alertd.engine.issues.suspects import suspects
from alertd.model.incident import TIMELINE_HEAD, TIMELINE_MAX, Incident, IncidentKind, IncidentState, Moment
from alertd.model.issue import Change as IssueChange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from alertd.model.change import Change
    from alertd.model.incident import Deploy, Suspect
    from alertd.model.issue import Issue, Transition
    from alertd.model.subscription import Trigger

QUIET_MS: Final = 30 * 60_000
"""After so long without an event an incident is over, in milliseconds."""
TITLE_MAX: Final = 300
"""Greatest length of a title, in characters."""

FOLLOWS_MS: Final = 30 * 60_000
"""So long after a deployment what is new, came back or spikes is put down to it, in milliseconds."""
OPEN_MAX: Final = 1_000
"""Greatest number of incidents that are open at once in a workspace; beyond it none is opened there, which is counted."""

Environments = frozenset[str] | None
"""The environments where something opens an incident: None: in none; empty: in all."""


@dataclass(frozen=True, slots=True)
class IncidentRule:
    """What opens an incident, and in which environments; after how much quiet it is over, in milliseconds.

    `follows_ms` is how long after a deployment what is new, came back or spikes opens one wherever it was deployed to.
    """

    new: Environments = frozenset({"prod", "production"})
    regression: Environments = frozenset()
    spike: Environments = frozenset()
    unmuted: Environments = None
    quiet_ms: int = QUIET_MS
    follows_ms: int = FOLLOWS_MS

    def opens(self, trigger: Trigger, environment: str) -> bool:
        """Tell whether a trigger opens an incident there, in whatever case the environment is written."""
        chosen: Environments = getattr(self, trigger)
        return chosen is not None and (not chosen or environment.casefold() in {each.casefold() for each in chosen})


STANDARD: Final = IncidentRule()
"""What holds when nothing was said."""


def open_for_issue(
    incident_id: int,
    issue: Issue,
    transition: Transition,
    environment: str,
    data: Mapping[str, Any],
    log: Sequence[Change],
) -> Incident:
    """Open the incident of a transition that has a trigger, with the `data` of the event and the project's change log."""
    now_ms, trigger = transition.at_ms, transition.change.trigger
    shown = deploys(log, now_ms, environment)
    since = f", {(now_ms - shown[0].at_ms) // 60_000} min after {shown[0].name} went live" if shown else ""
    factor = issue.traffic.factor if issue.traffic is not None else 1.0
    suspected = suspects(data, candidates(log, now_ms, environment), now_ms)
    timeline = [Moment(deploy.at_ms, "deploy", f"{deploy.name} went live") for deploy in reversed(shown)]
    timeline.append(Moment(now_ms, "opened", f"{issue.short_id}: {transition.why}{since}"))
    return Incident(
        incident_id,
        issue.workspace_id,
        issue.project,
        environment,
        IncidentKind.ISSUE,
        _title(issue, transition, environment),
        now_ms,
        now_ms,
        issue_id=issue.id,
        cause=trigger or "",
        key=issue.key,
        parts=parts_of(issue.level, trigger, factor, count(issue.users), shown),
        suspects=suspected,
        deploys=shown,
        timeline=tuple(timeline),
    )


def open_for_deploy(
    incident_id: int, workspace_id: int, change: Change, now_ms: int, log: Sequence[Change] = ()
) -> Incident:
    """Open the incident of a deployment or a push: it informs, and is over at once. `log` has the change itself."""
    where = f" to {change.environment}" if change.environment else ""
    what = change.name or change.revision[:12] or change.kind.word
    title = f"{change.project}: {what} {'went live' if change.kind.is_live else 'was pushed'}{where}".strip()
    text = f"{change.kind.word} by {change.author}" if change.author else change.kind.word
    return Incident(
        incident_id,
        workspace_id,
        change.project,
        change.environment,
        IncidentKind.DEPLOY,
        title[:TITLE_MAX],
        now_ms,
        now_ms,
        IncidentState.RESOLVED,
        key=change.key,
        url=change.url,
        deploys=(_brought(change, log, now_ms),),
        timeline=(Moment(change.at_ms, "deploy", text),),
        resolved_ms=now_ms,
        severity="info",
    )


def _brought(change: Change, log: Sequence[Change], now_ms: int) -> Deploy:
    """Show a change with its commits: those that it names, else those that the log says it brought, pushed since or not."""
    if change.kind.is_live:
        for at_ms in (now_ms, change.at_ms):
            for each in deploys(log, at_ms, change.environment):
                if (each.at_ms, each.revision) == (change.at_ms, change.revision):
                    return each
    return deploy_of(change, change.commits)


@dataclass(frozen=True, slots=True)
class Report:
    """An incident that somebody else reports, or simulates: where, what, how bad (Sentry's level), and the error.

    `at_ms` is when it says that this happened.
    """

    workspace_id: int
    project: str
    environment: str
    key: str
    title: str
    level: str
    data: Mapping[str, Any]
    url: str = ""
    test: bool = False
    severity: str = "error"
    at_ms: int = 0


def open_for_report(
    incident_id: int, report: Report, log: Sequence[Change], now_ms: int, seen_ms: int | None = None
) -> Incident:
    """Open an incident that was reported; `log` has the change window that came with it.

    `seen_ms` is as of when the log is looked at; None: now.
    """
    seen_ms = now_ms if seen_ms is None else seen_ms
    shown = deploys(log, seen_ms, report.environment)
    kind = IncidentKind.SIMULATED if report.test else IncidentKind.REPORTED
    return Incident(
        incident_id,
        report.workspace_id,
        report.project,
        report.environment,
        kind,
        report.title[:TITLE_MAX],
        now_ms,
        now_ms,
        key=report.key,
        url=report.url,
        parts=parts_of(report.level, None, 1.0, 0, shown),
        suspects=suspects(report.data, candidates(log, seen_ms, report.environment), seen_ms),
        deploys=shown,
        timeline=(Moment(now_ms, "opened", kind.word),),
        test=report.test,
        severity=report.severity,
    )


def again(incident: Incident, report: Report, now_ms: int) -> Incident:
    """Note that an incident which is open was reported once more; the score is that of the worst it was."""
    noted = _noted(incident, Moment(now_ms, "reported", report.title[:TITLE_MAX]))
    parts = parts_of(report.level, None, 1.0, 0, incident.deploys)
    worse = sum(part.points for part in parts) > sum(part.points for part in incident.parts)
    return replace(noted, parts=parts if worse else incident.parts, last_event_ms=now_ms)


def explain(incident: Incident, report: Report, log: Sequence[Change], seen_ms: int) -> Incident:
    """Explain an incident anew by a log that says more than at its opening; what it knew better is kept."""
    found = suspects(report.data, candidates(log, seen_ms, report.environment), seen_ms)
    better = max(incident.suspects, found, key=_scores)
    shown = max(incident.deploys, deploys(log, seen_ms, report.environment), key=_told)
    return replace(incident, suspects=better, deploys=shown)


def _scores(found: Sequence[Suspect]) -> list[float]:
    return [each.score for each in found]


def _told(shown: Sequence[Deploy]) -> tuple[int, int]:
    """How much deployments say: how many they are, and with how many commits."""
    return len(shown), sum(each.commit_count for each in shown)


def follow(incident: Incident, issue: Issue, transition: Transition) -> Incident:
    """Note what became of the issue of an incident that is open; the score is that of the worst it was."""
    trigger = transition.change.trigger
    noted = _noted(incident, Moment(transition.at_ms, transition.change.word, transition.why, transition.by))
    if trigger is None:
        return noted
    factor = issue.traffic.factor if issue.traffic is not None else 1.0
    parts = parts_of(issue.level, trigger, factor, count(issue.users), incident.deploys)
    worse = sum(part.points for part in parts) > sum(part.points for part in incident.parts)
    return replace(noted, parts=parts if worse else incident.parts, last_event_ms=transition.at_ms)


def note_deploy(incident: Incident, change: Change) -> Incident:
    """Note what went live while an incident is open, in its environment: it may be the remedy."""
    return _noted(incident, Moment(change.at_ms, "deploy", f"{change.name or change.revision[:12]} went live"))


def acknowledge(incident: Incident, now_ms: int, by: str) -> Incident | None:
    """Acknowledge it; None when it is acknowledged or over already."""
    if incident.state is not IncidentState.OPEN:
        return None
    noted = _noted(incident, Moment(now_ms, "acknowledged", "acknowledged", by))
    return replace(noted, state=IncidentState.ACKNOWLEDGED, acknowledged_ms=now_ms, acknowledged_by=by)


def heed(incident: Incident, issue: Issue, transition: Transition) -> Incident:
    """Note in an incident that is open what somebody did to its issue: with the issue it is resolved."""
    if transition.change is IssueChange.RESOLVED:
        return _resolved(incident, transition.at_ms, f"{issue.short_id} was {transition.why}", transition.by)
    return follow(incident, issue, transition)


def resolve(incident: Incident, now_ms: int, by: str, why: str = "resolved") -> Incident | None:
    """Resolve it by hand, or because its issue was merged, as `why` says; None when it is over already."""
    return None if incident.is_over else _resolved(incident, now_ms, why, by)


def settle(incident: Incident, issue: Issue | None, now_ms: int, rule: IncidentRule = STANDARD) -> Incident | None:
    """Resolve it by quiet; None when it is over already, or not quiet yet. `issue` is its issue as it now is.

    One that is no longer its issue's own was brought by a merge, and left open when the daemon was killed behind that.
    """
    if incident.is_over:
        return None
    if issue is not None:
        if issue.incident_id != incident.id:
            return _resolved(incident, now_ms, f"merged into {issue.short_id}", "")
        if issue.traffic is not None and issue.traffic.spiking:
            return None
        incident = replace(incident, last_event_ms=max(incident.last_event_ms, issue.arrived_ms))
    quiet_ms = now_ms - incident.last_event_ms
    if quiet_ms < rule.quiet_ms:
        return None
    return _resolved(incident, now_ms, f"quiet for {quiet_ms // 60_000} minutes", "")


def _resolved(incident: Incident, now_ms: int, why: str, by: str) -> Incident:
    noted = _noted(incident, Moment(now_ms, "resolved", why, by))
    return replace(noted, state=IncidentState.RESOLVED, resolved_ms=now_ms, resolved_by=by)


def _noted(incident: Incident, moment: Moment) -> Incident:
    """Add to the timeline; a full one loses its oldest entry behind the first ones."""
    timeline, omitted = (*incident.timeline, moment), incident.omitted
    if len(timeline) > TIMELINE_MAX:
        timeline, omitted = timeline[:TIMELINE_HEAD] + timeline[TIMELINE_HEAD + 1 :], omitted + 1
    return replace(incident, timeline=timeline, omitted=omitted)


def _title(issue: Issue, transition: Transition, environment: str) -> str:
    where = f" in {environment}" if environment else ""
    return f"{issue.short_id} {transition.change.word}{where}: {issue.title}"[:TITLE_MAX]
