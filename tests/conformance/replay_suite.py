"""What every store promises of replays, as tests; `ReplaySuite` is used as `StoreSuite` is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from alertd.errors import ConflictError, NotFoundError
from alertd.model.delivery import DeliveryState, Outcome, OutcomeKind
from alertd.store.base import Filter
from alertd.store.replaying import LOOKS, PART, Replay, ReplayRule, ReplayState
from alertd.store.resource import AuditFilter
from tests.conformance.resource_suite import entry

if TYPE_CHECKING:
    from alertd.store.base import Store
    from alertd.store.resource import AuditEntry
    from tests.conformance.store_maker import Maker, StillClock

DEAD, DELIVERED = DeliveryState.DEAD, DeliveryState.DELIVERED
RUNNING, DONE, CANCELLED, FAILED = ReplayState
THERE = frozenset({3, 4, 5})
"""The destinations of these deliveries."""


async def dead(store: Store, make: Maker, count: int, to: tuple[int, ...] = (3,)) -> list[int]:
    """Store deliveries that were given up; return them oldest first."""
    plans = [await make.stored(store, to=to) for _ in range(count)]
    ids = [d.id for plan in plans for d in plan.deliveries]
    await store.record([make.attempt(number, 1, DEAD) for number in ids])
    return ids


def replay_of(make: Maker, total: int, to: int | None = None, *, again: bool = False) -> Replay:
    """Make a replay that ann asked for."""
    number = make.ids.take()
    return Replay(number, "default", "ann", b"{}", to, number if again else 0, 10.0, total)


class ReplaySuite:
    """The promises."""

    async def test_who_asked_is_kept_with_the_delivery(self, store: Store, make: Maker) -> None:
        """A replay names its origin and who asked for it, as the log of changes does; any other delivery names nobody."""
        [origin] = await dead(store, make, 1)
        new = make.ids.take()
        line, never = (entry(number, kind="delivery") for number in range(2))
        made = await store.replay(origin, new, make.clock.now_ms(), ReplayRule(4, actor="ann"), [line])
        with pytest.raises(ConflictError):
            await store.replay(new, make.ids.take(), make.clock.now_ms(), ReplayRule(4, actor="ann"), [never])
        assert await store.audit(AuditFilter("default")) == [line]
        assert (made.id, made.replay_of, made.destination_id) == (new, origin, 4)
        row = await store.delivery(new)
        assert row is not None
        assert (row["replay_of"], row["replayed_by"], row["replay_id"]) == (origin, "ann", None)
        row = await store.delivery(origin)
        assert row is not None
        assert (row["replayed_by"], row["replay_id"]) == (None, None)

    async def test_a_replay_knows_nothing_of_its_origins_attempts(self, store: Store, make: Maker) -> None:
        """None was made of it, so none of them may have arrived."""
        [origin] = (await make.stored(store)).deliveries
        lost = replace(make.attempt(origin.id, 1, DEAD), outcome=Outcome(OutcomeKind.AMBIGUOUS, detail="no answer"))
        await store.record([lost])
        made = await store.replay(origin.id, make.ids.take(), make.clock.now_ms())
        [due] = (await store.due(made.destination_id, make.clock.now_ms(), 9, ())).deliveries
        assert [(each.id, each.attempts, each.ambiguous) for each in (made, due)] == [(made.id, 0, False)] * 2

    async def test_steps_send_each_once_and_in_order(self, store: Store, make: Maker) -> None:
        """Step by step, oldest first, each origin once; the last step ends the replay, and further ones do nothing."""
        origins = await dead(store, make, 5)
        replay = replay_of(make, 5)
        await store.begin_replay(replay, origins)
        assert await store.running_replays() == [replay]
        sent: list[int | None] = []
        for expected in (2, 4, 5):
            first = make.ids.take(2)
            now, made = await store.step_replay(replay.id, first, 2, make.clock.now_ms(), THERE)
            sent += [each.replay_of for each in made]
            assert [each.id for each in made] == list(range(first, first + len(made)))
            assert (now.looked, now.made, now.state) == (
                expected,
                expected,
                DONE if expected == len(origins) else RUNNING,
            )
        assert sent == origins
        assert now.ended_at_ms == make.clock.now_ms()
        assert (await store.step_replay(replay.id, make.ids.take(2), 2, make.clock.now_ms(), THERE)) == (now, [])
        assert await store.running_replays() == []
        assert await store.replay_by_id(replay.id) == now
        rows = (await store.deliveries(Filter(state="pending"))).items
        assert [(row["replayed_by"], row["replay_id"]) for row in rows] == [("ann", replay.id)] * 5

    async def test_a_step_keeps_to_its_part(self, store: Store, make: Maker) -> None:
        """Origins are kept in parts, and none between two of them is forgotten or sent twice."""
        [origin] = await dead(store, make, 1)
        origins = [origin + 1000 + n for n in range(PART - 1)] + [origin] + [origin + 5000]
        replay = replay_of(make, len(origins))
        await store.begin_replay(replay, origins)
        sent: list[int | None] = []
        for looked in (*range(LOOKS, PART + 1, LOOKS), PART + 1):
            now, made = await store.step_replay(replay.id, make.ids.take(9), 9, make.clock.now_ms(), THERE)
            assert now.looked == looked
            sent += [each.replay_of for each in made]
        assert (sent, now.made, now.state) == ([origin], 1, DONE)

    async def test_a_step_goes_on_past_what_is_left_out(self, store: Store, make: Maker) -> None:
        """Until it has made as many as it may; these are numbered without a gap."""
        origins = await dead(store, make, 4, to=(3, 4))
        replay = replay_of(make, len(origins))
        await store.begin_replay(replay, origins)
        there = frozenset({4})
        for looked in (6, 8):
            first = make.ids.take(3)
            now, made = await store.step_replay(replay.id, first, 3, make.clock.now_ms(), there)
            assert now.looked == looked
            assert [each.id for each in made] == list(range(first, first + len(made)))
        assert (now.made, now.state) == (4, DONE)

    async def test_what_was_replayed_already_is_left_out_unless_asked_again(self, store: Store, make: Maker) -> None:
        """Looked at, but not made; a replay that itself died counts for nothing."""
        first, second, third = await dead(store, make, 3)
        now_ms = make.clock.now_ms()
        good = await store.replay(first, make.ids.take(), now_ms)
        bad = await store.replay(second, make.ids.take(), now_ms)
        await store.record([make.attempt(good.id, 1, DELIVERED), make.attempt(bad.id, 1, DEAD)])
        origins = [first, second, third, bad.id]
        assert await store.replayable(origins, ReplayRule()) == 2
        replay = replay_of(make, 4)
        await store.begin_replay(replay, origins)
        now, made = await store.step_replay(replay.id, make.ids.take(9), 9, now_ms, THERE)
        assert ([each.replay_of for each in made], now.looked, now.made, now.state) == ([second, third], 4, 2, DONE)
        again = replay_of(make, 4, again=True)
        assert await store.replayable(origins, again.rule(THERE)) == 3
        await store.begin_replay(again, origins)
        _, made = await store.step_replay(again.id, make.ids.take(9), 9, now_ms, THERE)
        assert [each.replay_of for each in made] == [first, second, third]

    async def test_one_other_destination_gets_each_event_once(self, store: Store, make: Maker) -> None:
        """However many deliveries an event had, one goes to the destination that was asked for."""
        origins = await dead(store, make, 2, to=(3, 4))
        assert await store.replayable(origins, ReplayRule()) == 4
        assert await store.replayable(origins, ReplayRule(5)) == 2
        replay = replay_of(make, 4, to=5)
        await store.begin_replay(replay, origins)
        _, made = await store.step_replay(replay.id, make.ids.take(9), 9, make.clock.now_ms(), THERE)
        assert [(each.replay_of, each.destination_id) for each in made] == [(origins[0], 5), (origins[2], 5)]
        assert await store.replayable(origins, ReplayRule(5)) == 0

    async def test_what_a_destination_has_is_left_out(self, store: Store, make: Maker) -> None:
        """Whatever delivery of the event brought it there, or is about to; what is dead there brought nothing."""
        plans = [await make.stored(store, to=(3, 4)) for _ in range(4)]
        lost = [plan.deliveries[0].id for plan in plans]
        there = [plan.deliveries[1].id for plan in plans]
        await store.record([make.attempt(number, 1, DEAD) for number in lost])
        states = (DELIVERED, DEAD, DeliveryState.RETRYING)
        await store.record([make.attempt(n, 1, state) for n, state in zip(there, states, strict=False)])
        assert await store.replayable(lost, ReplayRule(4)) == 1
        assert await store.replayable(lost, ReplayRule(5)) == len(lost)
        assert await store.replayable(lost, ReplayRule()) == len(lost)
        pairs = [(number, make.ids.take()) for number in lost]
        made = await store.replay_many(pairs, make.clock.now_ms(), ReplayRule(4))
        assert [each.replay_of for each in made] == [lost[1]]
        again = ReplayRule(4, make.ids.take())
        assert await store.replayable(lost, again) == len(lost)

    async def test_what_went_to_a_destination_that_is_gone_is_left_out(self, store: Store, make: Maker) -> None:
        """It is looked at, not made; sent to one other destination it goes with the rest."""
        origins = await dead(store, make, 2, to=(3, 4))
        there = frozenset({4, 5})
        assert await store.replayable(origins, ReplayRule(present=there)) == 2
        assert await store.replayable(origins, ReplayRule(5, present=there)) == 2
        assert await store.replayable(origins, ReplayRule(present=frozenset())) == 0
        assert await store.replayable(origins, ReplayRule(5, present=frozenset())) == 2
        replay = replay_of(make, 4)
        await store.begin_replay(replay, origins)
        now, made = await store.step_replay(replay.id, make.ids.take(9), 9, make.clock.now_ms(), there)
        assert [each.replay_of for each in made] == [origins[1], origins[3]]
        assert (now.looked, now.made, now.state) == (4, 2, DONE)
        pairs = [(number, make.ids.take()) for number in origins]
        made = await store.replay_many(pairs, make.clock.now_ms(), ReplayRule(5, present=there))
        assert [(each.replay_of, each.destination_id) for each in made] == [(origins[0], 5), (origins[2], 5)]

    async def test_a_replay_that_went_elsewhere_leaves_its_own_destination_without(
        self, store: Store, make: Maker
    ) -> None:
        """What one destination was sent again does not keep it from another, and keeps it from going there twice."""
        plan = await make.stored(store, to=(3, 4))
        lost, other = (d.id for d in plan.deliveries)
        await store.record([make.attempt(lost, 1, DEAD), make.attempt(other, 1, DELIVERED)])
        assert await store.replayable([other], ReplayRule()) == 1
        elsewhere = await store.replay(lost, make.ids.take(), make.clock.now_ms(), ReplayRule(4))
        await store.record([make.attempt(elsewhere.id, 1, DELIVERED)])
        assert await store.replayable([lost], ReplayRule()) == 1
        assert await store.replayable([lost, other, elsewhere.id], ReplayRule(4)) == 0
        assert await store.replayable([other, elsewhere.id], ReplayRule()) == 0

    async def test_what_is_not_final_is_left_out(self, store: Store, make: Maker) -> None:
        """What is pending, or gone, is no origin."""
        waiting = (await make.stored(store)).deliveries[0].id
        assert await store.replayable([waiting, 12345], ReplayRule()) == 0
        replay = replay_of(make, 2)
        await store.begin_replay(replay, [waiting, 12345])
        now, made = await store.step_replay(replay.id, make.ids.take(9), 9, make.clock.now_ms(), THERE)
        assert (made, now.state, now.made) == ([], DONE, 0)

    async def test_a_replay_can_be_ended(self, store: Store, make: Maker) -> None:
        """With a reason, once; nothing more is sent then."""
        origins = await dead(store, make, 2)
        replay = replay_of(make, 2)
        await store.begin_replay(replay, origins)
        ended = await store.end_replay(replay.id, CANCELLED, "by bob", make.clock.now_ms())
        assert (ended.state, ended.reason) == (CANCELLED, "by bob")
        assert await store.end_replay(replay.id, FAILED, "x", make.clock.now_ms() + 5) == ended
        assert await store.step_replay(replay.id, make.ids.take(9), 9, make.clock.now_ms(), THERE) == (ended, [])
        with pytest.raises(NotFoundError):
            await store.end_replay(1, CANCELLED, "x", 1)
        with pytest.raises(NotFoundError):
            await store.step_replay(1, make.ids.take(), 1, 1, THERE)
        assert await store.replay_by_id(1) is None

    async def test_its_beginning_and_its_end_are_in_the_log_of_changes_once(self, store: Store, make: Maker) -> None:
        """The line of the end is made of the replay as it is then; of one that had ended, or is not there, none is."""
        [origin] = await dead(store, make, 1)
        replay, done, now_ms = replay_of(make, 2), replay_of(make, 0), make.clock.now_ms()
        begun, *others = [entry(number, kind="replay") for number in range(3)]
        await store.begin_replay(replay, [origin, origin], [begun])
        await store.begin_replay(done, [])
        await store.step_replay(replay.id, make.ids.take(), 1, now_ms, THERE)
        await store.step_replay(done.id, make.ids.take(), 1, now_ms, THERE)
        told: list[Replay] = []

        def line(ended: Replay) -> AuditEntry:
            told.append(ended)
            return others.pop(0)

        expected = others[0]
        both = await asyncio.gather(
            *(store.end_replay(replay.id, CANCELLED, who, now_ms, line) for who in ("ann", "bob"))
        )
        assert both == [replace(replay, state=CANCELLED, looked=1, made=1, reason="ann", ended_at_ms=now_ms)] * 2
        assert (await store.end_replay(done.id, CANCELLED, "ann", now_ms, line)).state is DONE
        with pytest.raises(NotFoundError):
            await store.end_replay(1, CANCELLED, "ann", now_ms, line)
        assert told == both[:1]
        assert await store.audit(AuditFilter("default")) == [expected, begun]

    async def test_replays_are_listed(self, store: Store, make: Maker) -> None:
        """Newest first, page by page, of a workspace or of all."""
        replays = [replay_of(make, 0) for _ in range(3)]
        for each in replays:
            await store.begin_replay(each, [])
        assert await store.replays("default", None, 2) == replays[:0:-1]
        assert await store.replays("default", replays[1].id, 2) == replays[:1]
        assert await store.replays(None, None, 9) == replays[::-1]
        assert await store.replays("other", None, 9) == []
        assert await store.newest_number() >= replays[-1].id

    async def test_the_number_of_a_replay_is_not_given_again(
        self, store: Store, make: Maker, clock: StillClock
    ) -> None:
        """Nor when it was the newest of all, and retention has taken it."""
        replay = replay_of(make, 0)
        await store.begin_replay(replay, [])
        await store.end_replay(replay.id, CANCELLED, "by bob", clock.ms)
        clock.ms += 86_400_000
        while await store.retain(clock.ms, 100):
            pass
        assert await store.replays(None, None, 9) == []
        assert await store.newest_number() == replay.id

    async def test_retention_takes_what_is_over(self, store: Store, make: Maker, clock: StillClock) -> None:
        """A replay that ended long ago goes, and one that runs stays; who asked goes with the delivery."""
        [origin] = await dead(store, make, 1)
        over, running = replay_of(make, 1), replay_of(make, 1)
        for each in (over, running):
            await store.begin_replay(each, [origin])
        _, [made] = await store.step_replay(over.id, make.ids.take(), 1, clock.ms, THERE)
        await store.record([make.attempt(made.id, 1, DELIVERED)])
        clock.ms += 86_400_000
        while await store.retain(clock.ms, 100):
            pass
        assert await store.replays("default", None, 9) == [running]
        assert await store.delivery(made.id) is None
