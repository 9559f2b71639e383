"""Connections for types that speak no HTTP: to addresses that were checked, and to no other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from alertd.destinations.base import SendError
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.guarded_connection import GuardedConnector

if TYPE_CHECKING:
    from collections.abc import Sequence

DEADLINE = 5.0


async def refusal(
    allow: Sequence[str], host: str, port: int, answers: Sequence[str] = (), ports: Sequence[int] = ()
) -> SendError:
    """Connect, which must fail, with a resolver that gives these answers."""

    async def lookup(name: str, port: int) -> list[str]:
        if not answers:
            raise OSError("unknown name")
        return list(answers)

    connector = GuardedConnector(EgressPolicy(allow), lookup)
    with pytest.raises(SendError) as caught:
        async with asyncio.timeout(DEADLINE):
            (await connector.connect(host, port, ports)).close()
    connector.close()
    return caught.value


async def test_it_connects_to_the_address_that_was_checked() -> None:
    """A name is looked up once, so a second answer cannot lead elsewhere."""
    seen: list[str] = []

    async def lookup(name: str, port: int) -> list[str]:
        seen.append(name)
        return ["127.0.0.1"] if len(seen) == 1 else ["127.0.0.2"]

    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connector = GuardedConnector(EgressPolicy(["127.0.0.1/32"]), lookup)
    async with asyncio.timeout(DEADLINE):
        sock = await connector.connect("mail.example", port, [25])
    assert sock.getpeername() == ("127.0.0.1", port)
    assert seen == ["mail.example"]
    sock.close()
    connector.close()
    connector.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
)
async def test_what_is_not_permitted_is_refused(address: str) -> None:
    """As a literal and as what a name resolves to."""
    for host, answers in ((address, ()), ("mail.example", (address,))):
        error = await refusal((), host, 25, answers)
        assert error.refused
        assert str(error).startswith("egress refused: ")


async def test_public_addresses_are_connected_at_known_ports_alone() -> None:
    """Another port needs an exception for the address."""
    error = await refusal((), "mail.example", 22, ("8.8.8.8",), (25, 587))
    assert error.refused
    assert str(error) == "egress refused: port 22 is none of 25, 587"


async def test_a_name_without_addresses() -> None:
    """That may be otherwise later."""
    error = await refusal((), "mail.example", 25)
    assert not error.refused
    assert "name does not resolve: mail.example" in str(error)


async def test_nobody_listens() -> None:
    """A refused connection is no refusal of the guard's."""
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    error = await refusal(("127.0.0.0/8",), "127.0.0.1", port)
    assert not error.refused
    assert not error.ambiguous
