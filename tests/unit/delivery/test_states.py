"""The state of a destination and the lines of who changed it are stored together, soon after they are in force."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from alertd.errors import StoreUnavailableError
from alertd.store.base import DestinationState
from tests.conformance.resource_suite import entry
from tests.unit.delivery.world import Scripted, World, passes, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.store.resource import AuditEntry

LINES = [entry(number, kind="destination") for number in range(4)]


async def test_lines_wait_with_the_state_that_they_tell_of(world: World) -> None:
    """Of a disable and an enable that become one write both are kept, and of what changed nothing none is."""
    await world.start(world.spec(Scripted()))
    dispatcher = world.dispatcher
    await dispatcher.enable(1, LINES[0])
    world.store.unavailable = True
    for line in LINES[1:3]:
        with pytest.raises(StoreUnavailableError):
            await dispatcher.disable(1, "by hand", line)
    with pytest.raises(StoreUnavailableError):
        await dispatcher.enable(1, LINES[3])
    assert (world.store.states, world.store.lines, dispatcher.disabled) == ({}, [], frozenset())
    world.store.unavailable = False
    await until(lambda: world.store.states)
    assert (world.store.states, world.store.lines) == ({1: DestinationState()}, [LINES[1], LINES[3]])


async def test_who_disables_once_more_has_done_nothing(world: World) -> None:
    """Since when it is disabled stays as it was; another reason is a change."""
    await world.start(world.spec(Scripted()))
    await world.dispatcher.disable(1, "by hand", LINES[0])
    before = world.store.states[1]
    await passes(5)
    await world.dispatcher.disable(1, "by hand", LINES[1])
    assert (world.store.states[1], world.store.lines) == (before, LINES[:1])
    await world.dispatcher.disable(1, "by another", LINES[2])
    assert (world.store.states[1].disabled_reason, world.store.lines) == ("by another", [LINES[0], LINES[2]])


@pytest.mark.parametrize("fails", [False, True], ids=["stored", "failed"])
async def test_a_line_that_comes_during_a_write_goes_with_its_state(
    world: World, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    """With a write of its own; when the first one failed, both go in one, and none twice."""
    world.store.delay = lambda: 0.05
    await world.start(world.spec(Scripted()))
    write, writes = world.store.set_destination_state, []

    async def noted(number: int, state: DestinationState, audit: Sequence[AuditEntry] = ()) -> None:
        await write(number, state, audit)
        writes.append((state.disabled_reason, [*audit]))

    monkeypatch.setattr(world.store, "set_destination_state", noted)
    disabling = asyncio.ensure_future(world.dispatcher.disable(1, "by hand", LINES[0]))
    await passes(0.01)
    enabling = asyncio.ensure_future(world.dispatcher.enable(1, LINES[1]))
    world.store.unavailable = fails
    await passes(0.05)
    world.store.unavailable = False
    await asyncio.gather(disabling, enabling)
    assert writes == ([("", LINES[:2])] if fails else [("by hand", LINES[:1]), ("", LINES[1:2])])


async def test_only_so_many_lines_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond them is refused, and not in force; what was in force already is no change."""
    monkeypatch.setattr("alertd.delivery.states.LINES_MAX", 3)
    await world.start(world.spec(Scripted()), world.spec(Scripted(), 2))
    dispatcher = world.dispatcher
    world.store.unavailable = True
    turns = (lambda: dispatcher.disable(1, "by hand", LINES[0]), lambda: dispatcher.enable(1, LINES[1]))
    for turn in (*turns, turns[0]):
        with pytest.raises(StoreUnavailableError, match="in force but not stored"):
            await turn()
    with pytest.raises(StoreUnavailableError, match="3 changes of the destination's state wait"):
        await dispatcher.enable(1, LINES[3])
    with pytest.raises(StoreUnavailableError, match="in force but not stored"):
        await dispatcher.disable(1, "by hand", LINES[3])
    assert dispatcher.disabled == {1}
    with pytest.raises(StoreUnavailableError, match="in force but not stored"):
        await dispatcher.disable(2, "by hand", LINES[3])
    assert dispatcher.disabled == {1, 2}
    world.store.unavailable = False
    await until(lambda: len(world.store.states) == 2)
    assert world.store.lines == [LINES[0], LINES[1], LINES[0], LINES[3]]
