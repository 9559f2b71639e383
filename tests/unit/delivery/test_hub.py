"""What the hub promises to those who listen, and to those who do not."""

from __future__ import annotations

import asyncio

import pytest

from alertd.delivery.hub import Hub


async def test_nobody_listens_and_nothing_is_kept() -> None:
    """Without subscribers `listening` is false and an entry is gone."""
    hub = Hub()
    hub.publish("delivery", {})
    assert not hub.listening
    with hub.subscribe() as stream:
        assert hub.listening
        hub.publish("delivery", {"n": 1})
        assert await stream.get() == ("delivery", {"n": 1})
    assert not hub.listening


async def test_a_slow_subscriber_loses_the_oldest_and_knows_how_many() -> None:
    """At the bound nothing is lost; beyond it the oldest go, and nobody else notices."""
    hub = Hub()
    with hub.subscribe(3) as slow, hub.subscribe(10) as quick:
        for number in range(3):
            hub.publish("verdict", {"n": number})
        assert slow.dropped == 0
        for number in range(3, 5):
            hub.publish("verdict", {"n": number})
        assert slow.dropped == 2
        assert [(await slow.get())[1]["n"] for _ in range(3)] == [2, 3, 4]
        assert [(await quick.get())[1]["n"] for _ in range(5)] == [0, 1, 2, 3, 4]


async def test_it_waits_for_the_next_entry() -> None:
    """A waiting subscriber is woken."""
    hub = Hub()
    with hub.subscribe() as stream:
        waiting = asyncio.ensure_future(stream.get())
        await asyncio.sleep(0)
        hub.publish("delivery", {"n": 1})
        assert (await waiting)[1] == {"n": 1}


async def test_closing_ends_the_streams_after_what_is_queued() -> None:
    """What was published before is still read."""
    hub = Hub()
    with hub.subscribe() as stream:
        hub.publish("delivery", {})
        hub.close()
        await stream.get()
        with pytest.raises(EOFError):
            await stream.get()
