"""Random digests, replays in steps, followings and folds do to the SQLite store exactly what they do to the one in memory."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from alertd.model.delivery import DeliveryState
from alertd.store.digests import Spill
from alertd.store.following import Position
from alertd.store.replaying import Replay, ReplayState
from tests.conformance.test_store_machine import StoresAgree, destinations, picks

RECORDED = (DeliveryState.RETRYING, DeliveryState.DELIVERED, DeliveryState.DEAD)


class StoresAgreeOnMore(StoresAgree):
    """The same two stores, and of their calls those that make deliveries or end them."""

    open_again = crash = reopen = fold = due = look = acknowledge = replay_many = expire = hasten = None  # type: ignore[assignment]  # what is no rule is not played

    def __init__(self) -> None:
        super().__init__()
        self.replays: list[int] = []
        self.since = 0

    @precondition(lambda self: self.deliveries)
    @rule(chosen=st.sets(picks, min_size=1, max_size=5), number=st.integers(1, 4), state=st.sampled_from(RECORDED))
    def record(self, chosen: set[int], number: int, state: DeliveryState) -> None:
        """Record attempts, each of another delivery, whose order in the log is then the same."""
        ids = dict.fromkeys(self.pick(n) for n in sorted(chosen))
        self.both(lambda store: store.record([self.make.attempt(each, number, state, 30) for each in ids]))

    @rule(
        destination=destinations,
        keep=st.integers(0, 1),
        busy=st.lists(picks, max_size=1),
        held=st.lists(picks, max_size=1),
        is_new_run=st.sampled_from((False, False, False, True)),
    )
    def digest(self, destination: int, keep: int, busy: list[int], held: list[int], *, is_new_run: bool) -> None:
        """Put together what is too much."""
        flying = frozenset(self.pick(n) for n in busy) if self.deliveries else frozenset()
        kept = flying | (frozenset(self.pick(n) for n in held) if self.deliveries else frozenset())
        new_id = self.make.ids.take()
        self.since = new_id if is_new_run else self.since
        self.both(lambda store: store.waiting(destination, flying))
        spill = Spill(destination, keep, flying, kept, new_id, self.since, self.clock.ms)
        spilled = self.both(lambda store: store.digest(spill))
        if spilled.made:
            self.deliveries.append(new_id)
            self.homes[new_id] = "default"

    @precondition(lambda self: self.deliveries)
    @rule(chosen=st.lists(picks, min_size=1, max_size=5), to=st.none() | destinations, again=st.booleans())
    def begin_replay(self, chosen: list[int], to: int | None, *, again: bool) -> None:
        """Ask for a replay of many."""
        number, origins = self.make.ids.take(), [self.pick(n) for n in chosen]
        replay = Replay(number, "default", "ann", b"{}", to, number if again else 0, 1.0, len(origins))
        self.both(lambda store: store.begin_replay(replay, origins))
        self.replays.append(number)

    @precondition(lambda self: self.replays)
    @rule(which=picks, count=st.integers(1, 3), there=st.frozensets(destinations))
    def step_replay(self, which: int, count: int, there: frozenset[int]) -> None:
        """Send some of it, unless retention has taken it."""
        number, first = self.replays[which % len(self.replays)], self.make.ids.take(count)
        answer = self.both(lambda store: store.step_replay(number, first, count, self.clock.ms, there))
        for delivery in answer[1] if isinstance(answer[0], Replay) else ():
            self.deliveries.append(delivery.id)
            self.homes[delivery.id] = self.homes[delivery.replay_of]

    @precondition(lambda self: self.replays)
    @rule(which=picks)
    def end_replay(self, which: int) -> None:
        """End one, and list what there is."""
        number = self.replays[which % len(self.replays)]
        self.both(lambda store: store.end_replay(number, ReplayState.CANCELLED, "by bob", self.clock.ms))
        self.both(lambda store: store.replays(None, None, 5))
        self.both(lambda store: store.running_replays())

    @rule(event=picks, outcome=picks, limit=st.integers(1, 5))
    def follow(self, event: int, outcome: int, limit: int) -> None:
        """Read on from a place."""
        head = self.both(lambda store: store.head())
        after = Position(self.events[event % len(self.events)] if self.events else 0, outcome % (head.outcome + 1))
        self.both(lambda store: store.happened(after, limit))
        self.both(lambda store: store.oldest_outcome())

    @rule(number=picks, limit=st.integers(1, 4))
    def fold_facts(self, number: int, limit: int) -> None:
        """Read what facts are folded from."""
        event = self.events[number % len(self.events)] - 1 if self.events else 0
        self.both(lambda store: store.events_after(event, limit))
        delivery = self.pick(number) - 1 if self.deliveries else 0
        self.both(lambda store: store.ended_after(delivery, limit))


# Thousands of commits: on a disk that others use, too, each waits for it.
TestStoresAgreeOnMore = pytest.mark.timeout(600)(StoresAgreeOnMore.TestCase)
TestStoresAgreeOnMore.settings = settings(
    max_examples=30, stateful_step_count=30, suppress_health_check=list(HealthCheck)
)
