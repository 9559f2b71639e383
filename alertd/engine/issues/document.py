"""An issue as others see it: in alerts and over the API, with the names that the field uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.clock import rfc3339
from alertd.engine.issues import distinct
from alertd.model.ids import format_id

if TYPE_CHECKING:
    from alertd.model.incident import Incident, Suspect
    from alertd.model.issue import Issue

ISSUE: Final = "iss"
INCIDENT: Final = "inc"


def issue_document(issue: Issue, now_ms: int, url: str, incident: Incident | None = None) -> dict[str, Any]:
    """Write an issue as it is at a time; the suspects are those of its incident."""
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
        "suspect_commits": [suspect_document(each) for each in incident.suspects] if incident else [],
        "culprit": issue.culprit,
        "user_count": distinct.count(issue.users),
        "environments": list(issue.environments),
        "releases": list(issue.releases),
        "assignee": issue.assignee or None,
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
