"""News: what events that bear no issue say to a batch: changes, incidents that others report, doings in Sentry.

| event | becomes |
|---|---|
| tells of a change | an entry of the project's change log; of a deployment or a push an incident that informs, and is over at once |
| reports an incident | an incident; one more entry of it while it is open |
| says what became of an issue in Sentry | the same of our issue; with a trigger an incident, as of an error; one that came back or escalates there begins here |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alertd.engine.issues.change_log import is_repeat, known_in
from alertd.engine.issues.change_reports import change_of, is_news, release_of, tells_change
from alertd.engine.issues.changes import LOOK_BACK_MS, is_same_place
from alertd.engine.issues.facts import bears_issue
from alertd.engine.issues.incidents import again, explain, heed, note_deploy, open_for_deploy, open_for_report
from alertd.engine.issues.reporting import is_report, report_of
from alertd.engine.issues.upstream import facts_of_upstream, is_upstream, obey, upstream_of
from alertd.model.change import ChangeKind
from alertd.model.event import is_simulated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from alertd.engine.issues.batch import IssueBatch
    from alertd.engine.issues.incidents import Report
    from alertd.engine.issues.upstream import Upstream
    from alertd.model.change import Change
    from alertd.model.event import Event
    from alertd.model.incident import Incident
    from alertd.model.issue import Issue, Transition


@dataclass(slots=True)
class News:
    """What became of one event: the incidents that it opened, and of an issue of ours what it now is, and how it came so.

    `ended` is the incident that was resolved with its issue.
    """

    opened: list[Incident] = field(default_factory=list)
    ended: Incident | None = None
    issue: Issue | None = None
    transition: Transition | None = None


def concerns(body: Mapping[str, Any]) -> bool:
    """Tell whether an event has anything to say to issues or incidents; most have not."""
    data = body.get("data")
    if data is None or not ("title" in data or "repository" in data or "change_window" in data or "issue_id" in data):
        return False
    return bears_issue(body) or tells_change(body) or is_report(body) or is_upstream(body)


def take(batch: IssueBatch, event: Event, workspace_id: int, number: int, now_ms: int) -> News:
    """Let a batch take note of what an event says, which has the number `number`."""
    news = News()
    change = change_of(event, now_ms)
    if change is not None and not is_simulated(event.payload):
        is_new = _take_change(batch, change, workspace_id, number, now_ms, news)
        if is_new and change.kind is ChangeKind.RELEASE:
            _see_release(batch, release_of(event), change, workspace_id)
    report = report_of(event, workspace_id)
    if report is not None:
        _take_report(batch, report, change, number, now_ms, news)
    upstream = upstream_of(event)
    if upstream is not None:
        _take_upstream(batch, upstream, event, workspace_id, number, now_ms, news)
    return news


def _take_change(batch: IssueBatch, change: Change, workspace_id: int, number: int, now_ms: int, news: News) -> bool:
    """Note a change; False when it was known."""
    log = batch.log(workspace_id, change.project)
    if is_repeat(log, change):
        return False
    is_told = known_in(log, change) is not None
    batch.note_change(number, workspace_id, change, now_ms)
    if change.kind.is_live and not is_told:
        for incident in [*batch.open_incidents(workspace_id, change.project)]:
            if change.at_ms >= incident.opened_ms and is_same_place(change.environment, incident.environment):
                batch.incidents[incident.id] = note_deploy(incident, change)
    if is_news(change):
        log = batch.log(workspace_id, change.project)
        told = known_in(log, change) or change  # when it went live says who told it first
        opened = batch.open(open_for_deploy(number, workspace_id, told, now_ms, log))
        if opened is not None:
            news.opened.append(opened)
    return True


def _see_release(batch: IssueBatch, release: str, change: Change, workspace_id: int) -> None:
    if release and batch.takes_project(workspace_id, change.project):
        batch.ledger(workspace_id, change.project).see_release(release, change.at_ms)


def _take_report(
    batch: IssueBatch, report: Report, change: Change | None, number: int, now_ms: int, news: News
) -> None:
    where = (report.environment, report.key, report.test)
    log, seen_ms = _looked_at(batch, report, change, now_ms)
    for incident in batch.open_incidents(report.workspace_id, report.project):
        if incident.issue_id is None and (incident.environment, incident.key, incident.test) == where:
            known = incident
            if change is not None and change.at_ms <= incident.opened_ms:
                known = explain(incident, report, log, min(seen_ms, incident.opened_ms))
            batch.incidents[incident.id] = again(known, report, now_ms)
            return
    opened = batch.open(open_for_report(number, report, log, now_ms, seen_ms))
    if opened is not None:
        news.opened.append(opened)


def _looked_at(batch: IssueBatch, report: Report, change: Change | None, now_ms: int) -> tuple[Sequence[Change], int]:
    """Say which change log explains a report, and as of when.

    Nothing but its own change window explains a simulated one, and one of a time that the project's log has forgotten.
    """
    own = () if change is None else (change,)
    if now_ms - report.at_ms > LOOK_BACK_MS:
        return own, report.at_ms
    return own if report.test else batch.log(report.workspace_id, report.project), now_ms


def _take_upstream(
    batch: IssueBatch, upstream: Upstream, event: Event, workspace_id: int, number: int, now_ms: int, news: News
) -> None:
    issue = batch.known((workspace_id, event.project, event.key))
    if issue is None and upstream.is_alarm:
        facts = facts_of_upstream(event, now_ms)
        issue = batch.begin(facts, workspace_id, event.project, number, now_ms)
        if issue is not None:
            issue.state = upstream.before
    if issue is None:
        return
    found, transition = obey(issue, upstream, batch.ledger(workspace_id, event.project), now_ms)
    if transition is None:
        return
    batch.put(found)
    batch.transitions.append((number, transition))
    news.issue, news.transition = found, transition
    incident = None if found.incident_id is None else batch.incident(found.incident_id)
    if incident is None or incident.is_over:
        opened = batch.incident_for(found, transition, event, number)
        news.opened += () if opened is None else (opened,)
        return
    heeded = batch.incidents[incident.id] = heed(incident, found, transition)
    if heeded.is_over:
        found.incident_id, news.ended = None, heeded
