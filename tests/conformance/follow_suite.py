"""What every store promises to those who follow what happens, as tests; `FollowSuite` is used as `StoreSuite` is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alertd.model.delivery import DeliveryState, OutcomeKind
from alertd.store.base import Batch
from alertd.store.following import Position
from tests.conformance.store_maker import START_MS

if TYPE_CHECKING:
    from alertd.store.base import Store
    from tests.conformance.store_maker import Maker, StillClock

RETRYING, DELIVERED = DeliveryState.RETRYING, DeliveryState.DELIVERED
DEAD, CANCELLED = DeliveryState.DEAD, DeliveryState.CANCELLED
DAY_MS = 86_400_000


async def followed(store: Store, after: Position, limit: int = 100) -> tuple[list[Any], list[Any], Position]:
    """Read all that happened behind a position, page by page; each page holds at most what was asked for."""
    events: list[Any] = []
    outcomes: list[Any] = []
    while True:
        page = await store.happened(after, limit)
        assert max(len(page.events), len(page.outcomes)) <= limit
        events += page.events
        outcomes += page.outcomes
        assert not page.more or page.position != after
        after = page.position
        if not page.more:
            return events, outcomes, after


def said(outcomes: list[Any]) -> list[tuple[int, int, str]]:
    """Shorten outcomes to (delivery, attempt, state)."""
    return [(row["id"], row["number"], row["state"].word) for row in outcomes]


class FollowSuite:
    """The promises."""

    async def test_nothing_has_happened_in_a_fresh_store(self, store: Store, make: Maker) -> None:
        """Its head is the beginning, and behind it is nothing."""
        assert await store.head() == Position()
        assert await followed(store, Position()) == ([], [], Position())
        assert await store.oldest_outcome() == 1

    async def test_what_was_stored_is_told_once_and_in_order(self, store: Store, make: Maker) -> None:
        """Events by their numbers, outcomes as they were stored, each attempt with its own words; then nothing more."""
        plans = [await make.stored(store, f"e{n}", to=(3, 4)) for n in range(3)]
        first, second = (d.id for d in plans[0].deliveries)
        third = plans[1].deliveries[0].id
        await store.record([make.attempt(first, 1, RETRYING), make.attempt(third)])
        await store.record([make.attempt(first, 2, RETRYING), make.attempt(second, 1, DEAD)])
        await store.cancel(first, "by hand")
        expected = [(first, 1, "retrying"), (third, 1, "delivered"), (first, 2, "retrying"), (second, 1, "dead")]
        for limit in (1, 2, 3, 100):
            events, outcomes, position = await followed(store, Position(), limit)
            assert [row["number"] for row in events] == [plan.number for plan in plans]
            assert said(outcomes) == [*expected, (first, 0, "cancelled")]
            assert position == await store.head()
            assert [row["detail"] for row in outcomes] == [
                "try 1 failed", "", "try 2 failed", "try 1 failed", "by hand",
            ]  # fmt: skip
            assert [row["outcome"] for row in outcomes] == [
                OutcomeKind.RETRY_LATER, OutcomeKind.DELIVERED, OutcomeKind.RETRY_LATER, OutcomeKind.REJECTED, None,
            ]  # fmt: skip
            assert [row["status"] for row in outcomes] == [503, 200, 503, 503, None]
        assert await followed(store, await store.head()) == ([], [], await store.head())

    async def test_what_comes_later_is_told_from_where_one_was(self, store: Store, make: Maker) -> None:
        """From any position in between exactly the rest is told."""
        seen: list[tuple[Position, int]] = [(Position(), 0)]
        total = 0
        for n in range(4):
            plan = await make.stored(store, f"e{n}")
            await store.record([make.attempt(plan.deliveries[0].id)])
            total += 1
            seen.append((await store.head(), total))
        for position, count in seen:
            events, outcomes, _ = await followed(store, position, 2)
            assert (len(events), len(outcomes)) == (total - count, total - count)

    async def test_an_outcome_waits_for_its_event(self, store: Store, make: Maker) -> None:
        """No page tells what came of an event that it, or a page before it, has not told."""
        plans = [await make.stored(store, f"e{n}") for n in range(5)]
        for plan in reversed(plans):
            await store.record([make.attempt(plan.deliveries[0].id)])
        known: set[int] = set()
        after, told = Position(), 0
        while told < len(plans):
            page = await store.happened(after, 2)
            known |= {row["number"] for row in page.events}
            assert {row["event_number"] for row in page.outcomes} <= known
            told += len(page.outcomes)
            after = page.position

    async def test_what_found_nothing_to_do_is_not_told(self, store: Store, make: Maker) -> None:
        """An attempt recorded twice, or of a delivery that was cancelled meanwhile, and a second cancel, are no outcomes."""
        plan = await make.stored(store, "e", to=(3, 4))
        first, second = (d.id for d in plan.deliveries)
        await store.cancel(second, "x")
        await store.cancel(second, "x")
        await store.record([make.attempt(first), make.attempt(second)])
        await store.record([make.attempt(first)])
        _, outcomes, _ = await followed(store, Position())
        assert said(outcomes) == [(second, 0, "cancelled"), (first, 1, "delivered")]

    async def test_ends_without_an_attempt_are_told(self, store: Store, make: Maker) -> None:
        """What expires, and what goes with its destination."""
        first = (await make.stored(store, "a", to=(3,))).deliveries[0].id
        second = (await make.stored(store, "b", to=(4,))).deliveries[0].id
        await store.expire(3, START_MS + DAY_MS, "too late", ())
        await store.cancel_destination(4, "gone", ())
        _, outcomes, _ = await followed(store, Position())
        assert said(outcomes) == [(first, 0, "dead"), (second, 0, "cancelled")]
        assert [row["detail"] for row in outcomes] == ["too late", "gone"]

    async def test_a_time_is_a_position(self, store: Store, make: Maker, clock: StillClock) -> None:
        """What was stored from a time on is told from the position of that time, and nothing older."""
        early = await make.stored(store, "early")
        await store.record([make.attempt(early.deliveries[0].id, 1, RETRYING)])
        clock.ms += 60_000
        late = await make.stored(store, "late")
        await store.record([make.attempt(early.deliveries[0].id, 2), make.attempt(late.deliveries[0].id)])
        events, outcomes, _ = await followed(store, await store.position_at(clock.ms))
        assert [row["number"] for row in events] == [late.number]
        assert [row["number"] for row in outcomes] == [2, 1]
        assert await followed(store, await store.position_at(START_MS)) == await followed(store, Position())
        assert (await followed(store, await store.position_at(clock.ms + 1)))[:2] == ([], [])

    async def test_every_time_has_its_position(self, store: Store, make: Maker, clock: StillClock) -> None:
        """Whatever was stored before a time is behind its position, also where several outcomes were stored together."""
        stored: list[tuple[int, int]] = []
        for size in (1, 3, 2, 1, 4, 1, 1):
            plans = [await make.stored(store) for _ in range(size)]
            await store.record([make.attempt(plan.deliveries[0].id) for plan in plans])
            stored.append((clock.ms, size))
            clock.ms += 10
        for ms in range(START_MS - 5, clock.ms + 10, 5):
            expected = sum(size for at, size in stored if at < ms)
            assert (await store.position_at(ms)).outcome == expected

    async def test_retention_leaves_all_of_what_was_stored_together_last(
        self, store: Store, make: Maker, clock: StillClock
    ) -> None:
        """However old it is, so that places go on behind it."""
        plan = await make.stored(store, "old", to=(3, 4, 5))
        first, *last = (d.id for d in plan.deliveries)
        await store.record([make.attempt(first)])
        await store.record([make.attempt(each) for each in last])
        clock.ms += DAY_MS
        while await store.retain(clock.ms, 100):
            pass
        assert await store.oldest_outcome() == 2
        assert (await store.head()).outcome == 3

    async def test_retention_forgets_and_places_go_on(self, store: Store, make: Maker, clock: StillClock) -> None:
        """What is too old is told no more; the places of what follows are new ones."""
        old = await make.stored(store, "old")
        await store.record([make.attempt(old.deliveries[0].id)])
        clock.ms += DAY_MS
        new = await make.stored(store, "new")
        await store.record([make.attempt(new.deliveries[0].id)])
        before = await store.head()
        while await store.retain(clock.ms, 100):
            pass
        assert await store.oldest_outcome() == 2
        assert said((await followed(store, Position()))[1]) == [(new.deliveries[0].id, 1, "delivered")]
        clock.ms += DAY_MS
        while await store.retain(clock.ms, 100):
            pass
        later = await make.stored(store, "later")
        await store.record([make.attempt(later.deliveries[0].id)])
        _, outcomes, position = await followed(store, before)
        assert said(outcomes) == [(later.deliveries[0].id, 1, "delivered")]
        assert position.outcome == before.outcome + 1

    async def test_what_decided_nothing_brings_no_payload(self, store: Store, make: Maker) -> None:
        """An event that no subscription was looked at for is passed over without its bytes; others bring theirs."""
        quiet = make.plan("quiet", to=())
        loud = make.plan("loud")
        await store.commit(Batch(1, [quiet, loud]))
        events, _, _ = await followed(store, Position())
        assert [row["payload"] for row in events] == [b"", loud.event.payload]
