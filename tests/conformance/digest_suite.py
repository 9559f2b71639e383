"""What every store promises about digests. A store passes by subclassing `DigestSuite` and giving it an open `store`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from alertd.model.delivery import DeliveryState
from alertd.model.digest import DIGEST_TYPE, EVENT_MAX, LISTED_MAX, read
from alertd.model.severity import Severity
from alertd.store.base import Batch, Filter
from alertd.store.digests import Spill, Spilled
from alertd.store.replaying import ReplayRule
from tests.conformance.store_case import StoreCase
from tests.conformance.store_maker import START_MS, Maker, StillClock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alertd.engine.plan import Plan
    from alertd.model.delivery import Delivery
    from alertd.store.base import Store

PENDING, RETRYING, DELIVERED = DeliveryState.PENDING, DeliveryState.RETRYING, DeliveryState.DELIVERED
CANCELLED = DeliveryState.CANCELLED


class DigestSuite(StoreCase):
    """The promises of `alertd.store.digests`."""

    async def test_what_is_too_much_comes_together(self, store: Store, make: Maker, clock: StillClock) -> None:
        """The oldest stay; each of the others is cancelled, says why, and names the digest, which counts and lists them."""
        made = await _deliveries(store, make, 30)
        clock.ms += 5000
        done = await _spill(store, make, keep=5)
        assert done == Spilled(25, done.digest_id, made=True)
        due = await _due(store, make)
        assert [each.id for each in due] == [*made[:5], done.digest_id]
        digest = due[-1]
        assert digest.digest is not None
        assert (digest.digest.count, digest.event_type, digest.attempts) == (25, DIGEST_TYPE, 0)
        assert (digest.created_at_ms, digest.next_at_ms) == (clock.ms, clock.ms)
        listed = read(digest.digest.body)
        assert [each.delivery_id for each in listed] == made[5 : 5 + LISTED_MAX]
        assert [orjson.loads(each.event)["message"] for each in listed] == [f"number {n}" for n in range(5, 25)]
        for number in made[5:]:
            row = await store.delivery(number)
            assert row is not None
            assert (row["state"], row["detail"], row["digest_id"]) == (CANCELLED, "digested", done.digest_id)
        row = await store.delivery(done.digest_id)
        assert row is not None
        assert (row["digest_count"], row["digest_id"], row["replay_of"]) == (25, None, None)
        assert (row["event_type"], row["event_number"]) == (DIGEST_TYPE, listed[0].event_number)

    async def test_it_is_as_bad_as_the_worst_in_it(self, store: Store, make: Maker) -> None:
        """Also where that is not listed; what stays does not count."""
        words = ["critical", *["warning"] * 30, "error", "info"]
        plans = [make.plan(to=(3,), severity=word) for word in words]
        await store.commit(Batch(1, plans))
        await _spill(store, make, keep=5)
        (digest,) = (each.digest for each in await _due(store, make) if each.digest is not None)
        assert (digest.count, digest.worst) == (28, Severity.ERROR)
        await store.commit(Batch(2, [make.plan(to=(3,), severity="critical")]))
        await _spill(store, make, keep=5)
        (digest,) = (each.digest for each in await _due(store, make) if each.digest is not None)
        assert (digest.count, digest.worst) == (29, Severity.CRITICAL)

    async def test_it_knows_the_projects_of_all_its_alerts(self, store: Store, make: Maker) -> None:
        """Each once, in the order in which they came, also of alerts that are only counted, and of those without one."""
        for batch, names in enumerate((["kept", *["shop"] * 25, "search", "", "shop"], ["billing", "shop"])):
            await store.commit(Batch(batch + 1, [make.plan(to=(3,), project=name) for name in names]))
            await _spill(store, make, keep=1)
        (digest,) = (each.digest for each in await _due(store, make) if each.digest is not None)
        assert digest.count == 30
        assert digest.projects == ("shop", "search", "", "billing")

    @pytest.mark.parametrize(("count", "keep", "digested"), [(5, 5, 0), (6, 5, 1), (4, 5, 0), (1, 1, 0), (2, 1, 1)])
    async def test_the_bound_is_kept_exactly(
        self, store: Store, make: Maker, count: int, keep: int, digested: int
    ) -> None:
        """As many as may wait do."""
        await _deliveries(store, make, count)
        assert (await _spill(store, make, keep=keep)).count == digested
        assert await store.waiting(3, ()) == count - digested
        assert (await _spill(store, make, keep=keep)).count == 0

    async def test_other_destinations_are_left_alone(self, store: Store, make: Maker) -> None:
        """Each has a bound of its own."""
        await _deliveries(store, make, 10, to=(3, 4))
        await _spill(store, make, keep=2)
        assert (await store.outbox_counts())[4, PENDING] == 10

    async def test_more_goes_into_the_same_digest(self, store: Store, make: Maker, clock: StillClock) -> None:
        """While it waits, and was never attempted: it counts on, and its list fills up."""
        made = await _deliveries(store, make, 15)
        first = await _spill(store, make, keep=5)
        clock.ms += 1000
        made += await _deliveries(store, make, 100)
        again = await _spill(store, make, keep=5)
        assert again == Spilled(100, first.digest_id, made=False)
        digest = (await _due(store, make))[-1].digest
        assert digest is not None
        assert digest.count == 110
        assert [each.delivery_id for each in read(digest.body)] == made[5:25]

    @pytest.mark.parametrize("why", ["attempted", "in memory", "of an earlier run", "something waits behind it"])
    async def test_a_digest_that_may_be_known_is_not_changed(
        self, store: Store, make: Maker, clock: StillClock, why: str
    ) -> None:
        """What was sent, may have been, or is about to be, stays as it is; and nothing overtakes what waits."""
        await _deliveries(store, make, 10)
        first = await _spill(store, make, keep=5)
        clock.ms += 1000
        if why == "attempted":
            await store.record([make.attempt(first.digest_id, 1, RETRYING)])
        room = 2 if why == "something waits behind it" else 0
        await _deliveries(store, make, 10)
        held = [first.digest_id] if why == "in memory" else []
        since = make.ids.take() if why == "of an earlier run" else 0
        again = await _spill(store, make, keep=5 + room, held=held, since=since)
        assert (again.count, again.made) == (10 - room, True)
        assert again.digest_id != first.digest_id
        clock.ms += 10_000
        counts = {each.id: each.digest.count for each in await _due(store, make) if each.digest is not None}
        assert counts == {first.digest_id: 5, again.digest_id: 10 - room}

    async def test_what_is_in_memory_or_was_attempted_is_left_alone(self, store: Store, make: Maker) -> None:
        """They count, but for those in flight; only what waits in the store alone, never attempted, comes together."""
        made = await _deliveries(store, make, 20)
        await store.record([make.attempt(made[10], 1, RETRYING)])
        assert await store.waiting(3, made[:2]) == 18
        done = await _spill(store, make, keep=4, held=made[:8], busy=made[:2])
        assert done.count == 11
        states = {number: (await store.delivery(number) or {})["state"] for number in made}
        assert [number for number, state in states.items() if state is not CANCELLED] == [*made[:8], made[10]]
        assert (await _spill(store, make, keep=4, held=made[:8], busy=made[:2])).count == 0

    @pytest.mark.parametrize("count", [499, 500, 501, 1234])
    async def test_any_number(self, store: Store, make: Maker, count: int) -> None:
        """However many, all are in one digest, each once."""
        made = await _deliveries(store, make, count + 3)
        done = await _spill(store, make, keep=3)
        assert (done.count, done.made) == (count, True)
        assert await _in_digest(store, done.digest_id) == made[3:]
        assert await store.outbox_counts() == {(3, PENDING): 4}

    async def test_its_deliveries_are_found(self, store: Store, make: Maker) -> None:
        """By the digest's number, in pages, together with other filters; and nothing else is."""
        made = await _deliveries(store, make, 30)
        done = await _spill(store, make, keep=10)
        assert await _in_digest(store, done.digest_id, limit=7) == made[10:]
        assert (await store.deliveries(Filter(digest=done.digest_id, destination="d1"))).items == []
        assert (await store.deliveries(Filter(digest=made[0]))).items == []
        row = await store.delivery(made[12])
        assert row is not None
        del row["payload"]
        assert (await store.deliveries(Filter(digest=done.digest_id, alert_number=row["event_number"]))).items == [row]

    async def test_it_is_found_like_any_delivery(self, store: Store, make: Maker) -> None:
        """By state, destination, and among those of the alert that is its oldest."""
        made = await _deliveries(store, make, 700)
        done = await _spill(store, make, keep=600)
        for which in (Filter(state="pending"), Filter(destination="d0"), Filter(destination="d0", type="run:failed")):
            assert done.digest_id in {row["id"] for row in (await store.deliveries(which)).items}
        row = await store.delivery(made[600])
        assert row is not None
        own = (await store.deliveries_of([row["event_number"]]))[row["event_number"]]
        assert {each["id"] for each in own} == {made[600], done.digest_id}

    async def test_it_is_attempted_like_any_delivery(self, store: Store, make: Maker, clock: StillClock) -> None:
        """It is retried with what it lists, and ends delivered."""
        await _deliveries(store, make, 10)
        done = await _spill(store, make, keep=1)
        await store.record([make.attempt(done.digest_id, 1, RETRYING)])
        clock.ms += 2000
        again = (await _due(store, make))[-1]
        assert again.digest is not None
        assert (again.id, again.attempts, again.digest.count) == (done.digest_id, 1, 9)
        await store.record([make.attempt(done.digest_id, 2)])
        assert [row["number"] for row in await store.attempts(done.digest_id)] == [1, 2]
        assert await store.waiting(3, ()) == 1

    async def test_a_digest_is_replayed_as_one(self, store: Store, make: Maker, clock: StillClock) -> None:
        """A replay, and a replay of that, stands for the same; to another destination as well."""
        await _deliveries(store, make, 10)
        done = await _spill(store, make, keep=1)
        await store.record([make.attempt(done.digest_id)])
        origin, to = done.digest_id, 4
        for _ in range(2):
            again = await store.replay(origin, make.ids.take(), clock.ms, ReplayRule(to))
            assert again.digest is not None
            assert (again.digest.count, again.event_type, again.destination_id) == (9, DIGEST_TYPE, to)
            assert [(d.id, d.digest) for d in await _due(store, make, to)] == [(again.id, again.digest)]
            row = await store.delivery(again.id)
            assert row is not None
            assert (row["replay_of"], row["digest_count"]) == (origin, 9)
            await store.record([make.attempt(again.id)])
            origin = again.id
        assert (await _due(store, make))[-1].digest is None

    async def test_what_was_digested_is_replayed_once(self, store: Store, make: Maker, clock: StillClock) -> None:
        """A digest is no replay of its alerts, and its own replay is none either."""
        made = await _deliveries(store, make, 10)
        done = await _spill(store, make, keep=1)
        await store.record([make.attempt(done.digest_id)])

        async def replay(origins: Iterable[int]) -> list[int | None]:
            pairs = [(number, make.ids.take()) for number in origins]
            return [each.replay_of for each in await store.replay_many(pairs, clock.ms, ReplayRule())]

        assert await replay([done.digest_id]) == [done.digest_id]
        assert await replay(made[1:]) == made[1:]
        assert await replay([*made[1:], done.digest_id]) == []

    async def test_large_events_are_listed_small(self, store: Store, make: Maker) -> None:
        """What a list needs of an event is kept, however large it is."""
        plans = [make.plan(message="m" * 5000, environment="prod", data="x" * 100_000) for _ in range(LISTED_MAX + 2)]
        await store.commit(Batch(1, plans))
        await _spill(store, make, keep=1)
        digest = (await _due(store, make))[-1].digest
        assert digest is not None
        assert len(digest.body) <= LISTED_MAX * EVENT_MAX
        event = orjson.loads(read(digest.body)[0].event)
        assert (event["type"], event["environment"]) == ("run:failed", "prod")
        assert event["message"].endswith("m…")

    async def test_retention_takes_them_in_the_end(self, store: Store, make: Maker, clock: StillClock) -> None:
        """The oldest alert stays as long as its digest waits; then everything goes."""
        made = await _deliveries(store, make, 10)
        done = await _spill(store, make, keep=1)
        await store.record([make.attempt(made[0])])
        clock.ms += 10**9
        while await store.retain(clock.ms, 100):
            pass
        due = (await _due(store, make))[-1]
        assert due.digest is not None
        assert due.digest.count == 9
        await store.record([make.attempt(done.digest_id)])
        while await store.retain(clock.ms, 100):
            pass
        assert await store.delivery(done.digest_id) is None
        assert (await store.deliveries(Filter(digest=done.digest_id))).items == []


async def _deliveries(store: Store, make: Maker, count: int, to: tuple[int, ...] = (3,)) -> list[int]:
    plans: list[Plan] = [make.plan(to=to, message=f"number {number}") for number in range(count)]
    await store.commit(Batch(1, plans))
    return [plan.deliveries[0].id for plan in plans]


async def _spill(
    store: Store, make: Maker, *, keep: int, held: Iterable[int] = (), busy: Iterable[int] = (), since: int = 0
) -> Spilled:
    now_ms = make.clock.now_ms()
    return await store.digest(Spill(3, keep, frozenset(busy), frozenset(held), make.ids.take(), since, now_ms))


async def _due(store: Store, make: Maker, destination_id: int = 3) -> list[Delivery]:
    return (await store.due(destination_id, max(make.clock.now_ms(), START_MS), 10_000, ())).deliveries


async def _in_digest(store: Store, digest_id: int, limit: int = 2000) -> list[int]:
    found: list[int] = []
    below = None
    while True:
        page = await store.deliveries(Filter(workspace="default", digest=digest_id, limit=limit, below=below))
        found += [row["id"] for row in page.items]
        below = page.next_below
        if below is None:
            return sorted(found)
