"""The life of an issue: what an event makes of it.

| state | event | becomes | trigger |
|---|---|---|---|
| none | the first | new | new |
| unresolved | any | the same; escalating when it spikes, ongoing when the spike ends | spike |
| resolved now | any | regressed | regression |
| resolved in a release | of a newer release, or nobody knows | regressed | regression |
| | of that release or an older one, or of one that was there before it | resolved | |
| muted | any | muted | |
| | beyond the time, the count, or with the spike that it was muted until | escalating | unmuted |

What people do is in `alertd.engine.issues.commands`. A state is copied, never changed in place, except by `advance`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alertd.engine.issues.distinct import add
from alertd.engine.issues.release import newer
from alertd.engine.issues.spike import Signal, observe
from alertd.model.issue import ENVIRONMENTS_MAX, RELEASES_MAX, Change, How, Issue, Share, State, Transition
from alertd.model.traffic import SLOT_MS, Traffic

if TYPE_CHECKING:
    from alertd.engine.issues.facts import Facts
    from alertd.model.issue import Mute, Resolution
    from alertd.model.ledger import Ledger

_MUTED: Final = State.MUTED  # looking a member up in its class costs as much as counting an event
_NONE: Final = Signal.NONE


def weigh(
    issue: Issue | None, facts: Facts, ledger: Ledger, issue_id: int, now_ms: int
) -> tuple[Issue, Transition | None]:
    """Return what an event makes of an issue, None being one that does not exist yet; changes only the ledger.

    `issue_id` is the number for an issue that is begun by it.
    """
    if issue is None:
        return begin(facts, ledger, issue_id, now_ms)
    found = issue.copy()
    return found, advance(found, facts, ledger, now_ms)


def begin(facts: Facts, ledger: Ledger, issue_id: int, now_ms: int) -> tuple[Issue, Transition]:
    """Begin an issue with its first event; takes its number from the ledger."""
    issue = Issue(
        issue_id,
        ledger.workspace_id,
        ledger.project,
        ledger.take_number(),
        facts.key,
        facts.title,
        facts.culprit,
        facts.level,
        State.NEW,
        now_ms,
        facts.at_ms,
        facts.at_ms,
        1,
        facts.event_id,
        facts.release,
        facts.release,
        (facts.environment,) if facts.environment else (),
        (facts.release,) if facts.release else (),
        add(b"", facts.user) if facts.user else b"",
        arrived_ms=now_ms,
    )
    if facts.release:
        ledger.see_release(facts.release, facts.at_ms)
    return issue, Transition(issue_id, Change.NEW, None, State.NEW, now_ms, "seen for the first time")


def advance(issue: Issue, facts: Facts, ledger: Ledger, now_ms: int) -> Transition | None:
    """Weigh one more event of an issue, changing it; return what became of it, None when nothing did."""
    before = issue.state
    why = None if before < _MUTED else _ended(issue, facts, ledger, now_ms)
    issue.arrived_ms = now_ms
    count(issue, facts, ledger)
    traffic = issue.traffic
    if traffic is None:
        traffic = issue.traffic = Traffic(issue.first_seen_ms // SLOT_MS, issue.count - 1.0)
    signal = observe(traffic, facts.at_ms, quietly=why is not None)
    if why is not None:
        return _reopened(issue, before, why, now_ms)
    if signal is _NONE:
        return None
    if signal is Signal.BEGAN:
        return _spiked(issue, now_ms)
    calm(issue, now_ms)
    return None


def count(issue: Issue, facts: Facts, ledger: Ledger) -> None:
    """Add what an event says to an issue; the order of events does not matter."""
    issue.count += 1
    at_ms, release = facts.at_ms, facts.release
    if facts.environment and facts.environment not in issue.environments:
        issue.environments = _with(issue.environments, facts.environment, ENVIRONMENTS_MAX)
    if release and release not in issue.releases:
        issue.releases = _with(issue.releases, release, RELEASES_MAX)
        ledger.see_release(release, at_ms)
    if facts.user:
        issue.users = add(issue.users, facts.user)
    latest, event_id = issue.last_seen_ms, facts.event_id
    if at_ms > latest or (at_ms == latest and event_id > issue.last_event_id):
        issue.last_seen_ms = at_ms
        issue.last_event_id = event_id
        issue.title, issue.culprit, issue.level = facts.title, facts.culprit, facts.level
        issue.last_release = release
    elif release:
        ledger.see_release(release, at_ms)  # known to the issue, but perhaps not from so early
    first = issue.first_seen_ms
    if at_ms < first or (at_ms == first and release < issue.first_release):
        issue.first_seen_ms, issue.first_release = at_ms, release
    if issue.shares is not None:
        _share(issue.shares, facts)


def _with(known: tuple[str, ...], one: str, most: int) -> tuple[str, ...]:
    """Add a name to those known, in order; a full list stays as it is."""
    return known if len(known) >= most else tuple(sorted((*known, one)))


def _share(shares: dict[str, Share], facts: Facts) -> None:
    share = shares.get(facts.key) or Share(0, facts.at_ms, facts.at_ms, b"", facts.title)
    shares[facts.key] = Share(
        share.events + 1,
        min(share.first_seen_ms, facts.at_ms),
        max(share.last_seen_ms, facts.at_ms),
        add(share.users, facts.user) if facts.user else share.users,
        facts.title if facts.at_ms >= share.last_seen_ms else share.title,
    )


def _ended(issue: Issue, facts: Facts, ledger: Ledger, now_ms: int) -> str | None:
    """Say why an event ends a resolution or a mute; None when it does not."""
    if issue.state is State.RESOLVED:
        return None if issue.resolution is None else _regresses(issue.resolution, facts.release, issue, ledger)
    return None if issue.mute is None else _runs_out(issue.mute, issue.count + 1, now_ms)


def _regresses(resolution: Resolution, release: str, issue: Issue, ledger: Ledger) -> str | None:
    if resolution.how is How.NOW:
        return f"seen again after it was resolved, in {release}" if release else "seen again after it was resolved"
    if not release:
        return f"seen again after it was resolved in {resolution.release}, in an unknown release"
    is_newer = newer(release, resolution.release, ledger.releases)
    if is_newer is False or (is_newer is None and _was_there(release, resolution, issue, ledger)):
        return None
    return f"seen again in {release} after it was resolved in {resolution.release}"


def _was_there(release: str, resolution: Resolution, issue: Issue, ledger: Ledger) -> bool:
    """Whether a release was seen before it was resolved in one that is yet to come, such as a commit not deployed so far.

    One that the issue knows and the ledger does not is so old that this has forgotten it.
    """
    at_ms = ledger.releases.get(release)
    if at_ms is None:
        return release in issue.releases
    return at_ms <= resolution.at_ms and resolution.release not in ledger.releases


def _runs_out(mute: Mute, count: int, now_ms: int) -> str | None:
    if mute.until_ms is not None and now_ms >= mute.until_ms:
        return "seen again after its mute ran out"
    if mute.until_count is not None and count >= mute.until_count:
        return f"seen as often as it was muted for: {count} times in all"
    return None


def _reopened(issue: Issue, before: State, why: str, now_ms: int) -> Transition:
    regressed = before is State.RESOLVED
    if regressed:
        issue.regressions += 1
    return change(
        issue,
        Change.REGRESSION if regressed else Change.UNMUTED,
        State.REGRESSED if regressed else State.ESCALATING,
        why,
        now_ms,
    )


def _spiked(issue: Issue, now_ms: int) -> Transition | None:
    traffic = issue.traffic
    why = f"{traffic.factor:.1f} times its usual rate" if traffic is not None else ""
    if issue.state.is_unresolved:
        return change(issue, Change.SPIKE, State.ESCALATING, why, now_ms)
    if issue.state is State.MUTED and issue.mute is not None and issue.mute.until_spike:
        return change(issue, Change.UNMUTED, State.ESCALATING, why, now_ms)
    return None


def calm(issue: Issue, now_ms: int) -> None:
    """Take note that a spike has ended, changing the issue."""
    if issue.state is State.ESCALATING:
        issue.state, issue.since_ms = State.ONGOING, now_ms


def change(issue: Issue, what: Change, after: State, why: str, now_ms: int, by: str = "") -> Transition:
    """Bring an issue into another state, changing it; an unresolved one has neither a resolution nor a mute."""
    before, issue.state = issue.state, after
    issue.since_ms = now_ms
    if after is not State.RESOLVED:
        issue.resolution = None
    if after is not State.MUTED:
        issue.mute = None
    return Transition(issue.id, what, before, after, now_ms, why, by)
