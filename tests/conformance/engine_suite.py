"""What every store promises about the engine's memory, facts and rulesets, as tests.

The fixtures are those of the store suite; `reopen` gives the same store as a new process would find it.
"""

from __future__ import annotations

from collections import Counter

import pytest

from alertd.engine.metric import LATE_MS
from alertd.engine.state import Count, RuleKey, Series
from alertd.errors import DuplicateEventsError
from alertd.facts import Facts
from alertd.metrics import Metrics
from alertd.model.delivery import DeliveryState
from alertd.model.fact import SubscriptionFacts, TypeFacts
from alertd.model.verdict import Verdict, VerdictCode, Violation, decode, decode_violations
from alertd.store.base import Batch, Filter, Store
from alertd.store.facts import KeptFacts
from alertd.store.resource import RulesetDocument
from tests.conformance.store_case import Reopen, StoreCase
from tests.conformance.store_maker import START_MS, Maker, StillClock

FAR_MS = START_MS + 10**9


def key(number: int, name: str = "k") -> RuleKey:
    """Make a key."""
    return (number, "p", "e", name)


def ruleset(revision: int, document: bytes) -> RulesetDocument:
    """Cut a document into its lines."""
    return RulesetDocument(revision, tuple(document.split(b"\n")))


class EngineSuite(StoreCase):
    """The promises."""

    # -- the engine's memory --------------------------------------------------------------------------------------

    async def test_counts_go_with_a_commit(self, store: Store, make: Maker, reopen: Reopen) -> None:
        """Counts take the last value; those that are over are not given back; all of it is there again."""
        await store.commit(Batch(counts={key(1): Count(1, 100), key(2): Count(7, 200)}))
        await store.commit(Batch(1, [make.plan()], counts={key(1): Count(2, 300)}))
        assert await store.counts(199) == {key(1): Count(2, 300), key(2): Count(7, 200)}
        assert await store.counts(200) == {key(1): Count(2, 300)}
        again = await reopen()
        assert await again.counts(0) == {key(1): Count(2, 300), key(2): Count(7, 200)}

    async def test_series_go_with_a_commit(self, store: Store, make: Maker, reopen: Reopen) -> None:
        """Series come back as they were, and one that is None is forgotten."""
        good, bad = Series(1.5, 10, 9), Series(-2.0, 11, 11, 5, 6)
        await store.commit(Batch(series={key(1): good, key(2): bad, key(3): good}))
        await store.commit(Batch(1, [make.plan()], series={key(1): None, key(3): bad, key(4): None}))
        assert await store.series() == {key(2): bad, key(3): bad}
        again = await reopen()
        assert await again.series() == {key(2): bad, key(3): bad}

    @pytest.mark.parametrize("count", [1, 5, 501, 1234])
    async def test_state_of_any_size(self, store: Store, count: int) -> None:
        """However much a batch changes, all of it is kept."""
        counts = {key(n): Count(n, FAR_MS) for n in range(1, count + 1)}
        series = {key(n): Series(float(n), n, n) for n in range(1, count + 1)}
        await store.commit(Batch(counts=counts, series={**series}))
        assert await store.counts(0) == counts
        assert await store.series() == series

    async def test_refused_commit_changes_no_state(self, store: Store, make: Maker) -> None:
        """Counts and series go with the events that are refused."""
        await make.stored(store, "known")
        batch = Batch(1, [make.plan("known")], counts={key(1): Count(1, FAR_MS)}, series={key(1): Series(1, 1, 1)})
        with pytest.raises(DuplicateEventsError):
            await store.commit(batch)
        assert await store.counts(0) == {}
        assert await store.series() == {}

    async def test_forget_takes_what_is_over(self, store: Store) -> None:
        """Cooldowns and counts at their end, series that are good and old; what is left is as it was."""
        now = START_MS
        cooldowns = {key(n): now + n % 2 for n in range(1, 1300)}
        counts = {key(n): Count(n, now + n % 2) for n in range(1, 1300)}
        old, young, bad = Series(1, now - LATE_MS, 1), Series(1, now - LATE_MS + 1, 1), Series(1, 0, 0, 0)
        await store.commit(Batch(cooldowns=cooldowns, counts=counts, series={key(1): old, key(2): young, key(3): bad}))
        assert await store.forget(now) == 649 + 649 + 1
        assert await store.forget(now) == 0
        assert set(await store.cooldowns(0)) == set(await store.counts(0)) == {key(n) for n in range(1, 1300, 2)}
        assert await store.series() == {key(2): young, key(3): bad}

    # -- violations -----------------------------------------------------------------------------------------------

    async def test_violations_are_kept_with_an_event(self, store: Store, make: Maker) -> None:
        """Beside its verdicts, or without any."""
        told = (Violation("/data/run_id", "is no integer"), Violation("/data", "é\u0000"))
        for to in ((), (3,)):
            plan = make.plan(to=to)
            plan.violations = told
            await store.commit(Batch(1, [plan]))
            row = await store.event("default", plan.event.id)
            assert row is not None
            assert decode(row["verdicts"]) == plan.verdicts
            assert tuple(decode_violations(row["verdicts"])) == told

    # -- facts ----------------------------------------------------------------------------------------------------

    async def test_a_fresh_store_has_no_facts(self, store: Store) -> None:
        """Nothing was kept, and how far is not known."""
        assert await store.facts() == KeptFacts()

    async def test_facts_are_kept(self, store: Store, reopen: Reopen) -> None:
        """The last value of each counts; forgotten types go."""
        one = SubscriptionFacts(3, 2, 1, 1, 10, 11, "webhook: returned 503", 12)
        types = {(1, f"t{n}"): TypeFacts(n, n + 1, n + 2) for n in range(700)}
        await store.keep_facts(KeptFacts(7, 8, {1: SubscriptionFacts(1), 2: SubscriptionFacts()}, types))
        await store.keep_facts(KeptFacts(9, 12, {1: one}, {(1, "t0"): TypeFacts(0, 5, 6)}, [(1, "t1"), (2, "t2")]))
        del types[1, "t1"]
        types[1, "t0"] = TypeFacts(0, 5, 6)
        again = await reopen()
        assert await again.facts() == KeptFacts(9, 12, {1: one, 2: SubscriptionFacts()}, types)

    async def test_the_history_is_read_from_where_facts_end(self, store: Store, make: Maker) -> None:
        """Events after a number come in order and in pages; of deliveries those that were delivered or are dead."""
        plans = [make.plan(f"e{n}", to=(3, 4)) for n in range(5)]
        await store.commit(Batch(1, plans))
        first, *_, last = (d.id for plan in plans for d in plan.deliveries)
        dead = make.attempt(last, state=DeliveryState.DEAD)
        await store.record([make.attempt(first), dead, make.attempt(first + 1, state=DeliveryState.RETRYING)])
        page = await store.events_after(plans[0].number, 3)
        assert [event.number for event in page] == [plan.number for plan in plans[1:4]]
        assert (page[0].workspace_id, page[0].type, decode(page[0].verdicts)) == (1, "run:failed", plans[1].verdicts)
        ended = await store.ended_after(0, 10)
        assert [(d.id, d.subscription_id, d.state) for d in ended] == [
            (first, 7, DeliveryState.DELIVERED),
            (last, 7, DeliveryState.DEAD),
        ]
        assert (ended[1].ended_at_ms, ended[1].detail) == (dead.started_at_ms, "try 1 failed")
        assert await store.ended_after(last, 10) == []

    async def test_what_is_simulated_is_known_as_such(self, store: Store, make: Maker) -> None:
        """Its events and their deliveries are marked where the history is read; what only says the word is not."""
        plans = [make.plan(f"e{n}", to=(3,)) for n in range(2)]
        for plan, member in zip(
            plans, (b'"source":"alertd/simulation"', b'"message":"source: alertd/simulation"'), strict=True
        ):
            plan.event.payload = b"{" + member + b"," + plan.event.payload[1:]
            plan.deliveries[0].payload = plan.event.payload
        await store.commit(Batch(1, plans))
        await store.record([make.attempt(plan.deliveries[0].id) for plan in plans])
        assert [event.is_simulated for event in await store.events_after(0, 10)] == [True, False]
        assert [delivery.is_simulated for delivery in await store.ended_after(0, 10)] == [True, False]

    async def test_whom_a_delivery_serves_outlives_a_restart(
        self, store: Store, make: Maker, clock: StillClock, reopen: Reopen
    ) -> None:
        """Every subscription of a shared delivery is known when it is read back, when it has ended, and of its replay."""
        shared, own = make.plan("a"), make.plan("b")
        shared.deliveries[0].also = (8, 9)
        await store.commit(Batch(1, [shared, own]))
        again = await reopen()
        rows = (await again.deliveries(Filter(subscription="s1"))).items
        assert [(row["id"], row["subscription_id"], row["also"]) for row in rows] == [
            (shared.deliveries[0].id, 7, (8, 9))
        ]
        due = (await again.due(3, clock.ms, 10, ())).deliveries
        assert [(d.subscription_id, d.also) for d in due] == [(7, (8, 9)), (7, ())]
        await again.record([make.attempt(d.id) for d in due])
        assert [d.also for d in await again.ended_after(0, 10)] == [(8, 9), ()]
        repeat = await again.replay(due[0].id, make.ids.take(), clock.ms)
        assert repeat.also == (8, 9)
        assert [d.also for d in (await again.due(3, clock.ms, 10, ())).deliveries] == [(8, 9)]

    async def test_facts_after_a_crash_are_those_before_it(
        self, store: Store, make: Maker, clock: StillClock, reopen: Reopen
    ) -> None:
        """What was not written yet is folded from the history when the facts are loaded again."""
        facts = Facts(store, clock, Metrics().types_unlearnt)
        await facts.load(await store.newest_number())

        async def commit(*names: str, kind: str) -> None:
            clock.ms += 1000
            verdicts = [Verdict(7, 5, VerdictCode.SENT), Verdict(6, 5, VerdictCode.COOLDOWN, 3)]
            plans = [make.plan(name, event_type=kind, verdicts=verdicts) for name in names]
            await store.commit(Batch(1, plans))
            facts.planned(plans, Counter((v.subscription_id, v.code) for plan in plans for v in plan.verdicts))
            for plan in plans:
                attempt = make.attempt(plan.deliveries[0].id)
                await store.record([attempt])
                facts.finished(plan.deliveries[0], attempt)

        await commit("a", "b", kind="run:failed")
        await facts.keep()
        await commit("c", kind="run:failed")
        await commit("d", "e", kind="boom")
        again = await reopen()
        loaded = Facts(again, clock, Metrics().types_unlearnt)
        await loaded.load(await again.newest_number())
        assert loaded.subscription(7) == facts.subscription(7)
        assert facts.subscription(7) == SubscriptionFacts(5, 5, 5, 0, clock.ms, clock.ms)
        assert loaded.subscription(6) == facts.subscription(6) == SubscriptionFacts(5, 0, last_fired_at_ms=clock.ms)
        await loaded.keep()
        twice = Facts(again, clock, Metrics().types_unlearnt)
        await twice.load(await again.newest_number())
        assert twice.subscription(7) == facts.subscription(7)
        assert twice.types(1) == loaded.types(1) == facts.types(1)
        assert facts.types(1)["run:failed"] == TypeFacts(clock.ms - 2000, clock.ms - 1000, 3)

    # -- rulesets -------------------------------------------------------------------------------------------------

    async def test_rulesets_come_back_to_the_byte(self, store: Store, reopen: Reopen) -> None:
        """Each revision as it was kept: alike, changed here and there, wholly different, empty."""
        lines = [f'{{"name":"c{n}","pattern":"agent{n}.*"}}' for n in range(500)]
        documents = []
        for n in range(1, 260):
            if n % 50 == 0:
                lines = [f'{{"name":"x{n}{m}"}}' for m in range(500)]
            lines[n % 500] = f'{{"name":"changed{n}é"}}'
            documents.append("[" + ",\n".join(lines[: 500 - n % 7]) + "]\n\n")
        documents += ["", "one line", "one line"]
        for revision, document in enumerate(documents, 1):
            await store.keep_revision(ruleset(revision, document.encode()))
        again = await reopen()
        for revision, document in enumerate(documents, 1):
            assert await again.revision(revision) == document.encode()
        assert await again.revision(len(documents) + 1) is None

    async def test_rulesets_go_with_the_last_of_their_events(self, store: Store, make: Maker) -> None:
        """Those before the oldest event that is left go, but what others are written against; the newest always stays."""
        for revision in range(1, 8):
            await store.keep_revision(ruleset(revision, b"a\n" * 100 + str(revision).encode()))
            if revision in {3, 5}:
                await store.commit(Batch(revision, [make.plan(f"e{revision}", to=())]))
        await store.forget_revisions()
        assert await store.revision(2) is None
        assert [await store.revision(n) is not None for n in range(3, 8)] == [True] * 5
        await store.retain(FAR_MS, 10)
        await store.forget_revisions()
        assert await store.revision(5) is None
        assert await store.revision(7) == b"a\n" * 100 + b"7"
