"""The address of the daemon: ours from the moment it is bound, served later, free once closed."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from alertd.api import listener as own
from alertd.api.listener import Listener

DEADLINE = 60.0


class Hello(asyncio.Protocol):
    """Says hello and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say it."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


async def test_who_connects_before_it_is_served_waits() -> None:
    """Nobody is refused between taking the address and answering on it."""
    listener = Listener("127.0.0.1", 0)
    await listener.bind()
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        await listener.serve(Hello)
        assert await reader.read() == b"hello"
        writer.close()
    listener.close()


async def test_all_addresses_of_a_name_are_listened_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, however often the resolver names it."""
    loop = asyncio.get_running_loop()

    async def found(*_: object, **__: object) -> list[object]:
        one, other = (
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in ("127.0.0.1", "127.0.0.2")
        )
        return [one, other, one]

    monkeypatch.setattr(loop, "getaddrinfo", found)
    listener = Listener("both", 0)
    await listener.bind()
    ports = [each.getsockname() for each in listener._sockets]
    assert [address for address, _ in ports] == ["127.0.0.1", "127.0.0.2"]
    assert listener.port == ports[0][1]
    await listener.serve(Hello)
    for address, port in ports:
        with socket.create_connection((address, port)) as client:
            client.setblocking(False)
            assert await loop.sock_recv(client, 5) == b"hello"
    listener.close()


async def test_binding_twice_changes_nothing() -> None:
    """Neither before it is served nor after."""
    listener = Listener("127.0.0.1", 0)
    await listener.bind()
    port = listener.port
    await listener.bind()
    await listener.serve(Hello)
    await listener.bind()
    assert listener.port == port
    listener.close()


@pytest.mark.parametrize("served", [False, True])
async def test_a_closed_address_is_free(*, served: bool) -> None:
    """Also one that was never served; closing twice is fine."""
    listener = Listener("127.0.0.1", 0)
    await listener.bind()
    if served:
        await listener.serve(Hello)
    listener.close()
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", listener.port)
    again = Listener("127.0.0.1", listener.port)
    await again.bind()
    again.close()


async def test_an_address_that_is_taken_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which, and what was bound before it is given back."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        listener = Listener("127.0.0.1", taken)
        made: list[socket.socket] = []
        create = socket.create_server

        def create_server(address: tuple[str, int], **options: object) -> socket.socket:
            made.append(create(address, **options))  # type: ignore[arg-type]  # options by name
            return made[-1]

        async def found(*_: object, **__: object) -> list[object]:
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
                for address in (("127.0.0.1", 0), ("127.0.0.1", taken))
            ]

        monkeypatch.setattr(own.socket, "create_server", create_server)
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
        with pytest.raises(OSError, match="in use") as caught:
            await listener.bind()
    assert caught.value.errno == errno.EADDRINUSE
    assert [each.fileno() for each in made] == [-1]


@pytest.mark.parametrize("has_other", [True, False])
async def test_a_family_of_addresses_that_the_system_has_not_is_left_out(
    monkeypatch: pytest.MonkeyPatch, *, has_other: bool
) -> None:
    """A name may have an address for IPv6 where the kernel has none; with no other address that is an error."""
    make = socket.socket

    def without_6(family: int = -1, *given: int, **named: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return make(family, *given, **named)

    async def found(*_: object, **__: object) -> list[object]:
        other = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)), *[other] * has_other]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    monkeypatch.setattr(own.socket, "socket", without_6)
    listener = Listener("localhost", 0)
    if has_other:
        await listener.bind()
        assert [each.family for each in listener._sockets] == [socket.AF_INET]
        listener.close()
    else:
        with pytest.raises(OSError, match="not supported"):
            await listener.bind()
