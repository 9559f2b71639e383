"""A destination's memory in memory."""

from __future__ import annotations

from alertd.destinations.passing_memory import PassingMemory


async def test_what_was_set_is_remembered() -> None:
    """The last value set counts; what was never set is None."""
    memory = PassingMemory()
    assert await memory.get("a") is None
    await memory.set("a", "1")
    await memory.set("a", "2")
    assert await memory.get("a") == "2"


async def test_what_is_not_used_for_longest_is_forgotten() -> None:
    """At the bound nothing is forgotten; beyond it the entry that was read or set longest ago is."""
    memory = PassingMemory(2)
    await memory.set("a", "1")
    await memory.set("b", "2")
    assert await memory.get("a") == "1"
    await memory.set("c", "3")
    assert [await memory.get(key) for key in "abc"] == ["1", None, "3"]
