"""Commands: what people decide about an issue. Each returns the issue as it then is, and what became of it.

None of them changes what it is given. Doing what is done already changes nothing and returns no transition, so that
whoever repeats a command alerts nobody twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.engine.issues.lifecycle import calm, change
from alertd.engine.issues.release import newer
from alertd.engine.issues.spike import Signal, accept, settle
from alertd.errors import ConflictError
from alertd.model.issue import Change, How, Mute, Resolution, State, Transition

if TYPE_CHECKING:
    from alertd.model.issue import Issue
    from alertd.model.ledger import Ledger

Outcome = tuple["Issue", Transition | None]
"""The issue afterwards, and what became of it."""


def resolve(issue: Issue, how: How, release: str, ledger: Ledger, now_ms: int, by: str) -> Outcome:
    """Resolve it: now, in `release`, or in the release after the newest that its project knows.

    Raises ConflictError where a release is needed and none is known.
    """
    named = {How.NOW: "", How.IN_RELEASE: release, How.IN_NEXT_RELEASE: newest_release(ledger)}[how]
    if how is How.IN_RELEASE and not named:
        raise ConflictError("to resolve it in a release, the release is needed")
    if how is How.IN_NEXT_RELEASE and not named:
        raise ConflictError(f"no release of {issue.project or 'its project'} is known, so there is no next one")
    known = issue.resolution
    if issue.state is State.RESOLVED and known is not None and known[:2] == (how, named):
        return issue, None
    found = issue.copy()
    why = {How.NOW: "resolved", How.IN_RELEASE: f"resolved in {named}", How.IN_NEXT_RELEASE: f"resolved after {named}"}
    transition = change(found, Change.RESOLVED, State.RESOLVED, why[how], now_ms, by)
    found.resolution = Resolution(how, named, now_ms, by)
    return found, transition


def newest_release(ledger: Ledger) -> str:
    """Return the newest release that a project knows, by version where versions can be compared, else by first sight."""
    best = ""
    for release in ledger.releases:
        if not best or newer(release, best, ledger.releases):
            best = release
    return best


def mute(
    issue: Issue,
    now_ms: int,
    by: str,
    *,
    until_ms: int | None = None,
    more_events: int | None = None,
    until_spike: bool = False,
) -> Outcome:
    """Mute it until a time, until it was seen `more_events` times more, until it spikes, or, with none of them, for good.

    Muting what is muted sets what it waits for anew; of what spikes already, a spike is what goes far beyond that. Raises ConflictError for a time that is past, or no events.
    """
    if until_ms is not None and until_ms <= now_ms:
        raise ConflictError("the time until which to mute it is past")
    if more_events is not None and more_events < 1:
        raise ConflictError("it takes at least one more event to mute it for")
    found = issue.copy()
    wanted = Mute(until_ms, None if more_events is None else issue.count + more_events, until_spike, now_ms, by)
    if issue.state is State.MUTED and issue.mute is not None and issue.mute[:3] == wanted[:3]:
        return issue, None
    transition = change(found, Change.MUTED, State.MUTED, _why_muted(wanted, more_events), now_ms, by)
    found.mute = wanted
    if until_spike and found.traffic is not None:
        accept(found.traffic)
    return found, transition


def _why_muted(wanted: Mute, more_events: int | None) -> str:
    until = []
    if wanted.until_ms is not None:
        until.append("a time")
    if more_events is not None:
        until.append(f"{more_events} more events")
    if wanted.until_spike:
        until.append("a spike")
    return f"muted until {' or '.join(until)}" if until else "muted"


def unmute(issue: Issue, now_ms: int, by: str) -> Outcome:
    """Unmute it. What is not muted stays as it is."""
    if issue.state is not State.MUTED:
        return issue, None
    found = issue.copy()
    return found, change(found, Change.UNMUTED, State.ONGOING, "unmuted", now_ms, by)


def assign(issue: Issue, assignee: str, now_ms: int, by: str) -> Outcome:
    """Give it to somebody; empty: to nobody."""
    if issue.assignee == assignee:
        return issue, None
    found = issue.copy()
    found.assignee = assignee
    why = f"assigned to {assignee}" if assignee else "assigned to nobody"
    return found, Transition(issue.id, Change.ASSIGNED, issue.state, issue.state, now_ms, why, by)


def escalate(issue: Issue, now_ms: int, by: str) -> Outcome:
    """Take note that somebody else (Sentry) found it escalating, whatever it was; twice in a row changes nothing."""
    if issue.state_at(now_ms) is State.ESCALATING:
        return issue, None
    found = issue.copy()
    return found, change(found, Change.SPIKE, State.ESCALATING, "escalating", now_ms, by)


def rest(issue: Issue, now_ms: int) -> Issue:
    """Let time pass without an event: a spike may end by quiet. Returns the same object when nothing changed."""
    traffic = issue.traffic
    if traffic is None or not traffic.spiking:
        return issue
    found = issue.copy()
    if found.traffic is not None and settle(found.traffic, now_ms) is Signal.ENDED:
        calm(found, now_ms)
    return found
