"""The egress guard before types that speak no HTTP: mail servers and Kafka brokers."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from pydantic import ValidationError

from alertd.destinations.base import World
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.guarded_connection import GuardedConnector
from alertd.destinations.registry import REGISTRY
from alertd.destinations.whereto import forbidden
from alertd.model.delivery import OutcomeKind
from tests.conformance.destination_suite import FixedClock, ScriptedSender
from tests.conformance.messages import make_message
from tests.connections import connections
from tests.egress_corpus import Entry, addresses, urls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.model.delivery import Outcome

PATIENCE: Final = 60.0
NOTHING_ALLOWED: Final = EgressPolicy()
HOSTS: Final = sorted(
    {found[1] for each in urls("refused") if (found := re.match(r"https?://([^/?#]*?)(?::\d+)?/", each.text))}
)


def mail(host: str, port: int = 587) -> dict[str, Any]:
    """Write settings of `email` with a server of its own."""
    return {
        "to": ["ops@example.com"],
        "host": host.strip("[]") if ":" in host else host,
        "port": port,
        "from": "a@example.com",
    }


def kafka(host: str, port: int = 9092) -> dict[str, Any]:
    """Write settings of `kafka`."""
    return {
        "bootstrap_servers": [f"[{host}]:{port}" if ":" in host.strip("[]") else f"{host}:{port}"],
        "topic": "alerts",
    }


KINDS: Final = {"email": mail, "kafka": kafka}


async def attempt(kind: str, settings: dict[str, Any], answers: Sequence[str] = ()) -> Outcome:
    """Attempt once with a resolver that gives these answers; nothing may be connected to."""

    async def lookup(host: str, port: int) -> list[str]:
        if not answers:
            raise OSError("unknown name")
        return list(answers)

    connector = GuardedConnector(NOTHING_ALLOWED, lookup)
    world = World(FixedClock(), ScriptedSender(), print, connect=connector.connect)
    made = REGISTRY[kind].open(REGISTRY[kind].settings_model.model_validate(settings), 5.0, world)
    with connections() as heard:
        async with asyncio.timeout(PATIENCE):
            outcome = await made.attempt(make_message())
    await made.close()
    connector.close()
    assert heard == []
    return outcome


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("entry", addresses("refused"), ids=lambda each: repr(each.text))
async def test_names_that_resolve_to_it(kind: str, entry: Entry) -> None:
    """A name that resolves to a forbidden address makes a dead delivery that says so; nothing is connected to."""
    outcome = await attempt(kind, KINDS[kind]("peer.example"), [entry.text])
    assert outcome.kind is OutcomeKind.REJECTED
    assert "egress refused: " in outcome.detail


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", HOSTS)
async def test_hosts(kind: str, host: str) -> None:
    """A forbidden host is no valid setting, or one that is refused before anything is sent, and at the attempt too."""
    try:
        settings = REGISTRY[kind].settings_model.model_validate(KINDS[kind](host))
    except ValidationError:
        return
    if host in {"example.com", "8.8.8.8", "[2606:4700::1]", "[::ffff:8.8.8.8]"}:
        return  # forbidden for its port alone
    assert list(forbidden(settings, NOTHING_ALLOWED))
    outcome = await attempt(kind, KINDS[kind](host), ["127.0.0.1", "::1", "169.254.169.254"])
    assert outcome.kind is OutcomeKind.REJECTED
    assert "egress refused: " in outcome.detail


@pytest.mark.parametrize(
    ("kind", "port"), [("email", 22), ("email", 80), ("email", 6379), ("kafka", 22), ("kafka", 1023)]
)
async def test_ports(kind: str, port: int) -> None:
    """At a public address only the ports of its protocol are connected to."""
    outcome = await attempt(kind, KINDS[kind]("peer.example", port), ["8.8.8.8"])
    assert outcome.kind is OutcomeKind.REJECTED
    assert f"egress refused: port {port} is none of" in outcome.detail
