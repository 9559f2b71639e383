"""Telling: the events that alertd makes about issues and incidents, for channels that ask for these.

`issue.new`, `issue.regression` and so on for what became of an issue; `incident.opened` and `incident.resolved`, which
have the incident's id as their key, so that what tells of a problem and of its end belong together. Their ids follow from
the cause, so that what is decided again tells it once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from alertd.clock import rfc3339
from alertd.engine.issues.document import INCIDENT, incident_document
from alertd.engine.making import SOURCE, made_id, make_event
from alertd.model.event import SIMULATION
from alertd.model.ids import format_id
from alertd.model.severity import BY_WORD, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.model.event import Event
    from alertd.model.incident import Incident, Shipped
    from alertd.model.issue import Issue, Transition

FRAMES_MAX: Final = 20
"""So many frames of the error that opened an incident are told, from the crash on outwards."""
COMMITS_MAX: Final = 5
"""So many commits of the last deployment are named in words, the newest."""
SHOWN: Final = 10
"""Characters of a commit's id that people read."""
TEXT_MAX: Final = 4096
"""So much of what an exception says is told, in characters."""


def issue_told_id(kind: str, cause_id: str) -> str:
    """Return the id of the event of a type that tells what another one has made of an issue."""
    return made_id(kind, cause_id)


def incident_told_id(kind: str, workspace: str, number: int) -> str:
    """Return the id of the event of a type that tells of an incident, given its number."""
    return made_id(kind, workspace, number)


def told_of_issue(cause: Event, issue: Issue, transition: Transition, document: dict[str, Any]) -> Event:
    """Tell what an event has made of an issue, given as its document."""
    kind = f"issue.{transition.change.word}"
    return make_event(
        type=kind,
        id=issue_told_id(kind, cause.id),
        workspace=cause.workspace,
        project=cause.project,
        environment=issue.place(cause.environment),
        severity=cause.severity,
        time=cause.time,
        key=cause.key,
        message=f"{issue.short_id} {issue.title}: {transition.why}",
        data={"issue": document},
    )


def told_of_command(
    issue: Issue, transition: Transition, workspace: str, environment: str, document: dict[str, Any]
) -> Event:
    """Tell what a person has made of an issue, given as its document; `environment` is where it was seen last."""
    kind = f"issue.{transition.change.word}"
    return make_event(
        type=kind,
        id=made_id(kind, workspace, issue.id, transition.at_ms),
        workspace=workspace,
        project=issue.project,
        environment=environment,
        severity=BY_WORD.get(issue.level, Severity.ERROR),
        time=rfc3339(transition.at_ms),
        key=issue.key,
        message=f"{issue.short_id} {issue.title}: {transition.why} by {transition.by}",
        data={"issue": document},
    )


def told_of_incident(
    what: Literal["opened", "resolved"],
    incident: Incident,
    workspace: str,
    now_ms: int,
    data: Mapping[str, Any],
    issue: dict[str, Any] | None = None,
) -> Event:
    """Tell that an incident was opened, with the `data` of the event that did it, or that it is over.

    `issue` is the document of its issue.
    """
    return make_event(
        type=f"incident.{what}",
        id=incident_told_id(f"incident.{what}", workspace, incident.id),
        workspace=workspace,
        project=incident.project,
        environment=incident.environment,
        severity=BY_WORD[incident.severity],
        time=rfc3339(now_ms),
        key=format_id(INCIDENT, incident.id),
        message=_opened(incident) if what == "opened" else f"{incident.title}: {incident.timeline[-1].text}",
        data={"incident": incident_document(incident), **({"issue": issue} if issue else {}), **_crash(data)},
        source=SIMULATION if incident.test else SOURCE,
    )


def _opened(incident: Incident) -> str:
    """Say what it is, how it came, and what went live before it."""
    lines = [incident.title]
    if incident.issue_id is not None:
        lines.append(incident.timeline[-1].text)
    for deploy in incident.deploys[:1]:
        lines += [_named(commit) for commit in deploy.commits[:COMMITS_MAX]]
        others = deploy.commit_count - COMMITS_MAX
        if others > 0:
            lines.append("and 1 more commit" if others == 1 else f"and {others} more commits")
    return "\n".join(lines)


def _named(commit: Shipped) -> str:
    said = f"{commit.id[:SHOWN]} {commit.message}".rstrip()
    return f"{said}, by {commit.author}" if commit.author else said


def _crash(data: Mapping[str, Any]) -> dict[str, Any]:
    """Take from an error's `data` its title and where it crashed, within bounds."""
    exception = data.get("exception")
    if not isinstance(exception, dict):
        return {}
    values = exception.get("values")
    raised = values[-1] if isinstance(values, list) and values else None
    told: dict[str, Any] = {name: _text(exception.get(name)) for name in ("type", "value") if exception.get(name)}
    if isinstance(raised, dict):
        told["values"] = [{**_said(raised), "stacktrace": {"frames": _frames(raised.get("stacktrace"))}}]
    return {"title": _text(data.get("title")), "exception": told}


def _said(raised: Mapping[str, Any]) -> dict[str, str]:
    return {name: _text(raised[name]) for name in ("type", "value") if raised.get(name)}


def _frames(stacktrace: Any) -> list[dict[str, Any]]:
    found = stacktrace.get("frames") if isinstance(stacktrace, dict) else None
    frames = [frame for frame in found if isinstance(frame, dict)] if isinstance(found, list) else []
    kept = ("filename", "module", "function", "lineno", "in_app")
    return [{name: frame[name] for name in kept if name in frame} for frame in frames[-FRAMES_MAX:]]


def _text(value: Any) -> str:
    return value[:TEXT_MAX] if isinstance(value, str) else ""
