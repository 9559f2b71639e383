"""Names to permitted addresses."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from alertd.destinations import resolver as subject
from alertd.destinations.faults import EgressRefusedError
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.resolver import Resolver, permitted, system_lookup

POLICY = EgressPolicy(["10.0.0.0/8", "friend.example"])


def test_only_permitted_ones() -> None:
    """Of many addresses the permitted ones are left, in their order."""
    assert permitted(POLICY, "x.example", ["127.0.0.1", "10.1.1.1", "8.8.8.8"]) == ["10.1.1.1", "8.8.8.8"]
    assert permitted(POLICY, "friend.example", ["127.0.0.1"]) == ["127.0.0.1"]


def test_none_permitted() -> None:
    """When none is left the first reason is told; no address at all is another error."""
    with pytest.raises(EgressRefusedError, match=r"x\.example resolves to 127\.0\.0\.1"):
        permitted(POLICY, "x.example", ["127.0.0.1", "::1"])
    with pytest.raises(OSError, match="no addresses"):
        permitted(POLICY, "x.example", [])


async def test_remembered_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses are remembered for their time, by name and port."""
    asked: list[tuple[str, int]] = []

    async def lookup(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["10.0.0.1"]

    resolver = Resolver(POLICY, lookup)
    for _ in range(3):
        assert await resolver.addresses("a.example", 80) == ["10.0.0.1"]
    await resolver.addresses("a.example", 81)
    assert asked == [("a.example", 80), ("a.example", 81)]
    monkeypatch.setattr(subject, "DNS_CACHE_SECONDS", -1)
    other = Resolver(POLICY, lookup)
    for _ in range(2):
        await other.addresses("b.example", 80)
    assert asked[2:] == [("b.example", 80)] * 2


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that never come again do not pile up."""
    monkeypatch.setattr(subject, "NAMES_MAX", 3)

    async def lookup(host: str, port: int) -> list[str]:
        return ["10.0.0.1"]

    resolver = Resolver(POLICY, lookup)
    for number in range(10):
        await resolver.addresses(f"{number}.example", 80)
        assert len(resolver._known) <= 3


async def test_refusal_is_not_remembered() -> None:
    """A name that pointed to a forbidden address may be mended."""
    answers = [["127.0.0.1"], ["10.0.0.1"]]

    async def lookup(host: str, port: int) -> list[str]:
        return answers.pop(0)

    resolver = Resolver(POLICY, lookup)
    with pytest.raises(EgressRefusedError):
        await resolver.addresses("a.example", 80)
    assert await resolver.addresses("a.example", 80) == ["10.0.0.1"]


async def test_close() -> None:
    """Closing ends what is being asked."""

    async def lookup(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    resolver = Resolver(POLICY, lookup)
    task = asyncio.ensure_future(resolver.addresses("a.example", 80))
    await asyncio.sleep(0)
    resolver.close()
    async with asyncio.timeout(60):
        with pytest.raises(asyncio.CancelledError):
            await task
    resolver.close()


async def test_system_lookup() -> None:
    """The system knows loopback, and what DNS cannot hold is an OSError."""
    assert "127.0.0.1" in await system_lookup("localhost", 80) or "::1" in await system_lookup("localhost", 80)
    with pytest.raises(OSError, match=r"."):
        await system_lookup("a" * 70 + ".example", 80)


async def test_dead_names_keep_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever number of names the system waits for, another one is asked for at once; and nobody waits for ever."""
    gate, true = threading.Event(), socket.getaddrinfo

    def ask(host: str, *given: Any, **named: Any) -> Any:
        if host.startswith("dead"):
            assert gate.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return true(host, *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    dead = [asyncio.ensure_future(system_lookup(f"dead{number}.example", 80)) for number in range(100)]
    forsaken = asyncio.ensure_future(system_lookup("dead.example", 80))
    async with asyncio.timeout(60):
        await asyncio.sleep(0)
        forsaken.cancel()
        assert await system_lookup("localhost", 80)
        assert not any(task.done() for task in dead)
        gate.set()
        outcomes = await asyncio.gather(*dead, forsaken, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [socket.gaierror] * 100 + [asyncio.CancelledError]


async def test_names_asked_for_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the bound names are asked for at a time; one more does not resolve; a known one and one that is asked for do."""
    monkeypatch.setattr(subject, "LOOKUPS_MAX", 3)
    gate = asyncio.Event()

    async def lookup(host: str, port: int) -> list[str]:
        if host != "known.example":
            await gate.wait()
        return ["10.0.0.1"]

    resolver = Resolver(POLICY, lookup)
    await resolver.addresses("known.example", 80)
    waiting = [asyncio.ensure_future(resolver.addresses(f"{number % 3}.example", 80)) for number in range(6)]
    async with asyncio.timeout(60):
        await asyncio.sleep(0)
        with pytest.raises(OSError, match="3 other names are being looked up"):
            await resolver.addresses("one-more.example", 80)
        assert await resolver.addresses("known.example", 80) == ["10.0.0.1"]
        gate.set()
        assert await asyncio.gather(*waiting) == [["10.0.0.1"]] * 6
        await asyncio.sleep(0)
        assert await resolver.addresses("one-more.example", 80) == ["10.0.0.1"]
