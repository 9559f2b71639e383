"""Requests through an HTTP proxy: plain and in a tunnel, what is judged before, and whose failure it is."""

from __future__ import annotations

import asyncio
import base64
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from aiohttp import web

from alertd.destinations import proxy as subject
from alertd.destinations.base import HttpRequest, SendError
from alertd.destinations.egress import AiohttpSender
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.ports import HTTP_PORTS, Ports
from alertd.destinations.proxy import proxy_of
from tests.http_proxy import HttpProxy
from tests.loopback import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DEADLINE = 60.0
HOSTS = {"hooks.example.com": "127.0.0.1"}
KNOWN = {"hooks.example.com": "8.8.8.8", "inside.example.com": "10.0.0.7", "both.example.com": "8.8.8.8,10.0.0.7"}


@asynccontextmanager
async def receiving(
    context: ssl.SSLContext | None = None, status: int = 204
) -> AsyncIterator[tuple[int, list[web.Request]]]:
    """Run a receiver on loopback that answers with a status; give its port, and what came."""
    came: list[web.Request] = []

    async def take(request: web.Request) -> web.Response:
        assert await request.read() == b"said"
        came.append(request)
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    async with serving(app, context, shutdown_timeout=1) as port:
        yield port, came


async def look_up(host: str, port: int) -> list[str]:
    """Know a few names, as a network behind a proxy may."""
    if host not in KNOWN:
        raise OSError("Name or service not known")
    return KNOWN[host].split(",")


async def send(proxy: str, url: str, *, allow: tuple[str, ...] = (), **options: Any) -> int:
    """Send one request; return the status. Raises SendError."""
    policy = EgressPolicy(allow, Ports(HTTP_PORTS))
    sender = AiohttpSender(policy, lookup=options.pop("lookup", look_up), proxy=proxy_of(proxy), **options)
    try:
        async with asyncio.timeout(DEADLINE):
            return (await sender.send(HttpRequest(url, b"said", {"x-a": "1"}), 10.0)).status
    finally:
        await sender.close()


async def test_a_plain_request_goes_through() -> None:
    """The proxy is asked with the whole address and logged in to, and needs no exception; the receiver hears no login."""
    async with HttpProxy(HOSTS) as proxy, receiving() as (port, came):
        status = await send(f"http://ann:s3cr3t@127.0.0.1:{proxy.port}", f"http://hooks.example.com:{port}/x?a=b")
    assert status == 204
    assert proxy.asked == [f"POST http://hooks.example.com:{port}/x?a=b HTTP/1.1"]
    assert "Proxy-Authorization: Basic YW5uOnMzY3IzdA==" in proxy.heads[0]
    (request,) = came
    assert (request.path_qs, request.headers["x-a"]) == ("/x?a=b", "1")
    assert request.headers["host"] == f"hooks.example.com:{port}"
    assert "Proxy-Authorization" not in request.headers


def certified() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make the contexts of a receiver, which is hooks.example.com, and of a sender that trusts it."""
    authority = trustme.CA()
    server_side, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("hooks.example.com").configure_cert(server_side)
    authority.configure_trust(trusted)
    return server_side, trusted


async def test_tls_goes_through_a_tunnel() -> None:
    """The certificate must be that of the receiver's name, and the proxy sees nothing but the name."""
    server_side, trusted = certified()
    proxy_url = "http://ann:s3cr3t@127.0.0.1:{}"
    async with HttpProxy(HOSTS | {"other.example.com": "127.0.0.1"}) as proxy, receiving(server_side) as (port, came):
        there = proxy_url.format(proxy.port)
        assert await send(there, f"https://hooks.example.com:{port}/x", ssl_context=trusted) == 204
        with pytest.raises(SendError, match="certificate verify failed"):
            await send(there, f"https://other.example.com:{port}/x", ssl_context=trusted)
    assert proxy.asked[0] == f"CONNECT hooks.example.com:{port} HTTP/1.1"
    assert "x-a" not in "".join(proxy.heads).lower()
    assert len(came) == 1
    assert "Proxy-Authorization" not in came[0].headers


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://10.0.0.7/x", "10.0.0.7 is private"),
        ("https://10.0.0.7/x", "10.0.0.7 is private"),
        ("http://localhost/x", "loopback"),
        ("http://169.254.169.254/x", "a metadata service"),
        ("http://inside.example.com/x", "inside.example.com resolves to 10.0.0.7, which is private"),
        ("https://both.example.com/x", "both.example.com resolves to 10.0.0.7, which is private"),
        ("http://8.8.8.8:25/x", "port 25 is none of"),
        ("http://hooks.example.com:25/x", "port 25 is none of"),
    ],
)
async def test_what_is_forbidden_is_not_asked_of_it(url: str, reason: str) -> None:
    """What the address says, and what is known here of a name, is judged before; also when only one address is bad."""
    async with HttpProxy() as proxy:
        with pytest.raises(SendError, match=reason) as caught:
            await send(f"http://127.0.0.1:{proxy.port}", url)
    assert caught.value.refused
    assert not proxy.asked


async def test_a_name_that_is_not_known_here_is_the_proxys() -> None:
    """Behind a proxy there may be no look-up of names at all, or one that hangs."""

    async def hang(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async with HttpProxy({"far.example.com": "127.0.0.1"}) as proxy, receiving() as (port, came):
        for lookup in (look_up, hang):
            there = f"http://127.0.0.1:{proxy.port}"
            assert await send(there, f"http://far.example.com:{port}/x", lookup=lookup) == 204
    assert len(came) == 2


async def test_a_name_that_hangs_is_looked_up_once_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many requests give up on it, together or one after the other: the system cannot be called back."""
    monkeypatch.setattr(subject, "LOOKUP_SECONDS", 0.01)
    monkeypatch.setattr(subject, "DNS_CACHE_SECONDS", -1)
    asked: list[str] = []

    async def hang(host: str, port: int) -> list[str]:
        asked.append(host)
        await asyncio.Event().wait()
        return []

    async with HttpProxy({"far.example.com": "127.0.0.1"}) as proxy, receiving() as (port, came):
        sender = AiohttpSender(EgressPolicy(), lookup=hang, proxy=proxy_of(f"http://127.0.0.1:{proxy.port}"))
        request = HttpRequest(f"http://far.example.com:{port}/x", b"said", {})
        async with asyncio.timeout(DEADLINE):
            for _ in range(2):
                await asyncio.gather(*(sender.send(request, 10.0) for _ in range(3)))
            await sender.close()
    assert len(came) == 6
    assert asked == ["far.example.com"]


async def test_the_proxy_may_be_named() -> None:
    """Its own name is looked up and connected to wherever it is; nothing else private is by that."""
    async with HttpProxy(HOSTS) as proxy, receiving() as (port, _):

        async def known(host: str, asked: int) -> list[str]:
            return ["127.0.0.1"] if host == "proxy.example.com" else await look_up(host, asked)

        there = f"http://proxy.example.com:{proxy.port}"
        assert await send(there, f"http://hooks.example.com:{port}/x", lookup=known) == 204
        with pytest.raises(SendError, match=r"10\.0\.0\.7 is private"):
            await send(there, "http://10.0.0.7/x", lookup=known)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_wants_a_login_is_named(scheme: str) -> None:
    """That is no answer of the receiver's: it is tried again."""
    async with HttpProxy(HOSTS) as proxy:
        proxy.refusal = b"HTTP/1.1 407 No\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n"
        with pytest.raises(SendError, match="the proxy wants a login") as caught:
            await send(f"http://127.0.0.1:{proxy.port}", f"{scheme}://hooks.example.com/x")
    assert not caught.value.refused
    assert not caught.value.ambiguous


async def test_a_receiver_in_a_tunnel_that_wants_a_login_is_no_proxy() -> None:
    """The proxy had its say when it opened the tunnel: what comes through it is the receiver's answer."""
    server_side, trusted = certified()
    async with HttpProxy(HOSTS) as proxy, receiving(server_side, 407) as (port, came):
        url = f"https://hooks.example.com:{port}/x"
        assert await send(f"http://127.0.0.1:{proxy.port}", url, ssl_context=trusted) == 407
    assert len(came) == 1


async def test_a_proxy_that_opens_no_tunnel_is_named() -> None:
    """Nothing was sent to the receiver."""
    async with HttpProxy(HOSTS) as proxy:
        proxy.refusal = b"HTTP/1.1 503 Later\r\ncontent-length: 0\r\n\r\n"
        with pytest.raises(SendError, match="the proxy answered 503: Later") as caught:
            await send(f"http://127.0.0.1:{proxy.port}", "https://hooks.example.com/x")
    assert not caught.value.ambiguous


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there_is_named(scheme: str) -> None:
    """It is not the receiver that cannot be reached."""
    async with HttpProxy() as proxy:
        port = proxy.port
    with pytest.raises(SendError, match="the proxy: connection refused") as caught:
        await send(f"http://127.0.0.1:{port}", f"{scheme}://hooks.example.com/x")
    assert not caught.value.ambiguous


@pytest.mark.parametrize(
    "text",
    [
        "",
        "proxy:3128",
        "https://proxy.example.com",
        "socks5://proxy:1080",
        "http://",
        "http://proxy/path",
        "http://a b",
    ],
)
def test_what_is_no_proxy_is_refused(text: str) -> None:
    """And not repeated: there may be a login in it."""
    with pytest.raises(ValueError, match=r".") as caught:
        proxy_of(text)
    assert text in {"", "http://"} or text not in str(caught.value)


def test_a_login_is_not_shown() -> None:
    """Neither a name nor a password is in what a proxy looks like."""
    made = proxy_of("http://ann:s3cr3t%40x@proxy.example.com:3128")
    assert base64.b64decode(made.login["authorization"].removeprefix("Basic ")) == b"ann:s3cr3t@x"
    assert "s3cr3t" not in repr(made)
    assert "ann" not in repr(made)
