"""Merging issues that are one problem, and splitting what was merged. Neither alerts anybody.

A merged issue keeps what each grouping key brought, so that it can be taken apart again. Estimates (users) survive both;
what cannot be told apart any more (environments, releases, the traffic before) stays with the issue that was split.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from alertd.engine.issues.distinct import union
from alertd.engine.issues.spike import join
from alertd.errors import ConflictError
from alertd.model.issue import ENVIRONMENTS_MAX, KEYS_MAX, RELEASES_MAX, Change, Issue, Share, State, Transition

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from alertd.engine.issues.facts import Facts
    from alertd.model.ledger import Ledger


def merge(into: Issue, others: Sequence[Issue], now_ms: int, by: str) -> tuple[Issue, Transition]:
    """Merge issues into one, which keeps its name, state and assignee; the others are no more.

    Raises ConflictError for issues of different projects, for an issue and itself, and beyond `KEYS_MAX` keys.
    """
    home = (into.workspace_id, into.project)
    if any((other.workspace_id, other.project) != home for other in others):
        raise ConflictError("only issues of one project can be merged")
    if not others or len({into.id, *(other.id for other in others)}) <= len(others):
        raise ConflictError("merging takes at least two different issues")
    found = into.copy()
    found.shares = {key: share for issue in (into, *others) for key, share in shares_of(issue).items()}
    if len(found.shares) > KEYS_MAX:
        raise ConflictError(f"at most {KEYS_MAX} issues can be merged into one")
    for other in others:
        _take_over(found, other)
    _sum_up(found)
    names = ", ".join(other.short_id for other in others)
    return found, Transition(into.id, Change.MERGED, into.state, into.state, now_ms, f"merged with {names}", by)


def moved(one: Issue, what: Change, why: str, now_ms: int, by: str) -> Transition:
    """Say of an issue that went into another, or came out of one, what became of it."""
    return Transition(one.id, what, one.state, one.state, now_ms, why, by)


def shares_of(issue: Issue) -> dict[str, Share]:
    """What each grouping key brought to an issue."""
    if issue.shares is not None:
        return issue.shares
    return {issue.key: Share(issue.count, issue.first_seen_ms, issue.last_seen_ms, issue.users, issue.title)}


class Parts(NamedTuple):
    """What is known of the two parts of an issue beside itself: what was taken, as it was before it was merged, and what
    the newest kept event of each part says.
    """  # noqa: D205 - one thought, two lines

    former: Issue | None = None
    taken: Facts | None = None
    remaining: Facts | None = None


def split(
    issue: Issue, keys: Collection[str], ledger: Ledger, issue_id: int, now_ms: int, by: str, parts: Parts | None = None
) -> tuple[Issue, Issue, Transition]:
    """Split grouping keys off into an issue of their own: returns what remains, and the new one, which is ongoing.

    With the former issue that these keys were, or were part of, before they were merged it is that one again, by its own
    names, and with what people had decided about it unless it was seen since. Else it takes a number from the ledger.
    Each part is described by its own events. Raises ConflictError for keys that are not the issue's, and for all of them.
    """
    shares, known = shares_of(issue), parts or Parts()
    taken = {key: share for key, share in shares.items() if key in keys}
    if len(taken) != len(set(keys)) or not taken:
        raise ConflictError("only grouping keys of the issue itself can be split off")
    if len(taken) == len(shares):
        raise ConflictError("at least one grouping key must remain")
    remaining = issue.copy()
    remaining.shares = {key: share for key, share in shares.items() if key not in taken}
    if remaining.key in taken:
        remaining.key = next(iter(remaining.shares))
    _describe(remaining, remaining.shares, issue, known.remaining)
    _sum_up(remaining)
    former = known.former
    if former is None:
        made = _split_off(issue, taken, ledger.take_number(), issue_id, now_ms, known.taken)
    else:
        made = _as_before(_split_off(issue, taken, former.number, former.id, now_ms, known.taken), former)
    why = f"split: {made.short_id} was taken from it"
    return remaining, made, Transition(issue.id, Change.SPLIT, issue.state, issue.state, now_ms, why, by)


def _split_off(
    issue: Issue, taken: dict[str, Share], number: int, issue_id: int, now_ms: int, latest: Facts | None
) -> Issue:
    made = issue.copy()
    made.id, made.number, made.key = issue_id, number, next(iter(taken))
    made.shares = taken
    made.state, made.since_ms = State.ONGOING, now_ms
    made.resolution = made.mute = made.traffic = made.incident_id = None
    made.assignee, made.regressions = "", 0
    _describe(made, taken, issue, latest)
    _sum_up(made)
    return made


def _describe(part: Issue, shares: Mapping[str, Share], issue: Issue, latest: Facts | None) -> None:
    """Describe a part of an issue by its own latest event, as far as that is known; what is not is left empty."""
    last = max(shares.values(), key=lambda share: share.last_seen_ms)
    if min(share.first_seen_ms for share in shares.values()) > issue.first_seen_ms:
        part.first_release = ""
    if (last.last_seen_ms, last.title) == (issue.last_seen_ms, issue.title):
        return
    part.title = last.title
    part.culprit = part.last_event_id = part.last_release = ""
    if latest is not None:
        part.culprit, part.level = latest.culprit, latest.level
        part.last_event_id, part.last_release = latest.event_id, latest.release


def _as_before(made: Issue, former: Issue) -> Issue:
    """Give an issue that was split off back what only its former self knew."""
    if former.key in made.keys:
        made.key = former.key
    made.assignee, made.regressions = former.assignee, former.regressions
    made.environments, made.releases = former.environments, former.releases
    made.first_release, made.last_release = former.first_release, former.last_release
    made.traffic = None if former.traffic is None else former.traffic.copy()
    if made.count == former.count:
        made.title, made.culprit, made.level = former.title, former.culprit, former.level
        made.state, made.since_ms = former.state, former.since_ms
        made.resolution, made.mute = former.resolution, former.mute
        made.last_event_id, made.arrived_ms = former.last_event_id, former.arrived_ms
    elif not made.last_event_id:
        made.culprit, made.level, made.last_event_id = former.culprit, former.level, former.last_event_id
    return made


def _take_over(found: Issue, other: Issue) -> None:
    if other.last_seen_ms > found.last_seen_ms:
        found.title, found.culprit, found.level = other.title, other.culprit, other.level
        found.last_seen_ms, found.last_event_id = other.last_seen_ms, other.last_event_id
        found.last_release = other.last_release
    if other.first_seen_ms < found.first_seen_ms:
        found.first_seen_ms, found.first_release = other.first_seen_ms, other.first_release
    found.environments = _both(found.environments, other.environments, ENVIRONMENTS_MAX)
    found.releases = _both(found.releases, other.releases, RELEASES_MAX)
    found.regressions += other.regressions
    found.arrived_ms = max(found.arrived_ms, other.arrived_ms)
    found.incident_id = found.incident_id or other.incident_id
    if found.traffic is not None and other.traffic is not None:
        join(found.traffic, other.traffic)
    elif other.traffic is not None:
        found.traffic = other.traffic.copy()


def _both(one: Iterable[str], other: Iterable[str], most: int) -> tuple[str, ...]:
    return tuple(sorted({*one, *other})[:most])


def _sum_up(issue: Issue) -> None:
    """Make the sums those of the shares; a single share needs none of its own. A mute waits for as many events as before."""
    shares, before = issue.shares or {}, issue.count
    issue.count = sum(share.events for share in shares.values())
    if issue.mute is not None and issue.mute.until_count is not None:
        issue.mute = issue.mute._replace(until_count=issue.mute.until_count + issue.count - before)
    issue.first_seen_ms = min(share.first_seen_ms for share in shares.values())
    issue.last_seen_ms = max(share.last_seen_ms for share in shares.values())
    issue.users = reduce(union, (share.users for share in shares.values()))
    if len(shares) == 1:
        issue.shares = None
