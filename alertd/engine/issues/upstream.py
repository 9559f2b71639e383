"""Upstream: what people, or Sentry itself, did to an issue in Sentry, done to the same issue here.

| Sentry's webhook | becomes |
|---|---|
| `issue.resolved` | resolved: in the release or the commit that it names, else in the next one where that is meant, else at once |
| `issue.archived` (`ignored`) | muted: for the time or the events that it names, until it spikes, else for good |
| `issue.unresolved`, escalating | escalating, with the trigger spike |
| regressed | regressed, with the trigger regression, where it was resolved here |
| any other | unmuted, with the trigger unmuted; or reopened, without a word |
| `issue.assigned` | assigned |

Told by how `alertd.sources.sentry_issue` lays it out, and only when that made the event: whoever may but send events has
no say in what becomes of issues. An issue of which no error came is touched by none of it, but for what somebody is to be
told of: one that came back or escalates begins here with that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from alertd.clock import DAY_MS
from alertd.engine.issues import commands
from alertd.engine.issues.facts import LEVELS, TITLE_MAX, Facts, moment
from alertd.engine.issues.lifecycle import change
from alertd.model.issue import Change, How, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.engine.issues.commands import Outcome
    from alertd.model.event import Event
    from alertd.model.issue import Issue
    from alertd.model.ledger import Ledger

BY: Final = "sentry"
"""Who is said to have done it."""
ACTIONS: Final = frozenset({"resolved", "archived", "unresolved", "assigned"})
NAME_MAX: Final = 200
RELEASE_MAX: Final = 256
_MINUTE_MS: Final = 60_000
_BEFORE: Final = {"regressed": State.RESOLVED, "escalating": State.ONGOING}
_LONGEST_MS: Final = 10 * 366 * DAY_MS
_MOST_EVENTS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Upstream:
    """What was done in Sentry: the action, the substatus since, the details of the status, whose it is now."""

    action: str
    substatus: str
    details: Mapping[str, Any]
    assignee: str

    @property
    def is_alarm(self) -> bool:
        """Whether Sentry says by itself that there is something to look at again."""
        return self.action == "unresolved" and self.substatus in _BEFORE

    @property
    def before(self) -> State:
        """What an alarm says that an issue was."""
        return _BEFORE[self.substatus]


def is_upstream(body: Mapping[str, Any]) -> bool:
    """Tell whether an event says what became of an issue in Sentry."""
    data = body.get("data")
    if data is None or "issue_id" not in data or body.get("source") != "sentry":
        return False
    action = data.get("action")
    return type(action) is str and action in ACTIONS


def upstream_of(event: Event) -> Upstream | None:
    """Read it; None when the event says nothing of the kind, or not Sentry does. Never raises, whatever `data` holds."""
    if not event.upstream or not is_upstream(event.body):
        return None
    data = event.body["data"]
    details, assignee = data.get("status_details"), data.get("assignee")
    return Upstream(
        data["action"],
        _text(data.get("substatus")),
        details if isinstance(details, dict) else {},
        _text(assignee.get("name") or assignee.get("id"))[:NAME_MAX] if isinstance(assignee, dict) else "",
    )


def facts_of_upstream(event: Event, now_ms: int) -> Facts:
    """Say of an issue of which no error came what Sentry says of it."""
    data = event.body["data"]
    title, culprit, level = (_text(data.get(name)) for name in ("title", "culprit", "level"))
    return Facts(
        event.key,
        event.id,
        title[:TITLE_MAX] or event.type,
        culprit[:TITLE_MAX],
        level if level in LEVELS else "error",
        event.environment,
        "",
        "",
        moment(event.time, now_ms),
    )


def obey(issue: Issue, upstream: Upstream, ledger: Ledger, now_ms: int) -> Outcome:
    """Do the same here; return the issue as it then is, and what became of it."""
    if upstream.action == "resolved":
        return _resolve(issue, upstream, ledger, now_ms)
    if upstream.action == "archived":
        return _mute(issue, upstream, now_ms)
    if upstream.action == "assigned":
        return commands.assign(issue, upstream.assignee, now_ms, BY)
    return _reopen(issue, upstream, now_ms)


def _resolve(issue: Issue, upstream: Upstream, ledger: Ledger, now_ms: int) -> Outcome:
    # a commit is resolved in while it is still to be released: what was there before does not have it
    release = (_text(upstream.details.get("in_release")) or _text(upstream.details.get("in_commit")))[:RELEASE_MAX]
    if release:
        return commands.resolve(issue, How.IN_RELEASE, release, ledger, now_ms, BY)
    if upstream.details.get("in_next_release") and commands.newest_release(ledger):
        return commands.resolve(issue, How.IN_NEXT_RELEASE, "", ledger, now_ms, BY)
    return commands.resolve(issue, How.NOW, "", ledger, now_ms, BY)


def _mute(issue: Issue, upstream: Upstream, now_ms: int) -> Outcome:
    details = upstream.details
    return commands.mute(
        issue,
        now_ms,
        BY,
        until_ms=_until(details, now_ms),
        more_events=_whole(details.get("ignore_count"), _MOST_EVENTS),
        until_spike=upstream.substatus == "archived_until_escalating",
    )


def _until(details: Mapping[str, Any], now_ms: int) -> int | None:
    minutes = _whole(details.get("ignore_duration"), _LONGEST_MS // _MINUTE_MS)
    if minutes is not None:
        return now_ms + minutes * _MINUTE_MS
    try:
        until = datetime.fromisoformat(_text(details.get("ignore_until")))
    except ValueError:
        return None
    until_ms = round(until.timestamp() * 1000) if until.tzinfo is not None else 0
    return min(until_ms, now_ms + _LONGEST_MS) if until_ms > now_ms else None


def _reopen(issue: Issue, upstream: Upstream, now_ms: int) -> Outcome:
    if upstream.substatus == "escalating":
        return commands.escalate(issue, now_ms, BY)
    if issue.state.is_unresolved:
        return issue, None
    if issue.state is State.MUTED:
        return commands.unmute(issue, now_ms, BY)
    found = issue.copy()
    if upstream.substatus == "regressed" and issue.state is State.RESOLVED:
        found.regressions += 1
        return found, change(found, Change.REGRESSION, State.REGRESSED, "seen again, says Sentry", now_ms, BY)
    return found, change(found, Change.REOPENED, State.ONGOING, "reopened in Sentry", now_ms, BY)


def _whole(value: Any, most: int) -> int | None:
    """Read a whole number of at least 1; one that is too large is cut."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return min(value, most) if type(value) is int and value >= 1 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
