"""Deeds: what people and time do to issues and incidents, in the order of the events, stored with what tells of it.

A person's deed is in the log of changes if it is done, and only then: the line is stored with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alertd.engine.issues.commands import rest
from alertd.engine.issues.incidents import settle
from alertd.errors import ConflictError
from alertd.weighing import Deed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.engine.issues.commands import Outcome
    from alertd.engine.plan import Made
    from alertd.model.incident import Incident
    from alertd.model.issue import Issue
    from alertd.model.ledger import Ledger
    from alertd.store.resource import AuditEntry
    from alertd.weighing import IssuesUnderWay


def settling(incidents: Sequence[Incident], now_ms: int) -> Deed:
    """Let time pass for open incidents and their issues: a spike ends by quiet, an incident by more of it."""

    def act(under_way: IssuesUnderWay) -> list[Made]:
        batch, made = under_way.issues, []
        for each in incidents:
            incident = batch.incident(each.id)
            if incident is None or incident.is_over:
                continue
            issue = None if incident.issue_id is None else batch.look(incident.issue_id)
            rested = None if issue is None else rest(issue, now_ms)
            if rested is not None and rested is not issue:
                batch.put(rested)
            if (settled := settle(incident, rested, now_ms, under_way.rules(incident.workspace_id))) is not None:
                made.append(_ended(under_way, settled))
        return [each for each in made if each is not None]

    return Deed(act, tuple(each.issue_id for each in incidents if each.issue_id is not None))


def _ended(under_way: IssuesUnderWay, incident: Incident) -> Made | None:
    """Take note that an incident is over; return the event that tells of it."""
    batch = under_way.issues
    batch.incidents[incident.id] = incident
    issue = None if incident.issue_id is None else batch.issue(incident.issue_id)
    if issue is not None and issue.incident_id == incident.id:
        issue.incident_id = None
    return under_way.tell("resolved", incident)


Act = Callable[["Issue", "Ledger", int], "Outcome"]
"""What a command makes of an issue, given its project's ledger and the time; may raise ConflictError."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a person decides about an issue: what it makes of it, and where; the number of its transition, and its line.

    `take` takes that number, `line` writes the line of the log of changes about the issue as it is then.
    """

    act: Act
    environment: str
    take: Callable[[], int]
    line: Callable[[Issue], AuditEntry]


def commanding(issue: Issue, command: Command, done: list[Outcome | ConflictError]) -> Deed:
    """Do to an issue what a person decided; `done` then has the outcome, or why it cannot be.

    It has nothing when the issue is no more: it was merged meanwhile.
    """

    def do(under_way: IssuesUnderWay) -> list[Made]:
        done.clear()
        batch = under_way.issues
        known = batch.look(issue.id)
        if known is None:
            return []
        try:
            found, transition = command.act(known, batch.ledger(known.workspace_id, known.project), under_way.now_ms)
        except ConflictError as error:
            done.append(error)
            return []
        made: list[Made] = []
        if transition is not None:
            batch.put(found)
            batch.transitions.append((command.take(), transition))
            under_way.audit.append(command.line(found))
            made = under_way.commanded(found, transition, command.environment)
        done.append((found.copy(), transition))  # for whoever asked: the batches that follow change their own
        return made

    return Deed(do, (issue.id,), ((issue.workspace_id, issue.project),))


def acting(
    incident: Incident,
    act: Callable[[Incident], Incident | None],
    done: list[Incident],
    line: Callable[[], AuditEntry] | None = None,
) -> Deed:
    """Do to an open incident what a person decided; `done` then has it as it is, if anything has changed.

    `line` writes the line of the log of changes, of which merging, that ends incidents too, has its own.
    """

    def do(under_way: IssuesUnderWay) -> list[Made]:
        done.clear()
        known = under_way.issues.incident(incident.id)
        changed = None if known is None else act(known)
        if changed is None:
            return []
        done.append(changed)
        if line is not None:
            under_way.audit.append(line())
        if changed.is_over:
            told = _ended(under_way, changed)
            return [] if told is None else [told]
        under_way.issues.incidents[changed.id] = changed
        return []

    return Deed(do, () if incident.issue_id is None else (incident.issue_id,))
