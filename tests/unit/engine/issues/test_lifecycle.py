"""The life of an issue: the whole transition table, timelines with a restart in the middle, and any order of events."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alertd.engine.issues import commands
from alertd.engine.issues.facts import facts_of
from alertd.engine.issues.lifecycle import weigh
from alertd.engine.issues.stored import decode_issue, decode_ledger, encode_issue, encode_ledger
from alertd.model.issue import ENVIRONMENTS_MAX, RELEASES_MAX, SETTLED_MS, Change, How, Issue, State
from alertd.model.ledger import RELEASES_MAX as LEDGER_MAX
from alertd.model.ledger import Ledger
from tests.unit.engine.issues.errors import DAY, HOUR, MINUTE, NOW, SECOND, event, facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.model.issue import Transition


@dataclass
class Life:
    """One issue on a simulated clock; `restarts` reads everything back from its stored form before each step."""

    now: int = NOW
    restarts: bool = False
    issue: Issue | None = None
    ledger: Ledger = field(default_factory=lambda: Ledger(1, "shop"))
    told: list[str] = field(default_factory=list)
    number: int = 0

    @property
    def known(self) -> Issue:
        """The issue, which exists."""
        assert self.issue is not None
        return self.issue

    def restart(self) -> None:
        """Read everything back from its stored form."""
        if self.issue is not None:
            self.issue = decode_issue(encode_issue(self.issue))
        self.ledger = decode_ledger(encode_ledger(self.ledger))

    def wait(self, ms: int) -> Life:
        """Let time pass."""
        self.now += ms
        return self

    def sees(self, release: str = "shop@1.0.0", ago: int = 0, times: int = 1, every: int = 0, **more: Any) -> Life:
        """Have events come; `told` learns the triggers."""
        for _ in range(times):
            self.number += 1
            self.now += every
            if self.restarts:
                self.restart()
            found = facts_of(event(self.number, self.now - ago, release=release, **more), self.now)
            assert found is not None
            self.issue, transition = weigh(self.issue, found, self.ledger, 1, self.now)
            self._tell(transition)
        return self

    def does(self, act: Callable[..., commands.Outcome], *given: Any, **named: Any) -> Life:
        """Have somebody do something about it."""
        if self.restarts:
            self.restart()
        if act is commands.resolve:
            given = (*given, self.ledger)
        self.issue, transition = act(self.known, *given, now_ms=self.now, by="ann", **named)
        self._tell(transition)
        return self

    def resolved(self, how: How = How.NOW, release: str = "") -> Life:
        """Have somebody resolve it."""
        return self.does(commands.resolve, how, release)

    def muted(self, **until: Any) -> Life:
        """Have somebody mute it."""
        return self.does(commands.mute, **until)

    def _tell(self, transition: Transition | None) -> None:
        if transition is not None and transition.change.trigger is not None:
            self.told.append(transition.change.trigger)

    def spikes(self) -> Life:
        """Have it go on as usual for two hours, and then forty times as often, for three minutes."""
        self.sees(times=60, every=2 * MINUTE)
        return self.sees(times=60, every=3 * SECOND)


def life() -> Life:
    """Begin one."""
    return Life().sees().wait(MINUTE)


def before(state: str) -> Life:
    """Bring one into a state, with nothing told yet."""
    lives: dict[str, Callable[[], Life]] = {
        "none": Life,
        "new": life,
        "ongoing": lambda: life().wait(SETTLED_MS),
        "regressed": lambda: life().resolved().sees(),
        "escalating": lambda: life().does(commands.escalate),
        "resolved": lambda: life().resolved(),
        "resolved in 1.5": lambda: life().resolved(How.IN_RELEASE, "shop@1.5.0"),
        "resolved in the next": lambda: life().resolved(How.IN_NEXT_RELEASE),
        "muted": lambda: life().muted(),
        "muted for an hour": lambda: life().muted(until_ms=NOW + HOUR),
        "muted for 3 events": lambda: life().muted(more_events=3),
        "muted until a spike": lambda: life().muted(until_spike=True),
    }
    found = lives[state]()
    found.told.clear()
    return found


TABLE = [
    ("none", lambda it: it.sees(), State.NEW, ["new"]),
    ("new", lambda it: it.sees(), State.NEW, []),
    ("new", lambda it: it.wait(SETTLED_MS), State.ONGOING, []),
    ("new", lambda it: it.spikes(), State.ESCALATING, ["spike"]),
    ("ongoing", lambda it: it.sees(), State.ONGOING, []),
    ("ongoing", lambda it: it.spikes(), State.ESCALATING, ["spike"]),
    ("regressed", lambda it: it.sees(), State.REGRESSED, []),
    ("regressed", lambda it: it.wait(SETTLED_MS), State.ONGOING, []),
    ("regressed", lambda it: it.spikes(), State.ESCALATING, ["spike"]),
    ("escalating", lambda it: it.sees(), State.ESCALATING, []),
    ("escalating", lambda it: it.wait(SETTLED_MS), State.ONGOING, []),
    ("resolved", lambda it: it.sees(), State.REGRESSED, ["regression"]),
    ("resolved", lambda it: it.sees("shop@0.1.0"), State.REGRESSED, ["regression"]),
    ("resolved", lambda it: it.sees(""), State.REGRESSED, ["regression"]),
    ("resolved", lambda it: it.sees(ago=DAY), State.REGRESSED, ["regression"]),
    ("resolved", lambda it: it.wait(SETTLED_MS), State.RESOLVED, []),
    ("resolved in 1.5", lambda it: it.sees("shop@1.4.9"), State.RESOLVED, []),
    ("resolved in 1.5", lambda it: it.sees("shop@1.5.0"), State.RESOLVED, []),
    ("resolved in 1.5", lambda it: it.sees("shop@1.5.1"), State.REGRESSED, ["regression"]),
    ("resolved in 1.5", lambda it: it.sees(""), State.REGRESSED, ["regression"]),
    ("resolved in 1.5", lambda it: it.sees("3f2a1b9c"), State.REGRESSED, ["regression"]),
    ("resolved in 1.5", lambda it: it.sees("stock@1.0.0"), State.REGRESSED, ["regression"]),
    ("resolved in 1.5", lambda it: it.sees("shop@1.4.9", times=40, every=SECOND), State.RESOLVED, []),
    ("resolved in the next", lambda it: it.sees("shop@1.0.0"), State.RESOLVED, []),
    ("resolved in the next", lambda it: it.sees("shop@0.9.0"), State.RESOLVED, []),
    ("resolved in the next", lambda it: it.sees("shop@1.0.1"), State.REGRESSED, ["regression"]),
    ("resolved in the next", lambda it: it.sees(""), State.REGRESSED, ["regression"]),
    ("muted", lambda it: it.sees(), State.MUTED, []),
    ("muted", lambda it: it.spikes(), State.MUTED, []),
    ("muted", lambda it: it.does(commands.unmute), State.ONGOING, ["unmuted"]),
    ("muted", lambda it: it.does(commands.unmute).does(commands.unmute), State.ONGOING, ["unmuted"]),
    ("muted", lambda it: it.resolved(), State.RESOLVED, []),
    ("muted", lambda it: it.does(commands.escalate), State.ESCALATING, ["spike"]),
    ("muted for an hour", lambda it: it.sees(), State.MUTED, []),
    ("muted for an hour", lambda it: it.wait(HOUR), State.ONGOING, []),
    ("muted for an hour", lambda it: it.wait(HOUR).sees(times=2), State.ESCALATING, ["unmuted"]),
    ("muted for 3 events", lambda it: it.sees(times=2), State.MUTED, []),
    ("muted for 3 events", lambda it: it.sees(times=3), State.ESCALATING, ["unmuted"]),
    ("muted for 3 events", lambda it: it.sees(times=9), State.ESCALATING, ["unmuted"]),
    ("muted until a spike", lambda it: it.sees(times=50, every=MINUTE), State.MUTED, []),
    ("muted until a spike", lambda it: it.spikes(), State.ESCALATING, ["unmuted"]),
    ("new", lambda it: it.does(commands.escalate), State.ESCALATING, ["spike"]),
    ("resolved", lambda it: it.does(commands.escalate), State.ESCALATING, ["spike"]),
    ("escalating", lambda it: it.does(commands.escalate), State.ESCALATING, []),
    ("resolved", lambda it: it.does(commands.unmute), State.RESOLVED, []),
    ("resolved", lambda it: it.muted(), State.MUTED, []),
    ("new", lambda it: it.resolved().resolved(), State.RESOLVED, []),
    ("new", lambda it: it.resolved().sees(times=5).resolved().sees(times=5), State.REGRESSED, ["regression"] * 2),
]


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarting"])
@pytest.mark.parametrize(("state", "happens", "after", "told"), TABLE)
def test_the_transition_table(
    state: str, happens: Callable[[Life], Life], after: State, told: list[str], restarts: bool
) -> None:
    """Each row: what an issue was, what happens, what it then is, and who is told; with restarts between all of it."""
    found = before(state)
    found.restarts = restarts
    happens(found)
    assert found.known.state_at(found.now) is after
    assert found.told == told


def test_resolved_now_regresses_however_old_the_event_claims_to_be() -> None:
    """The next event is a regression at once, of whatever release and whatever time its clock says."""
    assert life().resolved().sees("shop@0.0.1", ago=20 * DAY).told == ["new", "regression"]


def test_a_commit_as_release_is_as_new_as_its_first_sight() -> None:
    """Resolved in a commit: commits seen before it stay resolved, one that was never seen is a regression."""
    found = Life().sees("aaaaaaa1").wait(MINUTE).sees("bbbbbbb2").wait(MINUTE).resolved(How.IN_NEXT_RELEASE)
    found.sees("aaaaaaa1").wait(MINUTE)
    assert found.told == ["new"]
    assert found.sees("ccccccc3").told == ["new", "regression"]


def test_a_commit_as_release_is_as_old_as_its_earliest_event() -> None:
    """Though that came late, and the issue was seen in it before: it is older than the commit that the issue was resolved in."""
    found = Life().sees("aaaaaaa1", ago=MINUTE).sees("bbbbbbb2", ago=2 * MINUTE).sees("aaaaaaa1", ago=3 * MINUTE)
    assert found.ledger.releases == {"aaaaaaa1": NOW - 3 * MINUTE, "bbbbbbb2": NOW - 2 * MINUTE}
    assert found.resolved(How.IN_RELEASE, "bbbbbbb2").sees("aaaaaaa1").told == ["new"]


@pytest.mark.parametrize(("others", "known"), [(LEDGER_MAX - 1, True), (LEDGER_MAX, False)])
def test_a_commit_that_is_too_old_to_be_known(others: int, *, known: bool) -> None:
    """Where it still runs, it is older than the commit that the issue was resolved in; one that was never seen is not."""
    found = life()
    found.sees("aaaaaaa1")
    for number in range(others):
        found.ledger.see_release(f"b{number:06x}", NOW + HOUR + number)
    assert ("aaaaaaa1" in found.ledger.releases) is known
    found.wait(2 * HOUR).resolved(How.IN_NEXT_RELEASE)
    assert found.sees("aaaaaaa1", times=2, every=MINUTE).told == ["new"]
    assert found.sees("ccccccc3").told == ["new", "regression"]


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarting"])
def test_resolved_in_a_commit_that_is_yet_to_be_deployed(restarts: bool) -> None:
    """What was there before goes on without a word until the fix is there; then, and in what is new, it is a regression."""
    found = Life(restarts=restarts).sees("aaaaaaa1").wait(MINUTE).resolved(How.IN_RELEASE, "ddddddd4").wait(MINUTE)
    assert found.sees("aaaaaaa1", times=3, every=MINUTE).told == ["new"]
    assert found.known.state is State.RESOLVED
    assert found.sees("eeeeeee5").told == ["new", "regression"]
    fixed = Life(restarts=restarts).sees("aaaaaaa1").wait(MINUTE).resolved(How.IN_RELEASE, "ddddddd4").wait(MINUTE)
    fixed.ledger.see_release("ddddddd4", fixed.now)
    fixed.wait(MINUTE).ledger.see_release("eeeeeee5", fixed.now)
    assert fixed.sees("aaaaaaa1").told == ["new"]
    assert fixed.sees("eeeeeee5").told == ["new", "regression"]


def test_the_newest_release_is_the_newest_version() -> None:
    """In the next release means after the newest version that the project knows, not after the last one seen."""
    found = Life().sees("shop@2.0.0").sees("shop@1.9.0").resolved(How.IN_NEXT_RELEASE)
    assert found.known.resolution is not None
    assert found.known.resolution.release == "shop@2.0.0"


def test_a_regression_that_spikes_is_told_as_both() -> None:
    """The event that ends the resolution is a regression and nothing else; the spike is told by the next one."""
    found = life().sees(times=60, every=2 * MINUTE).resolved(How.IN_RELEASE, "shop@1.5.0")
    found.sees("shop@1.0.0", times=60, every=3 * SECOND)
    assert found.told == ["new"]
    found.sees("shop@2.0.0", times=30, every=3 * SECOND)
    assert found.told in (["new", "regression"], ["new", "regression", "spike"])
    assert found.known.state in (State.REGRESSED, State.ESCALATING)


def test_a_spike_is_told_once_and_again_after_it_ended() -> None:
    """One spike is one alarm however long it goes on; when it was over, the next one is another."""
    found = life().spikes().sees(times=400, every=3 * SECOND)
    assert found.told == ["new", "spike"]
    found.sees(times=200, every=2 * MINUTE)
    assert found.known.state is State.ONGOING
    assert found.sees(times=60, every=3 * SECOND).told == ["new", "spike", "spike"]


def test_a_spike_ends_by_quiet() -> None:
    """Without any event time alone ends it."""
    found = life().spikes()
    assert commands.rest(found.known, found.now + MINUTE).state is State.ESCALATING
    rested = commands.rest(found.known, found.now + 6 * HOUR)
    assert rested.state is State.ONGOING
    assert commands.rest(rested, found.now + 7 * HOUR) is rested


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarting"])
def test_a_whole_life(restarts: bool) -> None:
    """All triggers in one timeline, each once, with a restart before every step of it."""
    found = Life(restarts=restarts).sees(times=30, every=2 * MINUTE)
    found.resolved().wait(HOUR).sees("shop@1.1.0").sees("shop@1.1.0", times=30, every=2 * MINUTE)
    found.muted(more_events=20).sees("shop@1.1.0", times=25, every=2 * MINUTE)
    found.muted(until_spike=True).sees(times=60, every=2 * MINUTE).sees(times=60, every=3 * SECOND)
    found.sees(times=200, every=2 * MINUTE).sees(times=60, every=3 * SECOND)
    found.resolved(How.IN_RELEASE, "shop@1.2.0").sees("shop@1.2.0", times=30).sees("shop@1.3.0", times=30)
    assert found.told == ["new", "regression", "unmuted", "unmuted", "spike", "regression"]
    assert found.known.regressions == 2


def test_a_mute_until_a_spike_while_one_is_under_way() -> None:
    """What is known already does not end it; ten times as much does."""
    found = Life().sees(times=60, every=2 * MINUTE).sees(times=60, every=3 * SECOND)
    assert found.told == ["new", "spike"]
    found.muted(until_spike=True).sees(times=200, every=3 * SECOND)
    assert found.known.state is State.MUTED
    found.sees(times=600, every=SECOND // 4)
    assert found.told == ["new", "spike", "unmuted"]


def test_what_an_issue_counts() -> None:
    """First and last seen, count, users, environments and releases, and the texts of the latest event by its time."""
    found = Life(now=NOW + HOUR)
    found.sees("shop@1.1.0", environment="prod", user={"id": "1"}, title="second")
    found.sees("shop@1.0.0", ago=HOUR, environment="staging", user={"email": "x@example.com"}, title="first")
    found.sees("", ago=MINUTE, environment="", user={"id": "1"}, title="third")
    issue = found.known
    assert (issue.first_seen_ms, issue.last_seen_ms, issue.count) == (NOW, NOW + HOUR, 3)
    assert (issue.title, issue.last_release, issue.first_release) == ("second", "shop@1.1.0", "shop@1.0.0")
    assert issue.environments == ("prod", "staging")
    assert issue.releases == ("shop@1.0.0", "shop@1.1.0")
    assert issue.short_id == "SHOP-1"


def test_its_lists_are_bounded() -> None:
    """Environments, releases and the project's releases stop at their bounds; the count goes on."""
    found = Life()
    for number in range(LEDGER_MAX + 20):
        found.sees(f"shop@1.{number}", environment=f"e{number}", every=SECOND)
    issue = found.known
    assert (len(issue.environments), len(issue.releases)) == (ENVIRONMENTS_MAX, RELEASES_MAX)
    assert issue.count == LEDGER_MAX + 20
    assert len(found.ledger.releases) == LEDGER_MAX
    assert "shop@1.0" not in found.ledger.releases


def test_no_event_is_older_than_a_month_or_from_the_future() -> None:
    """Clocks of devices lie: what they say is held between a month ago and now."""
    for said, kept in ((NOW - 400 * DAY, NOW - 30 * DAY), (NOW + DAY, NOW), (NOW - HOUR, NOW - HOUR)):
        found = facts_of(event(1, said), NOW)
        assert found is not None
        assert found.at_ms == kept


def test_weighing_changes_nothing_that_was_given() -> None:
    """A state is copied: planning again starts from what was there."""
    issue = life().spikes().known
    kept = encode_issue(issue)
    ledger = Ledger(1, "shop")
    weigh(issue, facts(999, NOW + DAY, release="shop@9"), ledger, 1, NOW + DAY)
    commands.resolve(issue, How.NOW, "", ledger, NOW, "ann")
    assert encode_issue(issue) == kept


happenings = st.lists(
    st.tuples(
        st.integers(0, 3),  # which issue
        st.integers(0, 20 * 60),  # when, in seconds
        st.sampled_from(["shop@1.0.0", "shop@1.1.0", "shop@2.0.0", ""]),
        st.sampled_from(["prod", "staging", ""]),
        st.integers(0, 6),  # user
    ),
    min_size=1,
    max_size=40,
)


def played(order: list[tuple[int, Any]], resolving: bool) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Weigh numbered happenings in an order, each event id once as the store's keys see to; resolve all in the middle."""
    ledger = Ledger(1, "shop")
    issues: dict[str, Issue] = {}
    told: dict[str, list[str]] = {}
    seen: set[int] = set()
    for place, (number, (which, second, release, environment, user)) in enumerate(order):
        if resolving and place == len(order) // 2:
            for key, issue in issues.items():
                issues[key] = commands.resolve(issue, How.NOW, "", ledger, NOW, "ann")[0]
        if number in seen:
            continue
        seen.add(number)
        made = event(
            number,
            NOW - second * 1000,
            f"1:{which}",
            release=release,
            environment=environment,
            user={"id": f"u{user}"},
            title=f"t{number}",
        )
        found = facts_of(made, NOW)
        assert found is not None
        issues[found.key], transition = weigh(issues.get(found.key), found, ledger, number, NOW)
        if transition is not None:
            told.setdefault(found.key, []).append(transition.change.word)
    return {key: shown(issue, ledger) for key, issue in issues.items()}, told


def shown(issue: Issue, ledger: Ledger) -> tuple[Any, ...]:
    """Show what may not depend on the order of events: all but numbers given in it, and the traffic."""
    return (
        issue.first_seen_ms,
        issue.last_seen_ms,
        issue.count,
        issue.title,
        issue.last_event_id,
        issue.first_release,
        issue.last_release,
        issue.environments,
        issue.releases,
        issue.users,
        {release: ledger.releases[release] for release in issue.releases},
    )


@settings(max_examples=150)
@given(happenings, st.randoms(use_true_random=False))
def test_any_order_gives_the_same_issues(found: list[Any], dice: random.Random) -> None:
    """Shuffled and duplicated events give the same issues, and each is told as new exactly once."""
    order = list(enumerate(found))
    mixed = [*order, *dice.choices(order, k=len(order))]
    dice.shuffle(mixed)
    straight, told = played(order, resolving=False)
    shuffled, told_too = played(mixed, resolving=False)
    assert straight == shuffled
    assert told == told_too == {key: ["new"] for key in straight}


@settings(max_examples=150)
@given(happenings, st.randoms(use_true_random=False))
def test_any_order_tells_one_regression(found: list[Any], dice: random.Random) -> None:
    """Resolved in the middle of shuffled and duplicated events: at most one regression, and none without an event after."""
    order = list(enumerate(found))
    mixed = [*order, *dice.choices(order, k=len(order))]
    dice.shuffle(mixed)
    _, told = played(mixed, resolving=True)
    for words in told.values():
        assert words in (["new"], ["new", "regression"])


def test_shuffled_events_of_a_spike_are_no_further_alarm() -> None:
    """A spike whose events come in any order within a minute is told exactly once."""
    times = [second * 1000 for second in range(0, 7200, 120)]
    times += [7_200_000 + tick * 3000 for tick in range(100)]
    for seed in range(20):
        dice = random.Random(seed)  # noqa: S311 - a simulation
        found = Life()
        for at in sorted(times, key=lambda at: at + dice.randint(0, 50_000)):
            found.now = max(found.now, NOW + at)
            found.sees(ago=found.now - NOW - at)
        assert found.told == ["new", "spike"]


def test_changes_say_their_trigger() -> None:
    """The four triggers are the words that subscriptions name; other changes have none."""
    assert [change.trigger for change in Change][:4] == ["new", "regression", "unmuted", "spike"]
    assert not any(change.trigger for change in Change if change > Change.SPIKE)
