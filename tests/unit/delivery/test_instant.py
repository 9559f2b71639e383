"""A destination that answers at once, whatever the message, needs one worker and no message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alertd.delivery.endpoint import UNREAD
from alertd.delivery.lane import YIELD_ATTEMPTS
from alertd.destinations.null import NullDestination
from alertd.model.delivery import DELIVERED, DeliveryState, Outcome
from tests.unit.delivery.world import NAMING, Scripted, passes

if TYPE_CHECKING:
    from alertd.destinations.base import Message
    from tests.unit.delivery.world import World


class Instant(Scripted):
    """Notes what it is given, and how many workers there were."""

    instant = True

    def __init__(self, world: World) -> None:
        super().__init__()
        self.given: list[Message] = []
        self.workers: set[int] = set()
        self._world = world

    async def attempt(self, message: Message) -> Outcome:
        """Answer at once."""
        self.given.append(message)
        self.workers.add(len(self._world.lane().workers))
        return DELIVERED


async def test_one_worker_takes_all(world: World) -> None:
    """Many more than it attempts in one go, and what is offered meanwhile; each is stored as delivered by one attempt."""
    hook = Instant(world)
    await world.start(world.spec(hook, concurrency=8))
    offered = [world.offer(3 * YIELD_ATTEMPTS + 1)]
    await passes(1)
    offered.append(world.offer(2))
    await world.all_final()
    rows = [row for deliveries in offered for row in deliveries]
    assert len(hook.given) == len(rows)
    assert hook.workers == {1}
    assert {world.store.state(row) for row in rows} == {DeliveryState.DELIVERED}
    assert not world.lane().workers


async def test_no_message_is_written(world: World) -> None:
    """It would not be read."""
    hook = Instant(world)
    await world.start(world.spec(hook))
    world.offer()
    await world.all_final()
    assert hook.given == [UNREAD]


async def test_it_can_be_exchanged_for_one_that_reads(world: World) -> None:
    """From the next attempt on."""
    reader = Scripted()
    await world.start(world.spec(Instant(world)))
    world.offer()
    await world.all_final()
    await world.dispatcher.apply([world.spec(reader)], NAMING)
    world.offer()
    await world.all_final()
    assert [message.subscription for message in reader.messages] == ["a-subscription"]


def test_null_is_instant() -> None:
    """The only one."""
    kind: Any = NullDestination
    assert kind.instant
