"""What the hub promises to those who wait for it."""

from __future__ import annotations

from alertd.delivery.hub import Hub


async def test_a_ring_wakes_everybody_who_took_it_before() -> None:
    """Whoever took the next ring before it rang finds it set, also when they wait only later; the one after is not."""
    hub = Hub()
    first, second = hub.next_ring(), hub.next_ring()
    hub.ring()
    assert first.is_set()
    assert second.is_set()
    assert not hub.next_ring().is_set()


async def test_the_end_is_a_ring_too() -> None:
    """Closing wakes everybody, and says that it was the last time; twice is fine."""
    hub = Hub()
    waiting = hub.next_ring()
    assert not hub.closed
    hub.close()
    hub.close()
    assert waiting.is_set()
    assert hub.closed
