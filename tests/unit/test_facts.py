"""Facts about subscriptions and types: exact while the daemon runs, bounded, and written in time."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

import alertd.facts
from alertd.errors import StoreUnavailableError
from alertd.facts import UNSEEN_DAYS, Facts
from alertd.metrics import Metrics
from alertd.model.delivery import Attempt, Delivery, DeliveryState, Outcome, OutcomeKind
from alertd.model.fact import SubscriptionFacts, TypeFacts
from alertd.model.verdict import Verdict, VerdictCode
from alertd.store.memory import MemoryStore
from tests.conformance.store_maker import NAMES, START_MS, Maker, StillClock
from tests.unit.engine.timeline import compiled

if TYPE_CHECKING:
    from alertd.engine.plan import Plan
    from alertd.store.facts import KeptFacts

DAY_MS = 86_400_000


class Bench:
    """Facts over a store in memory."""

    def __init__(self) -> None:
        self.clock = StillClock()
        self.store = MemoryStore(self.clock)
        self.metrics = Metrics()
        self.make = Maker(self.clock, self.store.salt)
        self.facts = Facts(self.store, self.clock, self.metrics.types_unlearnt)

    def plan(self, *types: str, verdicts: list[Verdict] | None = None) -> list[Plan]:
        """Plan events and tell the facts."""
        plans = [self.make.plan(event_type=name, verdicts=verdicts) for name in types]
        decided = Counter((v.subscription_id, v.code) for plan in plans for v in plan.verdicts)
        self.facts.planned(plans, decided)
        return plans

    def end(self, delivery: Delivery, state: DeliveryState, detail: str = "") -> None:
        """Tell the facts how a delivery ended."""
        kind = OutcomeKind.DELIVERED if state is DeliveryState.DELIVERED else OutcomeKind.REJECTED
        self.facts.finished(delivery, Attempt(delivery.id, 1, self.clock.ms, 1, Outcome(kind, detail=detail), state))

    def unlearnt(self) -> float:
        """Read the metric."""
        return self.metrics.registry.get_sample_value("alertd_types_unlearnt_total") or 0


@pytest.fixture
async def bench() -> Bench:
    """Make one with names."""
    made = Bench()
    await made.store.intern(NAMES)
    await made.facts.load(0)
    return made


async def test_a_subscription_that_never_fired_is_all_zero(bench: Bench) -> None:
    """Also one that nobody knows."""
    assert bench.facts.subscription(99) == SubscriptionFacts()


async def test_fired_is_what_matched_delivered_or_not(bench: Bench) -> None:
    """A verdict against sending fires too; only what was sent is counted as sent."""
    bench.plan("a", verdicts=[Verdict(7, 5, VerdictCode.SEVERITY), Verdict(6, 5, VerdictCode.SENT)])
    bench.clock.ms += 5
    bench.plan("a", "a", verdicts=[Verdict(7, 5, VerdictCode.COOLDOWN, 3)])
    assert bench.facts.subscription(7) == SubscriptionFacts(3, 0, last_fired_at_ms=START_MS + 5)
    assert bench.facts.subscription(6) == SubscriptionFacts(1, 1, last_fired_at_ms=START_MS)


async def test_ends_are_told_to_every_subscription_that_a_delivery_serves(bench: Bench) -> None:
    """The last success with its time, the last error with its time and words; one does not wipe out the other."""
    (plan,) = bench.plan("a")
    delivery = plan.deliveries[0]
    delivery.also = (6,)
    bench.end(delivery, DeliveryState.DEAD, "webhook: returned 503")
    bench.clock.ms += 7
    bench.end(delivery, DeliveryState.DELIVERED)
    for number in (7, 6):
        facts = bench.facts.subscription(number)
        assert (facts.delivered, facts.failed) == (1, 1)
        assert (facts.last_error, facts.last_error_at_ms) == ("webhook: returned 503", START_MS)
        assert facts.last_success_at_ms == START_MS + 7


async def test_types_are_learnt(bench: Bench) -> None:
    """First seen, last seen, how many, in each workspace on its own."""
    bench.plan("a", "b", "a")
    bench.clock.ms += 9
    bench.plan("a")
    assert bench.facts.types(1) == {"a": TypeFacts(START_MS, START_MS + 9, 3), "b": TypeFacts(START_MS, START_MS, 1)}
    assert bench.facts.type(1, "b") == TypeFacts(START_MS, START_MS, 1)
    assert bench.facts.type(2, "b") is None
    assert bench.facts.types(2) == {}


async def test_types_are_learnt_up_to_a_bound(bench: Bench) -> None:
    """Beyond it what is new is counted and not learnt; what is learnt goes on, and so does what the catalogues know."""
    ruleset = compiled(learnt_types_max=2)
    assert ruleset.workspaces["default"].id == 1
    bench.facts.use(ruleset)
    bench.plan("a", "b", "c", "c", "a", "app_deployed")
    assert set(bench.facts.types(1)) == {"a", "b", "app_deployed"}
    assert bench.unlearnt() == 2
    bench.plan("a", "d")
    assert bench.facts.types(1)["a"].events == 3
    assert bench.unlearnt() == 3


async def test_types_that_are_never_seen_any_more_are_forgotten(bench: Bench) -> None:
    """They make room for others, in memory and in the store."""
    bench.facts.use(compiled(learnt_types_max=2))
    bench.plan("old", "young")
    await bench.facts.keep()
    bench.clock.ms += UNSEEN_DAYS * DAY_MS
    bench.plan("young")
    bench.clock.ms += 1
    await bench.facts.keep()
    assert set(bench.facts.types(1)) == {"young"}
    assert set((await bench.store.facts()).types) == {(1, "young")}
    bench.plan("new")
    assert set(bench.facts.types(1)) == {"young", "new"}


async def test_only_what_has_changed_is_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing when nothing has happened; after a failure all of it again."""
    written: list[KeptFacts] = []
    keep = bench.store.keep_facts
    errors: list[Exception] = []

    async def scripted(changed: KeptFacts) -> None:
        if errors:
            raise errors.pop()
        written.append(changed)
        await keep(changed)

    monkeypatch.setattr(bench.store, "keep_facts", scripted)
    await bench.facts.keep()
    assert written == []
    plans = bench.plan("a")
    errors.append(StoreUnavailableError("full"))
    with pytest.raises(StoreUnavailableError):
        await bench.facts.keep()
    bench.end(plans[0].deliveries[0], DeliveryState.DELIVERED)
    await bench.facts.keep()
    await bench.facts.keep()
    (one,) = written
    assert (one.through, one.ended) == (plans[0].number, plans[0].deliveries[0].id)
    assert (set(one.subscriptions), set(one.types)) == ({7}, {(1, "a")})


async def test_what_was_to_be_forgotten_is_when_the_store_can_write_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a day later; and not a type that has come again meanwhile."""
    keep = bench.store.keep_facts

    async def failing(changed: KeptFacts) -> None:
        raise StoreUnavailableError("disk full")

    bench.plan("old", "back")
    await bench.facts.keep()
    bench.clock.ms += (UNSEEN_DAYS + 1) * DAY_MS
    monkeypatch.setattr(bench.store, "keep_facts", failing)
    with pytest.raises(StoreUnavailableError):
        await bench.facts.keep()
    bench.plan("back")
    monkeypatch.setattr(bench.store, "keep_facts", keep)
    await bench.facts.keep()
    assert set((await bench.store.facts()).types) == {(1, "back")}


async def test_a_write_that_is_cut_is_made_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is cancelled while the store takes its time forgets nothing of what has changed."""
    keep = bench.store.keep_facts
    asked = asyncio.Event()

    async def hanging(changed: KeptFacts) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(bench.store, "keep_facts", hanging)
    bench.plan("a")
    keeping = asyncio.create_task(bench.facts.keep())
    async with asyncio.timeout(60):
        await asked.wait()
        bench.plan("b")
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping
    monkeypatch.setattr(bench.store, "keep_facts", keep)
    await bench.facts.keep()
    assert set((await bench.store.facts()).types) == {(1, "a"), (1, "b")}


async def test_the_service_writes_while_it_runs_and_at_its_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that fails is tried again; what happened before the stop is in."""
    monkeypatch.setattr(alertd.facts, "KEEP_SECONDS", 0.005)
    failing = [StoreUnavailableError("full")]
    keep = bench.store.keep_facts

    async def scripted(changed: Any) -> None:
        if failing:
            raise failing.pop()
        await keep(changed)
        written.set()

    monkeypatch.setattr(bench.store, "keep_facts", scripted)
    written = asyncio.Event()
    running = asyncio.create_task(bench.facts.run())
    bench.plan("a")
    async with asyncio.timeout(60):
        await written.wait()
        bench.plan("b")
        bench.facts.stop()
        await running
    assert set((await bench.store.facts()).types) == {(1, "a"), (1, "b")}


async def test_a_store_with_a_past_begins_with_what_comes(bench: Bench) -> None:
    """The first start of a version that keeps facts does not read a history of millions."""
    await bench.make.stored(bench.store, "a")
    later = Facts(bench.store, bench.clock, bench.metrics.types_unlearnt)
    await later.load(await bench.store.newest_number())
    assert later.types(1) == {}
