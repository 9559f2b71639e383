"""Random operations do to the SQLite store exactly what they do to the one in memory."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from typing_extensions import override

from alertd.errors import AlertdError, DuplicateEventsError
from alertd.model.delivery import DeliveryState
from alertd.store.base import Acknowledgement, Batch, Filter
from alertd.store.memory import MemoryStore
from alertd.store.replaying import ReplayRule
from alertd.store.sqlite import shapes, walks
from alertd.store.sqlite.connection import SqliteOptions
from alertd.store.sqlite.store import SqliteStore, open_sqlite
from tests.conformance.store_maker import NAMES, Maker, StillClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from alertd.store.base import Store

T = TypeVar("T")
DESTINATIONS = (3, 4, 6)
IDS = ("a", "b", "c", "0a4ff7b3-93b9-4cc5-ac61-9e13b4cbb2c7", None)
OPTIONS = SqliteOptions(recent_keys=3)
"""Keys are merged after every few events."""
destinations = st.sampled_from(DESTINATIONS)
picks = st.integers(0, 10**6)
present = st.none() | st.frozensets(destinations)


class StoresAgree(RuleBasedStateMachine):
    """Two stores, the same calls."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.place = self.folder / "a.db"
        self.crashes = 0
        self.clock = StillClock()
        self.sqlite: SqliteStore = self.run(open_sqlite(self.place, self.clock, OPTIONS))
        self.memory = MemoryStore(self.clock, self.sqlite.salt)
        self.make = Maker(self.clock, self.sqlite.salt)
        self.deliveries: list[int] = []
        self.events: list[int] = []
        self.homes: dict[int, str] = {}
        self.made: list[str] = []
        self.bounds = (walks.QUICK, shapes.OUTLINE_EVENTS)
        walks.QUICK, shapes.OUTLINE_EVENTS = 2, 4
        self.learn_names()

    @override
    def teardown(self) -> None:
        """Close and clean up."""
        walks.QUICK, shapes.OUTLINE_EVENTS = self.bounds
        self.run(self.sqlite.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self.folder)

    def run(self, work: Awaitable[T]) -> T:
        """Run something on this machine's loop."""

        async def main() -> T:
            return await work

        return self.loop.run_until_complete(main())

    def both(self, call: Callable[[Store], Awaitable[Any]]) -> Any:
        """Ask both stores; they must answer, or refuse, alike."""
        answers = [self.run(_answer(call(store))) for store in (self.sqlite, self.memory)]
        assert answers[0] == answers[1]
        return answers[0]

    def learn_names(self) -> None:
        """Name what there is, as at every start: a name that nothing was stored with is gone after a kill."""
        self.both(lambda store: store.intern(NAMES))

    def pick(self, number: int) -> int:
        """Choose a delivery that was made at some time."""
        return self.deliveries[number % len(self.deliveries)]

    @rule()
    def open_again(self) -> None:
        """Close the file and open it again: all that counts is in it."""
        self.run(self.sqlite.close())
        self.sqlite = self.run(open_sqlite(self.place, self.clock, OPTIONS))

    @rule(ms=st.integers(1, 50))
    def time_passes(self, ms: int) -> None:
        """Move the clock."""
        self.clock.ms += ms

    @rule(
        events=st.lists(
            st.tuples(
                st.sampled_from(IDS),
                st.lists(destinations, max_size=3).map(tuple),
                st.sampled_from(("default", "other")),
                st.sampled_from(("shop", "blog")),
            ),
            max_size=6,
        ),
        offset=st.integers(0, 99),
        resend=picks,
    )
    def commit(self, events: list[tuple[str | None, tuple[int, ...], str, str]], offset: int, resend: int) -> None:
        """Commit a batch, sometimes with ids that are known, or made before."""
        plans = [self.make.plan(i, to=_own(to, w), workspace=w, project=p) for i, to, w, p in events]
        if self.made and resend % 3 == 0:
            plans.append(self.make.plan(self.made[resend % len(self.made)]))
        answer = self.both(lambda store: store.commit(Batch(1, plans, {("t", 0): offset})))
        if answer is None:
            self.deliveries += [d.id for plan in plans for d in plan.deliveries]
            self.homes |= {d.id: plan.event.workspace for plan in plans for d in plan.deliveries}
            self.events += [plan.number for plan in plans]
            self.made += [plan.event.id for plan in plans if plan.event.made]

    @precondition(lambda self: self.deliveries)
    @rule(
        chosen=st.lists(
            st.tuples(picks, st.integers(1, 4), st.sampled_from(list(DeliveryState)[1:4])), min_size=1, max_size=5
        )
    )
    def record(self, chosen: list[tuple[int, int, DeliveryState]]) -> None:
        """Record attempts, sensible or not."""
        attempts = [self.make.attempt(self.pick(n), number, state, 30) for n, number, state in chosen]
        self.both(lambda store: store.record(attempts))

    @precondition(lambda self: self.deliveries)
    @rule(number=picks)
    def cancel(self, number: int) -> None:
        """Cancel one."""
        self.both(lambda store: store.cancel(self.pick(number), "because"))

    @rule(destination=destinations, held=st.lists(picks, max_size=3))
    def cancel_destination(self, destination: int, held: list[int]) -> None:
        """Cancel a destination's."""
        kept = {self.pick(n) for n in held} if self.deliveries else set()
        self.both(lambda store: store.cancel_destination(destination, "gone", kept))

    @rule(destination=destinations, age=st.integers(0, 100))
    def expire(self, destination: int, age: int) -> None:
        """Give up what is old."""
        self.both(lambda store: store.expire(destination, self.clock.ms - age, "too old", ()))

    @rule(destination=destinations, held=st.lists(picks, max_size=3))
    def hasten(self, destination: int, held: list[int]) -> None:
        """Make due what waits for later."""
        kept = {self.pick(n) for n in held} if self.deliveries else set()
        self.both(lambda store: store.hasten(destination, kept))

    @precondition(lambda self: self.deliveries)
    @rule(number=picks)
    def replay(self, number: int) -> None:
        """Send one again."""
        origin, new_id = self.pick(number), self.make.ids.take()
        if not isinstance(self.both(lambda store: store.replay(origin, new_id, self.clock.ms)), tuple):
            self.deliveries.append(new_id)
            self.homes[new_id] = self.homes[origin]

    @precondition(lambda self: self.deliveries)
    @rule(
        chosen=st.lists(picks, min_size=1, max_size=4),
        to=st.none() | destinations,
        since=st.none() | picks,
        there=present,
    )
    def replay_many(self, chosen: list[int], to: int | None, since: int | None, there: frozenset[int] | None) -> None:
        """Send some again."""
        origins = [self.pick(number) for number in chosen]
        pairs = [(n, self.make.ids.take()) for n in origins if to is None or _own((to,), self.homes[n])]
        rule = ReplayRule(to, 0 if since is None else self.pick(since), present=there)
        self.both(lambda store: store.replayable(origins, rule))
        made = self.both(lambda store: store.replay_many(pairs, self.clock.ms, rule))
        self.deliveries += [delivery.id for delivery in made]
        self.homes |= {delivery.id: self.homes[delivery.replay_of] for delivery in made}

    @precondition(lambda self: self.events)
    @rule(number=picks, actor=st.sampled_from(("ann", "bob")))
    def acknowledge(self, number: int, actor: str) -> None:
        """Take note of an alert, which may be gone."""
        taken = Acknowledgement(actor, self.clock.ms)
        self.both(lambda store: store.acknowledge(self.events[number % len(self.events)], taken))

    @rule()
    def fold(self) -> None:
        """Make a block of what is outlined."""
        self.run(self.sqlite.fold(1))

    @rule(age=st.integers(0, 100), limit=st.integers(1, 5))
    def retain(self, age: int, limit: int) -> None:
        """Delete what is old, to the end."""
        while self.both(lambda store: store.retain(self.clock.ms - age, limit)):
            pass

    @rule()
    def reopen(self) -> None:
        """Close the file and open it again."""
        self.run(self.sqlite.close())
        self.sqlite = self.run(open_sqlite(self.place, self.clock))

    @rule()
    def crash(self) -> None:
        """Go on with the files as they are now, as after a kill: what was acknowledged is there, and is found."""
        self.crashes += 1
        left, found = self.place, self.folder / f"{self.crashes}.db"
        for ending in ("", "-wal"):
            shutil.copy(f"{left}{ending}", f"{found}{ending}")
        self.run(self.sqlite.close())
        self.place = found
        self.sqlite = self.run(open_sqlite(self.place, self.clock, OPTIONS))
        self.learn_names()
        for project in ("shop", "blog"):
            self.both(lambda store, project=project: store.events(Filter(project=project)))  # type: ignore[misc]  # a lambda's default has no type

    @rule(destination=destinations, limit=st.integers(1, 5), held=st.lists(picks, max_size=3))
    def due(self, destination: int, limit: int, held: list[int]) -> None:
        """Claim."""
        kept = {self.pick(n) for n in held} if self.deliveries else set()
        self.both(lambda store: store.due(destination, self.clock.ms, limit, kept))

    @rule(
        workspace=st.sampled_from((None, "default", "other")),
        project=st.sampled_from((None, "shop")),
        destination=st.sampled_from((None, "d0", "d1")),
        subscription=st.sampled_from((None, None, "s0", "s1")),
        state=st.sampled_from((None, "in_flight", *(state.word for state in DeliveryState))),
        acknowledged=st.sampled_from((None, None, True, False)),
        text=st.sampled_from((None, None, "SHOP", "try 1")),
        limit=st.integers(1, 4),
        since=st.none() | st.integers(0, 100),
        flying=st.lists(picks, max_size=3),
    )
    def look(self, since: int | None, flying: list[int], **fields: Any) -> None:
        """Read pages."""
        since_ms = None if since is None else self.clock.ms - since
        in_flight = frozenset(self.pick(number) for number in flying) if self.deliveries else frozenset()
        which = Filter(since_ms=since_ms, in_flight=in_flight, **fields)
        self.both(lambda store: store.events(which))
        self.both(lambda store: store.deliveries(which))

    @invariant()
    def all_is_equal(self) -> None:
        """Counts, work, positions, numbers and every delivery's attempts are the same."""
        self.both(lambda store: store.outbox_counts())
        self.both(lambda store: _sorted(store.destinations_with_work()))
        self.both(lambda store: store.positions())
        self.both(lambda store: store.newest_number())
        self.both(lambda store: store.deliveries(Filter(limit=1000)))
        self.both(lambda store: store.deliveries_of(self.events[-5:]))
        self.both(lambda store: store.attempts_of(self.deliveries[-5:]))
        self.both(lambda store: store.acknowledgements(self.events[-5:]))
        for number in self.deliveries[-5:]:
            self.both(lambda store, number=number: store.attempts(number))  # type: ignore[misc]  # a lambda's default has no type


def _own(to: tuple[int, ...], workspace: str) -> tuple[int, ...]:
    """Choose the destinations that belong to a workspace."""
    return tuple(number for number in to if NAMES[number - 1][1] == workspace)


async def _answer(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except DuplicateEventsError as error:
        return (DuplicateEventsError, error.known)
    except AlertdError as error:
        return (type(error),)


async def _sorted(call: Awaitable[list[int]]) -> list[int]:
    return sorted(await call)


# Thousands of commits: on a disk that others use, too, each waits for it.
TestStoresAgree = pytest.mark.timeout(600)(StoresAgree.TestCase)
TestStoresAgree.settings = settings(max_examples=25, stateful_step_count=25, suppress_health_check=list(HealthCheck))
