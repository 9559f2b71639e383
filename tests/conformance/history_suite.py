"""What every store promises of the history, as tests; `HistorySuite` is used as `StoreSuite` is."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from alertd.errors import ConflictError, NotFoundError
from alertd.model.delivery import DeliveryState
from alertd.model.verdict import Verdict, VerdictCode
from alertd.store.base import Acknowledgement, Batch, Filter, Reached, RejectedRecord
from alertd.store.replaying import ReplayRule
from alertd.store.resource import AuditFilter
from tests.conformance.resource_suite import entry
from tests.conformance.store_maker import START_MS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from alertd.engine.plan import Plan
    from alertd.store.base import Page, Store
    from tests.conformance.store_maker import Maker, StillClock

PENDING, RETRYING, DELIVERED = DeliveryState.PENDING, DeliveryState.RETRYING, DeliveryState.DELIVERED
DEAD, CANCELLED = DeliveryState.DEAD, DeliveryState.CANCELLED
ANN = Acknowledgement("ann", START_MS)


def told(plan: Plan, *told_by: tuple[int, int, VerdictCode]) -> Plan:
    """Give a plan these verdicts, as (subscription, channel, code); its deliveries go by the first of them."""
    plan.verdicts[:] = [Verdict(*each) for each in told_by]
    for delivery in plan.deliveries:
        delivery.subscription_id, delivery.channel_id = told_by[0][:2]
    return plan


async def walked(
    look: Callable[[Filter], Awaitable[Page]], which: Filter, between: Callable[[], Awaitable[Any]] | None = None
) -> list[dict[str, Any]]:
    """Read a list to its end, page by page; do something between the pages."""
    items: list[dict[str, Any]] = []
    for turn in count():
        page = await look(which)
        assert len(page.items) <= which.limit
        items += page.items
        if page.next_below is None:
            return items
        assert which.below is None or page.next_below < which.below
        which = replace(which, below=page.next_below)
        if between is not None and turn < 5:
            await between()
    raise AssertionError


class HistorySuite:
    """The promises."""

    async def test_who_was_told_by_what_is_found(self, store: Store, make: Maker) -> None:
        """A subscription and a channel find the events that they were sent, also where another one's delivery was theirs."""
        sent, rests = VerdictCode.SENT, VerdictCode.COOLDOWN
        both = told(make.plan("both"), (7, 9, sent), (8, 10, sent))
        first = told(make.plan("first"), (7, 9, sent), (8, 10, rests))
        nobody = told(make.plan("nobody", to=()), (7, 9, rests))
        await store.commit(Batch(1, [both, first, nobody]))
        for which, wanted in (
            (Filter(subscription="s0"), [first, both]),
            (Filter(subscription="s1"), [both]),
            (Filter(channel="c1"), [both]),
            (Filter(channel="c0", workspace="default"), [first, both]),
            (Filter(subscription="s0", channel="c1"), []),
            (Filter(subscription="s1", destination="d0", state="pending"), [both]),
            (Filter(channel="c0", destination="d1"), []),
            (Filter(channel="nothing"), []),
        ):
            found = [row["number"] for row in (await store.events(which)).items]
            assert found == [plan.number for plan in wanted], which
        ids = [row["id"] for row in (await store.deliveries(Filter(channel="c0"))).items]
        assert ids == [first.deliveries[0].id, both.deliveries[0].id]
        assert (await store.deliveries(Filter(channel="c1"))).items == []

    async def test_what_is_in_flight_is_in_no_other_state(self, store: Store, make: Maker) -> None:
        """Deliveries that are being attempted are found as in_flight alone, and so are their events."""
        plans = [make.plan(f"e{n}", to=(3, 4)) for n in range(3)]
        await store.commit(Batch(1, plans))
        one, two, three = (plan.deliveries[0].id for plan in plans)
        await store.record([make.attempt(one, 1, RETRYING), make.attempt(three)])
        flying = frozenset({one, two, three})
        for state, ids, numbers in (
            ("in_flight", [two, one], [1, 0]),
            ("retrying", [], []),
            ("pending", [plan.deliveries[1].id for plan in reversed(plans)], [2, 1, 0]),
            ("delivered", [three], [2]),
        ):
            which = Filter(state=state, in_flight=flying)
            assert [row["id"] for row in (await store.deliveries(which)).items] == ids, state
            found = [row["number"] for row in (await store.events(which)).items]
            assert found == [plans[n].number for n in numbers], state
        which = Filter(state="in_flight", in_flight=flying, destination="d1")
        assert (await store.deliveries(which)).items == []

    async def test_acknowledgements(self, store: Store, make: Maker) -> None:
        """The first acknowledgement stays, and it alone is in the log of changes; it is found, and goes with its event."""
        a, b = await make.stored(store, "a"), await make.stored(store, "b")
        line, *never = [entry(number, kind="alert") for number in range(3)]
        assert await store.acknowledge(a.number, ANN, [line]) is True
        assert await store.acknowledge(a.number, Acknowledgement("bob", START_MS + 1), [never[0]]) is False
        assert await store.acknowledge(a.number, ANN) is False
        assert await store.acknowledgements([b.number, a.number]) == {a.number: ANN}
        assert await store.acknowledgements([]) == {}
        with pytest.raises(NotFoundError):
            await store.acknowledge(99, ANN, [never[1]])
        assert await store.audit(AuditFilter("default")) == [line]
        for which, wanted in (
            (Filter(acknowledged=True), [a]),
            (Filter(acknowledged=False), [b]),
            (Filter(acknowledged=True, workspace="other"), []),
            (Filter(acknowledged=False, below=b.number), []),
        ):
            found = [row["number"] for row in (await store.events(which)).items]
            assert found == [plan.number for plan in wanted], which
        with pytest.raises(NotFoundError):
            await store.acknowledge(b.number + 1, ANN)
        await store.record([make.attempt(a.deliveries[0].id)])
        assert await store.retain(START_MS + 10**9, 10) == 1
        assert await store.acknowledgements([a.number]) == {}

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("Payment", True),
            ("pAYMENT of 5", True),
            ('"quoted"', True),
            ("50 % \\o/", True),
            ("_", False),
            ("%", True),
            ("50%", False),
            ("Zürich", True),
            ("ZÜRICH", False),
            ("shop.*", False),
            ("503", False),
            ('"message":"payment', True),
            ('\\"QUOTED\\"', True),
            ('"quoted" ', False),
            ('":"error', False),
        ],
    )
    async def test_text_is_looked_for_as_it_is(self, store: Store, make: Maker, text: str, found: bool) -> None:
        """A text is found anywhere in an event's JSON, letters of ASCII in any case, every other sign as itself.

        Quotes and backslashes are found in what the event says as well as in how that is written.
        """
        said = 'payment of 50 % \\o/ in Zürich "quoted"'
        await store.commit(Batch(1, [make.plan("a", message=said), make.plan("b", event_type="t")]))
        assert [row["type"] for row in (await store.events(Filter(text=text))).items] == ["run:failed"] * found
        assert len((await store.deliveries(Filter(text=text))).items) == found

    async def test_text_of_an_error_finds_its_delivery(self, store: Store, make: Maker) -> None:
        """Deliveries are found by what went wrong, too."""
        plan = await make.stored(store, to=(3, 4))
        await store.record([make.attempt(plan.deliveries[0].id, 1, DEAD)])
        for text, wanted in (("TRY 1 failed", 1), ("try_1", 0), ("run:failed", 2)):
            assert len((await store.deliveries(Filter(text=text))).items) == wanted, text
        assert (await store.events(Filter(text="try 1"))).items == []

    async def test_deliveries_of_events(self, store: Store, make: Maker, clock: StillClock) -> None:
        """Every event's deliveries, replays last; none of a neighbour's."""
        plans = [make.plan(f"e{n}", to=to) for n, to in enumerate(((3, 4), (), (3,)))]
        await store.commit(Batch(1, plans))
        one = plans[0].deliveries[0].id
        await store.record([make.attempt(one, 1, DEAD)])
        again = await store.replay(one, make.ids.take(), clock.ms)
        numbers = [plan.number for plan in plans]
        found = await store.deliveries_of([*numbers, 5])
        assert {number: [row["id"] for row in rows] for number, rows in found.items()} == {
            numbers[0]: [one, plans[0].deliveries[1].id, again.id],
            numbers[2]: [plans[2].deliveries[0].id],
        }
        whole = await store.delivery(one)
        assert whole is not None
        assert whole.pop("payload") == plans[0].event.payload
        assert found[numbers[0]][0] == whole
        assert await store.deliveries_of([]) == {}
        assert await store.reached([*numbers, 5]) == {
            number: [Reached(r["id"], r["destination_id"], r["subscription_id"], r["state"]) for r in rows]
            for number, rows in found.items()
        }
        assert await store.reached([]) == {}

    async def test_lists_of_deliveries_name_their_events(self, store: Store, make: Maker) -> None:
        """A delivery in a list brings its event's own id, brought or made, and nothing else of the event."""
        odd = 'x"\\' + "y" * 250
        plans = [make.plan(odd, to=(3, 4)), make.plan(message="m"), make.plan("b")]
        await store.commit(Batch(1, plans))
        rows = (await store.deliveries(Filter())).items
        assert [row["event_id"] for row in rows] == ["b", plans[1].event.id, odd, odd]
        assert not any("payload" in row for row in rows)

    async def test_numbers_of_ids_that_were_brought(self, store: Store, make: Maker) -> None:
        """Of many at once those that are there, in this workspace alone; an id that was made for an event is none."""
        odd = 'x"\\' + "y" * 250
        plans = [make.plan(odd), make.plan("b"), make.plan()]
        await store.commit(Batch(1, plans))
        ids = [odd, "b", plans[2].event.id, "missing", *(f"no-{n}" for n in range(600))]
        assert await store.numbers_of("default", ids) == {odd: plans[0].number, "b": plans[1].number}
        assert await store.numbers_of("nowhere", ids) == {}
        assert await store.numbers_of("default", []) == {}

    async def test_attempts_of_deliveries(self, store: Store, make: Maker) -> None:
        """All attempts of several deliveries at once are those of each."""
        plan = await make.stored(store, to=(3, 4, 5))
        one, two, three = (d.id for d in plan.deliveries)
        await store.record([make.attempt(one, 1, RETRYING), make.attempt(two)])
        await store.record([make.attempt(one, 2, RETRYING)])
        await store.cancel(one, "enough")
        found = await store.attempts_of([one, two, three, 5])
        assert found == {one: await store.attempts(one), two: await store.attempts(two)}
        assert [attempt["number"] for attempt in found[one]] == [1, 2]

    async def test_delivery_ids_are_those_of_the_list(self, store: Store, make: Maker) -> None:
        """The same filter gives the same deliveries as ids, and the same place to continue."""
        plans = [make.plan(f"e{n}", to=(3, 4)) for n in range(5)]
        await store.commit(Batch(1, plans))
        which = Filter(destination="d1", limit=2)
        page = await store.deliveries(which)
        assert await store.delivery_ids(which) == ([row["id"] for row in page.items], page.next_below)
        assert (await store.delivery_ids(replace(which, limit=9)))[1] is None

    async def test_that_a_rejected_record_was_read_after_all_is_in_the_log(self, store: Store, make: Maker) -> None:
        """The record goes and the line comes; who comes second has tried it too."""
        record = RejectedRecord(make.ids.take(), "default", "events", 0, 0, "not JSON", b"{", 1, "")
        await store.commit(Batch(rejected=[record]))
        lines = [entry(number, kind="rejected") for number in range(2)]
        for line in lines:
            await store.forget_rejected(record.id, line)
            assert await store.rejected_record(record.id) is None
        assert await store.audit(AuditFilter("default")) == lines[::-1]

    # -- replays --------------------------------------------------------------------------------------------------

    async def test_a_replay_may_go_elsewhere(self, store: Store, make: Maker, clock: StillClock) -> None:
        """A replay to another destination keeps everything else, and is found there."""
        plan = await make.stored(store, "a")
        origin = plan.deliveries[0].id
        with pytest.raises(ConflictError):
            await store.replay(origin, make.ids.take(), clock.ms, ReplayRule(4))
        await store.record([make.attempt(origin, 1, DEAD)])
        again = await store.replay(origin, make.ids.take(), clock.ms, ReplayRule(4))
        assert (again.destination_id, again.replay_of, again.subscription_id) == (4, origin, 7)
        for which in (Filter(destination="d1"), Filter(destination="d1", state="pending")):
            assert [row["id"] for row in (await store.deliveries(which)).items] == [again.id]
            assert [row["number"] for row in (await store.events(which)).items] == [plan.number]
        assert [d.id for d in (await store.due(4, clock.ms, 10, ())).deliveries] == [again.id]

    async def test_many_are_replayed_once(self, store: Store, make: Maker, clock: StillClock) -> None:
        """Of many, those that are final are replayed, and not a second time unless the first one failed too."""
        plans = [make.plan(f"e{n}") for n in range(4)]
        await store.commit(Batch(1, plans))
        ids = [plan.deliveries[0].id for plan in plans]
        await store.record([make.attempt(ids[0], 1, DEAD), make.attempt(ids[1], 1, DEAD), make.attempt(ids[2])])

        async def again(rule: ReplayRule, origins: list[int]) -> list[int | None]:
            pairs = [(origin, make.ids.take()) for origin in [*origins, 99]]
            return [d.replay_of for d in await store.replay_many(pairs, clock.ms, rule)]

        assert await again(ReplayRule(), [*ids, ids[0]]) == ids[:3]
        assert await again(ReplayRule(), ids) == []
        assert await again(ReplayRule(destination_id=4), ids) == ids[:3]
        repeats = (await store.deliveries_of([plans[0].number]))[plans[0].number][1:]
        await store.record([make.attempt(repeats[0]["id"], 1, DEAD)])
        assert await again(ReplayRule(), ids) == ids[:1]
        assert await again(ReplayRule(since=make.ids.take()), ids) == ids[:3]

    async def test_an_event_is_replayed_once_to_one_destination(
        self, store: Store, make: Maker, clock: StillClock
    ) -> None:
        """Several deliveries of an event become one when they are sent to one destination."""
        plan = await make.stored(store, to=(3, 4))
        ids = [d.id for d in plan.deliveries]
        await store.record([make.attempt(number, 1, DEAD) for number in ids])
        pairs = [(number, make.ids.take()) for number in ids]
        made = await store.replay_many(pairs, clock.ms, ReplayRule(destination_id=5))
        assert [d.replay_of for d in made] == ids[:1]
        pairs = [(number, make.ids.take()) for number in ids]
        assert [d.destination_id for d in await store.replay_many(pairs, clock.ms, ReplayRule())] == [3, 4]

    # -- pages ----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("seed", range(3))
    async def test_pages_hold_everything_once_while_more_arrives(
        self, store: Store, make: Maker, clock: StillClock, seed: int
    ) -> None:
        """What was there when a walk began is in its pages exactly once, newest first, whatever comes meanwhile."""
        chance = random.Random(seed)  # noqa: S311 - a test's own

        async def arrive() -> None:
            clock.ms += chance.choice((0, 1, 50))
            plans = [
                make.plan(
                    to=chance.choice(((), (3,), (4,), (3, 4, 5))),
                    event_type=chance.choice(("run:failed", "t")),
                    project=chance.choice(("shop", "blog")),
                    severity=chance.choice(("info", "error")),
                )
                for _ in range(chance.randint(1, 7))
            ]
            await store.commit(Batch(1, plans))
            states = {d.id: chance.choice((None, DELIVERED, DEAD, RETRYING)) for plan in plans for d in plan.deliveries}
            await store.record([make.attempt(number, 1, state) for number, state in states.items() if state])
            origins = [(n, make.ids.take()) for n, state in states.items() if state in (DELIVERED, DEAD)][:2]
            await store.replay_many(origins, clock.ms, ReplayRule(chance.choice((None, 4))))

        for _ in range(20):
            await arrive()
        filters = (
            Filter(),
            Filter(workspace="default", project="shop"),
            Filter(type="t", severity="error"),
            Filter(destination="d1"),
            Filter(destination="d0", state="dead"),
            Filter(state="delivered", project="blog"),
            Filter(state="pending"),
            Filter(state="dead", type="t"),
            Filter(subscription="s0", since_ms=START_MS + 100),
            Filter(text="blog", until_ms=START_MS + 300),
        )
        for which in filters:
            for look, key in ((store.events, "number"), (store.deliveries, "id")):
                wanted = [row[key] for row in (await look(replace(which, limit=5000))).items]
                small = replace(which, limit=chance.choice((2, 5, 10)))
                found = [row[key] for row in await walked(look, small, arrive if len(wanted) > 5 else None)]
                held = set(wanted)
                assert [n for n in found if n in held or n <= (wanted or [0])[0]] == found, which
                assert [n for n in found if n in held] == wanted, which
                assert found == sorted(set(found), reverse=True), which
