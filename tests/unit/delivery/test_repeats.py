"""A message says that it may be a repeat when it may be one, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.delivery.world import AMBIGUOUS, OK, RETRY, Scripted

if TYPE_CHECKING:
    from tests.unit.delivery.world import World


async def test_only_after_an_ambiguous_attempt(world: World) -> None:
    """A refusal does not make the next attempt a repeat; one that nobody answered makes all that follow."""
    hook = Scripted(RETRY, AMBIGUOUS, RETRY, OK)
    await world.start(world.spec(hook, initial_seconds=1, jitter="none"))
    world.offer()
    await world.all_final()
    assert [message.maybe_duplicate for message in hook.messages] == [False, False, True, True]
