"""An issue as others see it: in alerts and over the API, with the names that the field uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.clock import rfc3339, rfc3339_or_none
from alertd.engine.issues import distinct
from alertd.model.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alertd.model.incident import Deploy, Incident, Suspect
    from alertd.model.issue import Issue

ISSUE: Final = "iss"
INCIDENT: Final = "inc"


def issue_document(
    issue: Issue, now_ms: int, url: str, incident: Incident | None = None, suspected: Iterable[Suspect] = ()
) -> dict[str, Any]:
    """Write an issue as it is at a time; the suspects are those of its incident, without one those that are given."""
    return {
        "id": format_id(ISSUE, issue.id),
        "short_id": issue.short_id,
        "title": issue.title,
        "level": issue.level,
        "state": issue.state_at(now_ms).word,
        "project": issue.project,
        "event_count": issue.count,
        "first_seen": rfc3339(issue.first_seen_ms),
        "last_seen": rfc3339(issue.last_seen_ms),
        "url": url,
        "suspect_commits": [suspect_document(each) for each in (incident.suspects if incident else suspected)],
        "culprit": issue.culprit,
        "user_count": distinct.count(issue.users),
        "environments": list(issue.environments),
        "releases": list(issue.releases),
        "assignee": issue.assignee or None,
        "incident": _brief(incident) if incident else None,
    }


def incident_document(incident: Incident) -> dict[str, Any]:
    """Write an incident with everything that is known of it."""
    return {
        **_brief(incident),
        "project": incident.project,
        "environment": incident.environment or None,
        "trigger": incident.cause or None,
        "severity": incident.severity,
        "url": incident.url or None,
        "score_parts": [{"name": p.name, "points": p.points, "why": p.why} for p in incident.parts],
        "issue_id": None if incident.issue_id is None else format_id(ISSUE, incident.issue_id),
        "last_event_at": rfc3339(incident.last_event_ms),
        "acknowledged_at": rfc3339_or_none(incident.acknowledged_ms),
        "acknowledged_by": incident.acknowledged_by or None,
        "resolved_at": rfc3339_or_none(incident.resolved_ms),
        "resolved_by": incident.resolved_by or None,
        "suspect_commits": [suspect_document(each) for each in incident.suspects],
        "deploys": [_deploy(each) for each in incident.deploys],
        "timeline": [
            {"at": rfc3339(m.at_ms), "what": m.what, "text": m.text, "by": m.by or None} for m in incident.timeline
        ],
        "timeline_omitted": incident.omitted,
    }


def _brief(incident: Incident) -> dict[str, Any]:
    return {
        "id": format_id(INCIDENT, incident.id),
        "kind": incident.kind.word,
        "title": incident.title,
        "state": incident.state.word,
        "score": incident.score,
        "opened_at": rfc3339(incident.opened_ms),
        "test": incident.test,
    }


def _deploy(deploy: Deploy) -> dict[str, Any]:
    return {
        "at": rfc3339(deploy.at_ms),
        "name": deploy.name,
        "environment": deploy.environment,
        "url": deploy.url,
        "revision": deploy.revision,
        "commits": [each._asdict() for each in deploy.commits],
        "commit_count": deploy.commit_count,
    }


def suspect_document(suspect: Suspect) -> dict[str, Any]:
    """Write a commit that may have done it."""
    return {
        "id": suspect.commit_id,
        "score": round(suspect.score, 3),
        "reasons": list(suspect.reasons),
        "author": suspect.author,
        "message": suspect.message,
        "url": suspect.url,
    }
