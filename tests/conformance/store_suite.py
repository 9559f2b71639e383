"""What every store promises, as tests. A store passes by subclassing `StoreSuite` and giving it an open `store`.

The fixture `clock` stands still; the fixture `store` must be fresh and use it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import orjson
import pytest
from typing_extensions import override

from alertd.errors import ConflictError, DuplicateEventsError, NotFoundError, StoreError, StoreUnavailableError
from alertd.model.delivery import DeliveryState, OutcomeKind
from alertd.model.ids import made_event_id, milliseconds
from alertd.model.token import Role, Token
from alertd.model.verdict import Verdict, VerdictCode, decode
from alertd.store.base import Batch, DestinationState, Filter, RejectedRecord, Store
from alertd.store.resource import AuditFilter
from tests.conformance.resource_suite import entry
from tests.conformance.store_case import StoreCase
from tests.conformance.store_maker import NAMES, START_MS, Maker, StillClock

PENDING, RETRYING, DELIVERED = DeliveryState.PENDING, DeliveryState.RETRYING, DeliveryState.DELIVERED
DEAD, CANCELLED = DeliveryState.DEAD, DeliveryState.CANCELLED
FAR_MS = START_MS + 10**9


def rejected(number: int, workspace: str = "default", offset: int = 0) -> RejectedRecord:
    """Make a rejected record."""
    return RejectedRecord(number, workspace, "events", 0, offset, "not JSON", b"\xff{", 4, "[]")


class StoreSuite(StoreCase):
    """The promises, in the order of the protocols."""

    @override
    @pytest.fixture
    async def make(self, store: Store, clock: StillClock) -> Maker:
        """Give every name its number and make plans with them."""
        numbers = await store.intern(NAMES)
        assert [numbers[key] for key in NAMES] == list(range(1, len(NAMES) + 1))
        return Maker(clock, store.salt)

    # -- the pipeline ---------------------------------------------------------------------------------------------

    async def test_commit_keeps_everything_of_an_event(self, store: Store, make: Maker) -> None:
        """An event comes back as it was planned: type, payload bytes, verdicts, revision."""
        verdicts = [Verdict(7, 5, VerdictCode.COOLDOWN, 12, ((3, VerdictCode.DESTINATION_DISABLED),))]
        plan = make.plan("a", to=(), verdicts=verdicts)
        await store.commit(Batch(42, [plan]))
        row = await store.event("default", "a")
        assert row is not None
        assert decode(row.pop("verdicts")) == verdicts
        assert row == {
            "number": plan.number, "workspace_id": 1, "type": "run:failed", "matched": False,
            "payload": plan.event.payload, "revision": 42,
        }  # fmt: skip
        assert await store.event_by_number(plan.number) == await store.event("default", "a")

    async def test_commit_keeps_little_of_one_of_many(self, store: Store, make: Maker) -> None:
        """Of an event that the plan calls thinned, what is left of it is stored."""
        plan = make.plan("a", to=())
        plan.event.body["data"] = {"title": "t", "stacktrace": {"frames": []}}
        plan.is_thinned = True
        await store.commit(Batch(42, [plan]))
        row = await store.event("default", "a")
        assert row is not None
        stored = orjson.loads(row["payload"])
        assert stored == {**plan.event.body, "data": {"title": "t", "trimmed": ["stacktrace"]}}

    async def test_commit_of_nothing_is_fine(self, store: Store) -> None:
        """An empty batch stores nothing and does not fail."""
        await store.commit(Batch())
        assert await store.positions() == {}

    @pytest.mark.parametrize("count", [1, 4, 5, 99, 500, 1234])
    async def test_commit_of_any_size(self, store: Store, make: Maker, count: int) -> None:
        """A batch of any size is stored whole, brought and made ids alike."""
        plans = [make.plan(f"e{n}" if n % 2 else None, to=(3, 4)) for n in range(count)]
        await store.commit(Batch(1, plans))
        page = await store.events(Filter(limit=2000))
        assert [row["number"] for row in page.items] == [p.number for p in reversed(plans)]
        assert await store.outbox_counts() == {(3, PENDING): count, (4, PENDING): count}

    async def test_brought_id_is_kept_once_a_workspace(self, store: Store, make: Maker) -> None:
        """A brought id is refused the second time in its workspace, and is free in another."""
        first = await make.stored(store, "a")
        with pytest.raises(DuplicateEventsError) as caught:
            await store.commit(Batch(1, [make.plan("b"), make.plan("a")]))
        assert caught.value.known == {("default", "a"): first.number}
        other = await make.stored(store, "a", workspace="other")
        row = await store.event("other", "a")
        assert row is not None
        assert row["number"] == other.number

    async def test_ids_that_look_alike_are_different(self, store: Store, make: Maker) -> None:
        """Ids are told apart by every character: case, dashes, a UUID's spelling."""
        names = [
            "0a4ff7b3-93b9-4cc5-ac61-9e13b4cbb2c7", "0A4FF7B3-93B9-4CC5-AC61-9E13B4CBB2C7",
            "0a4ff7b393b94cc5ac619e13b4cbb2c7", "{0a4ff7b3-93b9-4cc5-ac61-9e13b4cbb2c7}", "a", "A",
        ]  # fmt: skip
        plans = [make.plan(name) for name in names]
        await store.commit(Batch(1, plans))
        for plan in plans:
            row = await store.event("default", plan.event.id)
            assert row is not None
            assert row["number"] == plan.number

    async def test_made_id_sent_again_is_known(self, store: Store, make: Maker) -> None:
        """A producer that sends again with the id from our answer is recognised, in that workspace only."""
        made = await make.stored(store)
        with pytest.raises(DuplicateEventsError) as caught:
            await store.commit(Batch(1, [make.plan(made.event.id)]))
        assert caught.value.known == {("default", made.event.id): made.number}
        other = await make.stored(store, made.event.id, workspace="other")
        row = await store.event("other", made.event.id)
        assert row is not None
        assert row["number"] == other.number

    async def test_id_that_only_looks_made_is_a_brought_one(self, store: Store, make: Maker) -> None:
        """An id in the form of ours whose number belongs to nothing, or to a brought id, is kept like any other."""
        brought = await make.stored(store, "a")
        lookalike = make.plan()
        for text in (lookalike.event.id, made_event_id(brought.number, store.salt)):
            assert await store.event("default", text) is None
            plan = await make.stored(store, text)
            row = await store.event("default", text)
            assert row is not None
            assert row["number"] == plan.number
            with pytest.raises(DuplicateEventsError) as caught:
                await store.commit(Batch(1, [make.plan(text)]))
            assert caught.value.known == {("default", text): plan.number}

    async def test_same_commit_twice_is_known(self, store: Store, make: Maker) -> None:
        """A batch that was stored, though its caller never heard of it, is wholly known when it is sent again."""
        plans = [make.plan(f"e{n}" if n % 2 else None) for n in range(1100)]
        await store.commit(Batch(1, plans))
        with pytest.raises(DuplicateEventsError) as caught:
            await store.commit(Batch(1, plans))
        assert caught.value.known == {("default", p.event.id): p.number for p in plans}

    @pytest.mark.parametrize("position", [0, 3, 700, 1199])
    async def test_refused_commit_stores_nothing(self, store: Store, make: Maker, position: int) -> None:
        """Events, deliveries, positions, cooldowns and rejected records go with the events that are refused."""
        known = await make.stored(store, "known", to=())
        plans = [make.plan(f"e{n}") for n in range(1200)]
        plans[position] = make.plan("known")
        batch = Batch(1, plans, {("t", 0): 9}, [rejected(make.ids.take())], {(1, "", "", "k"): FAR_MS})
        with pytest.raises(DuplicateEventsError) as caught:
            await store.commit(batch)
        assert caught.value.known == {("default", "known"): known.number}
        assert [row["number"] for row in (await store.events(Filter())).items] == [known.number]
        assert await store.outbox_counts() == {}
        assert await store.positions() == {}
        assert await store.cooldowns(0) == {}
        assert (await store.rejected(Filter())).items == []

    async def test_batch_that_names_an_event_twice_is_an_error(self, store: Store, make: Maker) -> None:
        """Two events with one id in a batch are the caller's mistake: nothing is stored, nothing is said to be known."""
        with pytest.raises(StoreError) as caught:
            await store.commit(Batch(1, [make.plan("a"), make.plan("a")]))
        assert not isinstance(caught.value, (DuplicateEventsError, StoreUnavailableError))
        assert await store.event("default", "a") is None

    async def test_refusals_do_not_harm_neighbours(self, store: Store, make: Maker) -> None:
        """Of many commits at once each is stored or refused for its own reasons."""
        await make.stored(store, "known")
        batches = [
            Batch(1, [make.plan("known" if n % 3 == 0 and m == n % 5 else f"e{n}-{m}") for m in range(5)])
            for n in range(30)
        ]
        answers = await asyncio.gather(*(store.commit(batch) for batch in batches), return_exceptions=True)
        assert [isinstance(a, DuplicateEventsError) for a in answers] == [n % 3 == 0 for n in range(30)]
        assert len((await store.events(Filter(limit=500))).items) == 1 + 20 * 5

    async def test_of_racing_commits_one_wins(self, store: Store, make: Maker) -> None:
        """When the same id is committed many times at once, one is stored and the others hear its number."""
        plans = [make.plan("a") for _ in range(20)]
        answers = await asyncio.gather(*(store.commit(Batch(1, [p])) for p in plans), return_exceptions=True)
        winners = [plan for plan, answer in zip(plans, answers, strict=True) if answer is None]
        assert len(winners) == 1
        known = [answer.known for answer in answers if isinstance(answer, DuplicateEventsError)]
        assert known == [{("default", "a"): winners[0].number}] * 19

    async def test_positions_and_cooldowns_go_with_a_commit(self, store: Store, make: Maker) -> None:
        """Positions and cooldowns take the last value; those that are over are not given back."""
        await store.commit(Batch(positions={("t", 0): 5, ("t", 1): 7}, cooldowns={(1, "p", "e", "k"): 100}))
        more = {(1, "p", "e", "k"): 300, (2, "", "", ""): 200}
        await store.commit(Batch(1, [make.plan()], {("t", 0): 3}, cooldowns=more))
        assert await store.positions() == {("t", 0): 3, ("t", 1): 7}
        assert await store.cooldowns(199) == more
        assert await store.cooldowns(200) == {(1, "p", "e", "k"): 300}
        await store.set_position(("t", 1), 0)
        assert (await store.positions())["t", 1] == 0

    # -- the outbox -----------------------------------------------------------------------------------------------

    async def test_due_gives_what_lanes_need(self, store: Store, make: Maker) -> None:
        """A due delivery carries its event's type and payload, its ids, trigger and time of birth."""
        plan = make.plan("a", to=(3,))
        plan.deliveries[0].trigger = "regression"
        await store.commit(Batch(1, [plan]))
        found = (await store.due(3, START_MS, 10, ())).deliveries
        assert found == [replace(plan.deliveries[0], created_at_ms=milliseconds(plan.number))]

    async def test_due_is_ordered_bounded_and_says_what_follows(
        self, store: Store, make: Maker, clock: StillClock
    ) -> None:
        """Oldest due first, up to the limit, without those held; whether more are due, and when the next will be."""
        plans = []
        for wait in (30, 10, 20, 10, 500, 400):
            plan = make.plan(to=(3,))
            plan.deliveries[0].next_at_ms = START_MS + wait
            plans.append(plan)
        await store.commit(Batch(1, plans))
        ids = [plan.deliveries[0].id for plan in plans]
        clock.ms += 100
        due = await store.due(3, clock.ms, 2, ())
        assert [d.id for d in due.deliveries] == [ids[1], ids[3]]
        assert (due.more, due.next_at_ms) == (True, START_MS + 400)
        due = await store.due(3, clock.ms, 2, {ids[1], ids[3], ids[5]})
        assert [d.id for d in due.deliveries] == [ids[2], ids[0]]
        assert (due.more, due.next_at_ms) == (False, START_MS + 500)
        due = await store.due(4, clock.ms, 2, ())
        assert (due.deliveries, due.more, due.next_at_ms) == ([], False, None)

    async def test_destinations_with_work(self, store: Store, make: Maker) -> None:
        """Only destinations with deliveries that are not final have work."""
        plan = await make.stored(store, to=(3, 5, 6))
        assert sorted(await store.destinations_with_work()) == [3, 5, 6]
        await store.record([make.attempt(plan.deliveries[1].id)])
        assert sorted(await store.destinations_with_work()) == [3, 6]

    async def test_attempts_are_all_kept(self, store: Store, make: Maker, clock: StillClock) -> None:
        """Each attempt comes back with number, time, duration, outcome, status, detail and answer."""
        plan = await make.stored(store)
        number = plan.deliveries[0].id
        assert await store.attempts(number) == []
        made = [make.attempt(number, n, RETRYING if n < 3 else DELIVERED) for n in (1, 2, 3)]
        for attempt in made:
            await store.record([attempt])
            clock.ms += 1000
        assert await store.attempts(number) == [
            {
                "number": a.number, "started_at_ms": a.started_at_ms, "duration_us": a.duration_us,
                "outcome": a.outcome.kind, "status": a.outcome.status, "detail": a.outcome.detail,
                "answer": a.outcome.answer,
            }
            for a in made
        ]  # fmt: skip
        row = await store.delivery(number)
        assert row is not None
        assert (row["state"], row["attempts"], row["next_at_ms"], row["outcome"]) == (
            DELIVERED, 3, None, OutcomeKind.DELIVERED,
        )  # fmt: skip
        assert (row["status"], row["detail"], row["answer"]) == (200, "", b"answer 3")

    async def test_attempts_of_one_delivery_in_one_call(self, store: Store, make: Maker) -> None:
        """Several attempts of a delivery in one call are kept in their order."""
        plan = await make.stored(store, to=(3, 4))
        one, two = (d.id for d in plan.deliveries)
        await store.record([make.attempt(one, 1, RETRYING), make.attempt(two), make.attempt(one, 2, DEAD)])
        assert [a["number"] for a in await store.attempts(one)] == [1, 2]
        row = await store.delivery(one)
        assert row is not None
        assert (row["state"], row["detail"]) == (DEAD, "try 2 failed")

    async def test_record_twice_does_nothing(self, store: Store, make: Maker) -> None:
        """An attempt that was recorded already, or comes after the end, changes nothing."""
        plan = await make.stored(store)
        number = plan.deliveries[0].id
        first = make.attempt(number, 1, RETRYING)
        await store.record([first])
        await store.record([first])
        assert len(await store.attempts(number)) == 1
        await store.record([make.attempt(number, 2)])
        await store.record([make.attempt(number, 3, DEAD)])
        row = await store.delivery(number)
        assert row is not None
        assert (row["state"], row["attempts"]) == (DELIVERED, 2)

    async def test_record_of_nothing_known(self, store: Store, make: Maker) -> None:
        """A delivery that is gone stays gone, and the others of the call are recorded."""
        plan = await make.stored(store)
        await store.record([make.attempt(77), make.attempt(plan.deliveries[0].id)])
        assert await store.delivery(77) is None
        assert await store.attempts(77) == []
        assert await store.outbox_counts() == {}
        await store.record([])

    @pytest.mark.parametrize("count", [1, 5, 130, 501])
    async def test_record_of_any_size(self, store: Store, make: Maker, count: int) -> None:
        """Outcomes of any number of deliveries are stored at once, whatever they are."""
        states = (DELIVERED, RETRYING, DEAD)
        plans = [make.plan() for _ in range(count)]
        await store.commit(Batch(1, plans))
        await store.record([make.attempt(p.deliveries[0].id, 1, states[n % 3]) for n, p in enumerate(plans)])
        rows = (await store.deliveries(Filter(limit=1000))).items
        assert [row["state"] for row in reversed(rows)] == [states[n % 3] for n in range(count)]

    async def test_retrying_is_due_again_later(self, store: Store, make: Maker, clock: StillClock) -> None:
        """A retrying delivery is due at its next time, with the attempts made so far."""
        plan = await make.stored(store)
        await store.record([make.attempt(plan.deliveries[0].id, 1, RETRYING, wait_ms=50)])
        due = await store.due(3, clock.ms, 10, ())
        assert (due.deliveries, due.next_at_ms) == ([], START_MS + 50)
        due = await store.due(3, clock.ms + 50, 10, ())
        assert [(d.attempts, d.next_at_ms) for d in due.deliveries] == [(1, START_MS + 50)]
        assert await store.outbox_counts() == {(3, RETRYING): 1}

    @pytest.mark.parametrize("kinds", [(1,), (4,), (1, 4), (4, 1), (1, 1, 4, 1, 1)])
    async def test_due_tells_what_may_be_a_repeat(self, store: Store, make: Maker, kinds: tuple[int, ...]) -> None:
        """A delivery of which any attempt was ambiguous says so, however many came after it."""
        plan = await make.stored(store)
        for number, kind in enumerate(kinds, 1):
            attempt = make.attempt(plan.deliveries[0].id, number, RETRYING, wait_ms=0)
            await store.record([replace(attempt, outcome=replace(attempt.outcome, kind=OutcomeKind(kind)))])
            (found,) = (await store.due(3, START_MS, 10, ())).deliveries
            assert found.ambiguous is (OutcomeKind.AMBIGUOUS in kinds[:number])

    async def test_due_counts_what_came_too_soon(self, store: Store, make: Maker) -> None:
        """Of all attempts, those to which the receiver said so: not other failures, nor what a status says elsewhere."""
        later, lost, refused = OutcomeKind.RETRY_LATER, OutcomeKind.AMBIGUOUS, (429, 421, 450, 451, 452)
        told = [(later, 503), (later, None), *((later, status) for status in refused), (lost, 429), (later, 500)]
        plan = await make.stored(store)
        for number, (kind, status) in enumerate(told, 1):
            attempt = make.attempt(plan.deliveries[0].id, number, RETRYING, wait_ms=0)
            await store.record([replace(attempt, outcome=replace(attempt.outcome, kind=kind, status=status))])
            (found,) = (await store.due(3, START_MS, 10, ())).deliveries
            assert (found.attempts, found.refused) == (number, min(max(number - 2, 0), len(refused)))

    async def test_cancel(self, store: Store, make: Maker) -> None:
        """A waiting delivery is cancelled with its reason and keeps its attempts; a final one stays as it is. Told is what it was."""
        plan = await make.stored(store, to=(3, 4))
        one, two = (d.id for d in plan.deliveries)
        await store.record([make.attempt(one, 1, RETRYING), make.attempt(two)])
        assert await store.cancel(one, "by Ann") is RETRYING
        assert await store.cancel(one, "by Bob") is CANCELLED
        assert await store.cancel(two, "by Ann") is DELIVERED
        row = await store.delivery(one)
        assert row is not None
        assert (row["state"], row["detail"], row["next_at_ms"], row["attempts"]) == (CANCELLED, "by Ann", None, 1)
        assert [a["detail"] for a in await store.attempts(one)] == ["try 1 failed"]
        assert (await store.due(3, FAR_MS, 10, ())).deliveries == []
        await store.record([make.attempt(one, 2)])
        assert len(await store.attempts(one)) == 1
        with pytest.raises(NotFoundError):
            await store.cancel(99, "by Ann")

    async def test_a_cancel_is_in_the_log_of_changes_once(self, store: Store, make: Maker) -> None:
        """Of two at once that which did it is kept there; one of what is final, or is not there, is not."""
        plan = await make.stored(store, to=(3, 4, 5))
        pending, retrying, delivered = (d.id for d in plan.deliveries)
        await store.record([make.attempt(retrying, 1, RETRYING), make.attempt(delivered)])
        first, second, *never = [entry(number, kind="delivery") for number in range(6)]
        both = await asyncio.gather(store.cancel(pending, "x", first), store.cancel(pending, "x", never[0]))
        assert both == [PENDING, CANCELLED]
        assert await store.cancel(retrying, "x", second) is RETRYING
        assert await store.cancel(retrying, "x", never[1]) is CANCELLED
        assert await store.cancel(delivered, "x", never[2]) is DELIVERED
        with pytest.raises(NotFoundError):
            await store.cancel(99, "x", never[3])
        assert await store.audit(AuditFilter("default")) == [second, first]

    async def test_cancel_destination(self, store: Store, make: Maker) -> None:
        """Everything that waits for a destination is cancelled, but what is held and what others wait for."""
        plans = [make.plan(to=(3, 4)) for _ in range(1203)]
        await store.commit(Batch(1, plans))
        mine = [p.deliveries[0].id for p in plans]
        await store.record([make.attempt(mine[0]), make.attempt(mine[1], 1, RETRYING)])
        assert await store.cancel_destination(3, "destination_removed", mine[-2:]) == 1200
        assert await store.outbox_counts() == {(3, PENDING): 2, (4, PENDING): 1203}
        row = await store.delivery(mine[5])
        assert row is not None
        assert (row["state"], row["detail"], row["outcome"]) == (CANCELLED, "destination_removed", None)
        assert await store.cancel_destination(3, "destination_removed", mine[-2:]) == 0

    async def test_expire(self, store: Store, make: Maker, clock: StillClock) -> None:
        """Waiting deliveries made before a time become dead with the reason, but those held."""
        old = [make.plan() for _ in range(4)]
        clock.ms += 1000
        young = [make.plan() for _ in range(2)]
        await store.commit(Batch(1, old + young))
        ids = [p.deliveries[0].id for p in old]
        await store.record([make.attempt(ids[0]), make.attempt(ids[1], 1, RETRYING)])
        assert await store.expire(3, START_MS + 1000, "given up", [ids[3]]) == 2
        states = [(await store.delivery(number) or {})["state"] for number in ids]
        assert states == [DELIVERED, DEAD, DEAD, PENDING]
        assert await store.outbox_counts() == {(3, PENDING): 3}

    async def test_hasten(self, store: Store, make: Maker, clock: StillClock) -> None:
        """What waits for later is due at once, but what is held, is final, is due anyway or goes elsewhere."""
        plans = [make.plan() for _ in range(1200)] + [make.plan(to=(4,))]
        await store.commit(Batch(1, plans))
        mine = [p.deliveries[0].id for p in plans[:-1]]
        later = clock.ms + 3_600_000
        retrying = [replace(make.attempt(number, 1, RETRYING), next_at_ms=later) for number in mine[2:]]
        elsewhere = replace(make.attempt(plans[-1].deliveries[0].id, 1, RETRYING), next_at_ms=later)
        await store.record([make.attempt(mine[0]), *retrying, elsewhere])
        assert [d.id for d in (await store.due(3, clock.ms, 9999, ())).deliveries] == [mine[1]]
        assert await store.hasten(3, mine[-1:]) == 1197
        assert await store.hasten(3, mine[-1:]) == 0
        due = await store.due(3, clock.ms, 9999, ())
        assert {d.id for d in due.deliveries} == {*mine[1:-1]}
        assert {d.attempts for d in due.deliveries} == {0, 1}
        assert due.next_at_ms == later
        assert not (await store.due(4, clock.ms, 10, ())).deliveries

    async def test_replay(self, store: Store, make: Maker, clock: StillClock) -> None:
        """A final delivery is repeated as a new one that names it; others are refused."""
        plan = await make.stored(store, to=(3, 4))
        one, two = (d.id for d in plan.deliveries)
        with pytest.raises(ConflictError, match="pending"):
            await store.replay(one, make.ids.take(), clock.ms)
        with pytest.raises(NotFoundError):
            await store.replay(99, make.ids.take(), clock.ms)
        await store.record([make.attempt(one, 1, RETRYING)])
        await store.record([make.attempt(one, 2, DEAD)])
        clock.ms += 5000
        new_id = make.ids.take()
        again = await store.replay(one, new_id, clock.ms)
        assert (again.id, again.replay_of, again.attempts, again.created_at_ms) == (new_id, one, 0, clock.ms)
        assert (again.event_number, again.payload) == (plan.number, plan.event.payload)
        assert (await store.due(3, clock.ms, 10, ())).deliveries == [again]
        rows = (await store.deliveries(Filter(alert_number=plan.number))).items
        assert [row["id"] for row in rows] == [new_id, two, one]
        await store.record([make.attempt(new_id)])
        further = await store.replay(new_id, make.ids.take(), clock.ms)
        assert further.replay_of == new_id

    async def test_destination_states(self, store: Store) -> None:
        """A destination's state is kept and replaced."""
        await store.set_destination_state(3, DestinationState("410 Gone", 5, None))
        await store.set_destination_state(4, DestinationState(paused_until_ms=9))
        await store.set_destination_state(3, DestinationState())
        assert await store.destination_states() == {3: DestinationState(), 4: DestinationState("", None, 9)}

    async def test_a_destinations_state_is_kept_with_its_lines(self, store: Store) -> None:
        """They stand in the log by their times, each once, also when a write whose answer was lost is repeated."""
        lines = [entry(number, kind="destination") for number in range(4)]
        await store.change_resources([], [], lines[2:3])
        for told in (lines[:2], [*lines[:2], lines[3]]):
            await store.set_destination_state(3, DestinationState("by hand", 5), told)
        assert await store.audit(AuditFilter("default")) == lines[::-1]
        assert await store.audit(AuditFilter("default", below=lines[2].id, limit=1)) == lines[1:2]

    # -- the history ----------------------------------------------------------------------------------------------

    async def test_events_page(self, store: Store, make: Maker) -> None:
        """Pages run from the newest to the oldest and join without gap or repetition."""
        plans = [make.plan(to=(3,) if n % 2 else ()) for n in range(7)]
        await store.commit(Batch(1, plans))
        numbers = [plan.number for plan in reversed(plans)]
        first = await store.events(Filter(limit=3))
        second = await store.events(Filter(limit=3, below=first.next_below))
        third = await store.events(Filter(limit=3, below=second.next_below))
        assert [row["number"] for page in (first, second, third) for row in page.items] == numbers
        assert third.next_below is None
        alerts = await store.events(Filter(limit=3), matched=True)
        assert [row["number"] for row in alerts.items] == numbers[1::2]
        assert alerts.next_below is None
        assert len((await store.events(Filter(), matched=False)).items) == 4
        assert (await store.events(Filter(limit=7))).next_below is None

    async def test_events_filters(self, store: Store, make: Maker, clock: StillClock) -> None:
        """Every filter chooses its events, alone and together; unknown names choose none."""
        a = make.plan("a", to=(3,), project="shop", environment="prod", severity="error")
        clock.ms += 100
        b = make.plan("b", to=(4,), project="shop", environment="staging", event_type="deploy:failed")
        clock.ms += 100
        c = make.plan("c", to=(6,), workspace="other", project="blog")
        await store.commit(Batch(1, [a, b, c]))
        await store.record([make.attempt(a.deliveries[0].id)])
        for which, wanted in (
            (Filter(), [c, b, a]),
            (Filter(workspace="default"), [b, a]),
            (Filter(type="deploy:failed"), [b]),
            (Filter(project="shop"), [b, a]),
            (Filter(project=""), []),
            (Filter(environment="prod"), [a]),
            (Filter(environment=""), [c]),
            (Filter(severity="error"), [a]),
            (Filter(severity="info"), [c, b]),
            (Filter(destination="d0"), [c, a]),
            (Filter(destination="d0", workspace="default"), [a]),
            (Filter(destination="nobody"), []),
            (Filter(state="delivered"), [a]),
            (Filter(state="pending"), [c, b]),
            (Filter(alert_number=b.number), [b]),
            (Filter(since_ms=START_MS + 100), [c, b]),
            (Filter(until_ms=START_MS + 200), [b, a]),
            (Filter(workspace="default", project="shop", severity="info", state="pending"), [b]),
            (Filter(workspace="nowhere"), []),
        ):
            found = [row["number"] for row in (await store.events(which)).items]
            assert found == [plan.number for plan in wanted], which

    async def test_deliveries_filters(self, store: Store, make: Maker, clock: StillClock) -> None:
        """Deliveries are chosen by their own fields and by their event's."""
        a = make.plan("a", to=(3, 4), project="shop", environment="prod", severity="error")
        clock.ms += 100
        sent = [Verdict(8, 5, VerdictCode.SENT)]
        b = make.plan("b", to=(6,), workspace="other", event_type="deploy:failed", verdicts=sent)
        b.deliveries[0].subscription_id = 8
        await store.commit(Batch(1, [a, b]))
        one, two, three = a.deliveries[0].id, a.deliveries[1].id, b.deliveries[0].id
        await store.record([make.attempt(one, 1, DEAD), make.attempt(two)])
        for which, wanted in (
            (Filter(), [three, two, one]),
            (Filter(limit=2), [three, two]),
            (Filter(below=three), [two, one]),
            (Filter(workspace="default"), [two, one]),
            (Filter(type="deploy:failed"), [three]),
            (Filter(project="shop"), [two, one]),
            (Filter(severity="error", destination="d1"), [two]),
            (Filter(destination="d0"), [three, one]),
            (Filter(destination="d0", workspace="other"), [three]),
            (Filter(subscription="s0"), [two, one]),
            (Filter(subscription="s1"), [three]),
            (Filter(state="dead"), [one]),
            (Filter(state="delivered"), [two]),
            (Filter(state="pending"), [three]),
            (Filter(state="cancelled"), []),
            (Filter(state="in_flight"), []),
            (Filter(alert_number=a.number), [two, one]),
            (Filter(alert_number=a.number, state="dead"), [one]),
            (Filter(since_ms=START_MS + 100), [three]),
            (Filter(until_ms=START_MS + 100), [two, one]),
        ):
            found = [row["id"] for row in (await store.deliveries(which)).items]
            assert found == wanted, which

    async def test_delivery_row(self, store: Store, make: Maker) -> None:
        """A delivery's row has every field of the contract; in a list all but its event's payload."""
        plan = await make.stored(store, "a")
        row = await store.delivery(plan.deliveries[0].id)
        assert row == {
            "id": plan.deliveries[0].id, "event_number": plan.number, "event_id": "a", "event_type": "run:failed",
            "payload": plan.event.payload, "workspace_id": 1, "destination_id": 3, "subscription_id": 7,
            "channel_id": 5, "state": PENDING, "attempts": 0, "next_at_ms": START_MS, "started_at_ms": None,
            "duration_us": None, "outcome": None, "status": None, "detail": "", "answer": b"", "replay_of": None,
            "digest_count": None, "digest_id": None, "replayed_by": None, "replay_id": None, "also": (),
        }  # fmt: skip
        listed = {name: value for name, value in row.items() if name != "payload"}
        assert (await store.deliveries(Filter())).items == [listed]

    async def test_a_rare_match_far_back_is_found(self, store: Store, make: Maker) -> None:
        """A filter finds the one event that fits behind thousands that do not."""
        rare = await make.stored(store, "rare", project="shop")
        for _ in range(5):
            await store.commit(Batch(1, [make.plan(project="blog") for _ in range(500)]))
        assert [r["number"] for r in (await store.events(Filter(project="shop"))).items] == [rare.number]
        found = (await store.deliveries(Filter(project="shop", limit=1))).items
        assert [r["event_number"] for r in found] == [rare.number]

    async def test_unknown_things_are_none(self, store: Store, make: Maker) -> None:
        """What is not there is None or empty."""
        assert await store.event("default", "a") is None
        assert await store.event("nowhere", "a") is None
        assert await store.event_by_number(1) is None
        assert await store.delivery(1) is None
        assert await store.attempts(1) == []

    async def test_rejected_records(self, store: Store, make: Maker) -> None:
        """Rejected records come newest first, by workspace and page."""
        made = [rejected(make.ids.take(), w, n) for n, w in enumerate(("default", "other", "default", "gone"))]
        await store.commit(Batch(rejected=made))
        page = await store.rejected(Filter(workspace="default", limit=1))
        assert page.items == [
            {
                "id": made[2].id, "workspace_id": 1, "workspace": "default", "topic": "events", "partition": 0,
                "offset": 2, "reason": "not JSON", "bytes": b"\xff{", "size": 4, "headers": "[]",
            }
        ]  # fmt: skip
        page = await store.rejected(Filter(workspace="default", limit=1, below=page.next_below))
        assert ([row["id"] for row in page.items], page.next_below) == ([made[0].id], None)
        assert [r["workspace_id"] for r in (await store.rejected(Filter())).items] == [None, 1, 2, 1]

    async def test_a_rejected_record_that_was_read_after_all_is_forgotten(self, store: Store, make: Maker) -> None:
        """One record is shown by its id, and is gone once it is forgotten; its number is never given again."""
        made = [rejected(make.ids.take(), offset=n) for n in range(3)]
        await store.commit(Batch(rejected=made))
        row = await store.rejected_record(made[1].id)
        assert row == (await store.rejected(Filter())).items[1]
        for record in made[1:]:
            await store.forget_rejected(record.id)
            await store.forget_rejected(record.id)
            assert await store.rejected_record(record.id) is None
        assert [r["id"] for r in (await store.rejected(Filter())).items] == [made[0].id]
        assert await store.newest_number() == made[2].id

    # -- tokens, names, facts -------------------------------------------------------------------------------------

    async def test_tokens(self, store: Store) -> None:
        """Tokens come back whole; a name is taken in its workspace only; a forgotten one is gone."""
        first = Token(1, "ci", Role.INTAKE, "default", b"1" * 32, START_MS, provisioned=True)
        others = [
            Token(2, "ci", Role.ADMIN, None, b"2" * 32, START_MS),
            Token(3, "ci", Role.VIEWER, "other", b"3" * 32, START_MS),
        ]
        for token in (first, *others):
            await store.add_token(token)
        assert await store.tokens() == [first, *others]
        for taken in (replace(first, id=4, digest=b"4" * 32), replace(others[0], id=5, digest=b"5" * 32)):
            with pytest.raises(ConflictError):
                await store.add_token(taken)
        with pytest.raises(ConflictError):
            await store.add_token(replace(first, id=6, name="new"))
        await store.remove_token(1)
        with pytest.raises(NotFoundError):
            await store.remove_token(1)
        assert await store.tokens() == others

    async def test_names_keep_their_numbers(self, store: Store, make: Maker) -> None:
        """A name gets one number for ever, however often and in whatever order it is asked for."""
        key = ("destination", "default", "new")
        asked = await asyncio.gather(*(store.intern([key, NAMES[0], key]) for _ in range(5)))
        assert asked == [asked[0]] * 5
        assert asked[0][NAMES[0]] == 1
        names = await store.names()
        assert names[asked[0][key]] == key
        assert len(names) == len(NAMES) + 1

    async def test_meta(self, store: Store) -> None:
        """A small fact is kept and replaced."""
        assert await store.get_meta("kafka_instance_id") is None
        await store.set_meta("kafka_instance_id", "a")
        await store.set_meta("kafka_instance_id", "b")
        assert await store.get_meta("kafka_instance_id") == "b"

    # -- housekeeping ---------------------------------------------------------------------------------------------

    async def test_newest_number_never_goes_back(self, store: Store, make: Maker, clock: StillClock) -> None:
        """The greatest number given is remembered, also when retention deleted what had it."""
        assert await store.newest_number() == 0
        plan = await make.stored(store, to=(3, 4))
        assert await store.newest_number() == plan.deliveries[-1].id
        await store.record([make.attempt(d.id) for d in plan.deliveries])
        again = await store.replay(plan.deliveries[0].id, make.ids.take(), clock.ms)
        assert await store.newest_number() == again.id
        await store.record([make.attempt(again.id)])
        assert await store.retain(FAR_MS, 10) == 1
        assert await store.newest_number() == again.id

    async def test_a_clock_that_was_ahead_puts_nothing_off(self, store: Store, make: Maker, clock: StillClock) -> None:
        """What was made or attempted after now is due as long from now as it then was; all else stays as it is."""
        early = (await make.stored(store)).deliveries[0]
        true_ms = clock.ms
        clock.ms += 86_400_000
        fresh, retried = (await make.stored(store)).deliveries[0], (await make.stored(store)).deliveries[0]
        later = replace(make.attempt(retried.id, 1, RETRYING), started_at_ms=clock.ms, next_at_ms=clock.ms + 7000)
        await store.record([later])
        assert await store.bring_back(true_ms + 10) == 2
        due = await store.due(early.destination_id, true_ms + 10, 10, ())
        assert {d.id: d.next_at_ms for d in due.deliveries} == {early.id: early.next_at_ms, fresh.id: true_ms + 10}
        assert due.next_at_ms == true_ms + 7010
        assert await store.bring_back(clock.ms + 10_000) == 0

    async def test_retain_takes_everything_of_an_old_event(self, store: Store, make: Maker, clock: StillClock) -> None:
        """Event, key, deliveries, replays and attempts go; younger events stay; the id is free again."""
        old, made = await make.stored(store, "old"), await make.stored(store)
        delivery_id = old.deliveries[0].id
        await store.record([make.attempt(delivery_id, 1, RETRYING), make.attempt(made.deliveries[0].id)])
        await store.record([make.attempt(delivery_id, 2, DEAD)])
        again = await store.replay(delivery_id, make.ids.take(), clock.ms)
        await store.record([make.attempt(again.id)])
        clock.ms += 1000
        young = await make.stored(store, "young")
        await store.commit(Batch(rejected=[rejected(make.ids.take())]))
        assert await store.retain(START_MS + 1000, 10) == 2
        assert await store.retain(START_MS + 1000, 10) == 0
        assert [row["number"] for row in (await store.events(Filter())).items] == [young.number]
        assert [row["id"] for row in (await store.deliveries(Filter())).items] == [young.deliveries[0].id]
        assert await store.attempts(delivery_id) == []
        assert len((await store.rejected(Filter())).items) == 1
        assert await store.event("default", made.event.id) is None
        await store.record([make.attempt(delivery_id, 3)])
        assert await store.delivery(delivery_id) is None
        await make.stored(store, "old")
        await make.stored(store, made.event.id)

    async def test_retain_never_takes_unfinished_work(self, store: Store, make: Maker, clock: StillClock) -> None:
        """An event with a delivery or a replay that is not final stays until it is, whatever its age."""
        plans = [make.plan(f"e{n}", to=(3, 4)) for n in range(4)]
        await store.commit(Batch(1, plans))
        ids = [[d.id for d in plan.deliveries] for plan in plans]
        done = [make.attempt(number) for pair in (ids[0], ids[1], [ids[2][0]]) for number in pair]
        await store.record([*done, make.attempt(ids[3][0], 1, RETRYING), make.attempt(ids[3][1])])
        again = await store.replay(ids[1][0], make.ids.take(), clock.ms)
        assert await store.retain(FAR_MS, 10) == 1
        assert await store.retain(FAR_MS, 10) == 0
        left = [row["number"] for row in (await store.events(Filter())).items]
        assert left == [plans[3].number, plans[2].number, plans[1].number]
        await store.record([make.attempt(again.id), make.attempt(ids[2][1]), make.attempt(ids[3][0], 2)])
        assert await store.retain(FAR_MS, 10) == 3
        assert (await store.deliveries(Filter())).items == []

    async def test_retain_knows_replays_from_later(self, store: Store, make: Maker, clock: StillClock) -> None:
        """A replay, though younger than other events, keeps its event until it is final, and goes with it."""
        old = await make.stored(store, "old")
        await store.record([make.attempt(old.deliveries[0].id)])
        clock.ms += 1000
        young = await make.stored(store, "young")
        again = await store.replay(old.deliveries[0].id, make.ids.take(), clock.ms)
        assert await store.retain(START_MS + 1000, 10) == 0
        assert [d.id for d in (await store.due(3, clock.ms, 10, ())).deliveries] == [young.deliveries[0].id, again.id]
        await store.record([make.attempt(again.id)])
        assert await store.retain(START_MS + 1000, 10) == 1
        assert [row["id"] for row in (await store.deliveries(Filter())).items] == [young.deliveries[0].id]
        with pytest.raises(NotFoundError):
            await store.cancel(again.id, "x")

    async def test_retain_is_bounded(self, store: Store, make: Maker) -> None:
        """No call deletes more than asked for, and calling until 0 deletes all."""
        await store.commit(Batch(1, [make.plan(f"e{n}", to=()) for n in range(1100)]))
        assert await store.retain(FAR_MS, 600) == 600
        assert await store.retain(FAR_MS, 600) == 500
        assert await store.retain(FAR_MS, 600) == 0
        assert (await store.events(Filter())).items == []

    async def test_retain_forgets_old_rejected_records_and_cooldowns(
        self, store: Store, make: Maker, clock: StillClock
    ) -> None:
        """Rejected records go by age, cooldowns when they are over."""
        old = [rejected(make.ids.take(), offset=n) for n in range(700)]
        clock.ms += 1000
        young = rejected(make.ids.take())
        keys = {(1, "", "", "over"): clock.ms, (1, "", "", "rests"): clock.ms + 1}
        await store.commit(Batch(rejected=[*old, young], cooldowns=keys))
        assert await store.retain(START_MS + 1, 10) == 0
        assert [row["id"] for row in (await store.rejected(Filter())).items] == [young.id]
        await store.forget(clock.ms)
        assert await store.cooldowns(0) == {(1, "", "", "rests"): clock.ms + 1}

    async def test_salt_fits_into_an_id(self, store: Store) -> None:
        """The salt has 54 bits."""
        assert 0 <= store.salt < 1 << 54

    async def test_healthy_until_closed(self, store: Store, make: Maker) -> None:
        """An open store is healthy; a closed one is not and refuses to write; closing twice is fine."""
        assert await store.healthy()
        await store.close()
        await store.close()
        assert not await store.healthy()
        with pytest.raises(StoreUnavailableError):
            await make.stored(store)
