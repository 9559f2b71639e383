"""Certificates of a destination's own, against real TLS servers that demand one, with both senders."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from alertd.destinations.base import World
from alertd.destinations.egress import AiohttpSender
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.http1.sender import FastSender
from alertd.destinations.proxy import proxy_of
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.model.delivery import OutcomeKind
from tests.certificates import Bouncer, Office, demanding, guarded
from tests.conformance.destination_suite import FixedClock, make_message
from tests.http_proxy import HttpProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from alertd.destinations.base import OpenDestination, Sender
    from alertd.model.delivery import Outcome

DEADLINE = 60.0
POLICY = EgressPolicy(("127.0.0.0/8",))
REFUSED = "the server refused the client certificate"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """An authority."""
    return Office(tmp_path)


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["tls1.2", "tls1.3"])
async def bouncer(request: pytest.FixtureRequest, office: Office) -> AsyncIterator[Bouncer]:
    """A running server that demands certificates of the authority."""
    async with guarded(demanding(office, request.param)) as made:
        yield made


@pytest.fixture(params=[FastSender, AiohttpSender])
def kind(request: pytest.FixtureRequest) -> type[FastSender | AiohttpSender]:
    """Each sender."""
    found: type[FastSender | AiohttpSender] = request.param
    return found


@asynccontextmanager
async def opened(
    kind: Callable[..., Sender], url: str, tls: dict[str, Any], type_name: str = "webhook", **settings: Any
) -> AsyncIterator[OpenDestination]:
    """Open a destination, and close it in the end."""
    shared = kind(POLICY)
    world = World(FixedClock(), shared, print, sender_with=lambda context: kind(POLICY, ssl_context=context))
    made = REGISTRY[type_name].open(parse_settings(type_name, {"url": url, "tls": tls, **settings}), 10.0, world)
    try:
        yield made
    finally:
        await made.close()
        await shared.close()


@contextmanager
def refusing(office: Office, version: ssl.TLSVersion) -> Iterator[int]:
    """Run a server in a thread that demands a certificate and, as OpenSSL does, says why it refuses; give its port."""
    context = demanding(office, version)

    def refuse() -> None:
        connection, _ = listener.accept()
        connection.settimeout(DEADLINE)
        with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as wrapped:
            with suppress(ssl.SSLError):
                wrapped.do_handshake()
            with socket.socket(fileno=wrapped.detach()) as bare:
                bare.settimeout(DEADLINE)
                bare.shutdown(socket.SHUT_WR)
                while bare.recv(65536):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        thread = threading.Thread(target=refuse)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(DEADLINE)


async def attempt(destination: OpenDestination) -> Outcome:
    """Attempt within the deadline."""
    async with asyncio.timeout(DEADLINE):
        return await destination.attempt(make_message())


async def test_the_server_sees_who_comes(kind: Any, bouncer: Bouncer, office: Office) -> None:
    """With a certificate the request arrives, and the connection is used again."""
    async with opened(kind, f"{bouncer.url}/x", office.give("ann")) as destination:
        for _ in range(3):
            outcome = await attempt(destination)
            assert outcome.kind is OutcomeKind.DELIVERED, outcome
    assert bouncer.seen == ["ann.client.example"] * 3
    assert len(bouncer.connections) == 1


@pytest.mark.parametrize("whose", ["nobody", "another authority"])
async def test_without_the_right_one_nothing_arrives(kind: Any, bouncer: Bouncer, office: Office, whose: str) -> None:
    """Without a certificate, or with one that the server does not trust, nothing is delivered, and it is tried again."""
    tls = office.give("eve", authority=trustme.CA())
    if whose == "nobody":
        tls = {"ca_file": tls["ca_file"]}
    async with opened(kind, f"{bouncer.url}/x", tls) as destination:
        outcome = await attempt(destination)
    assert outcome.kind in {OutcomeKind.RETRY_LATER, OutcomeKind.AMBIGUOUS}, outcome
    assert not bouncer.seen


@pytest.mark.parametrize("whose", ["nobody", "another authority"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_refusal_is_told_as_one(kind: Any, office: Office, whose: str, version: ssl.TLSVersion) -> None:
    """A server that says why it hangs up has read no request: not ambiguous, and in words that lead to the cause."""
    tls = office.give("eve", authority=trustme.CA())
    if whose == "nobody":
        tls = {"ca_file": tls["ca_file"]}
    with refusing(office, version) as port:
        async with opened(kind, f"https://127.0.0.1:{port}/x", tls) as destination:
            outcome = await attempt(destination)
    assert outcome.kind is OutcomeKind.RETRY_LATER, outcome
    vague = whose == "nobody" and version is ssl.TLSVersion.TLSv1_2  # all that TLS 1.2 has to say then
    assert ("TLS handshake failed" if vague else REFUSED) in outcome.detail


async def test_a_server_of_another_authority_is_refused(kind: Any, bouncer: Bouncer, office: Office) -> None:
    """`ca_file` is trusted alone: without it the server's own certificate proves nothing."""
    tls = office.give("ann")
    del tls["ca_file"]
    async with opened(kind, f"{bouncer.url}/x", tls) as destination:
        outcome = await attempt(destination)
    assert outcome.kind is OutcomeKind.RETRY_LATER
    assert "certificate verify failed" in outcome.detail


async def test_an_encrypted_key(kind: Any, bouncer: Bouncer, office: Office) -> None:
    """Its password opens it; a wrong one, or none, is an outcome that names the files and not the password."""
    tls = office.give("ann", password="hunter2-hunter2")  # noqa: S106 - a test's
    async with opened(kind, f"{bouncer.url}/x", tls | {"key_password": "hunter2-hunter2"}) as destination:
        assert (await attempt(destination)).kind is OutcomeKind.DELIVERED
    for wrong in ({"key_password": "w0rd-w0rd"}, {}):
        async with opened(kind, f"{bouncer.url}/x", tls | wrong) as destination:
            outcome = await attempt(destination)
        assert outcome.kind is OutcomeKind.RETRY_LATER
        assert outcome.detail.startswith(f"webhook: tls.cert_file {tls['cert_file']} and key_file {tls['key_file']}: ")
        assert "w0rd" not in repr(outcome)
    assert len(bouncer.seen) == 1


async def test_files_that_are_missing_are_found_when_they_come(kind: Any, bouncer: Bouncer, office: Office) -> None:
    """Until they are there deliveries wait; then they leave, with nothing restarted."""
    tls = office.give("ann")
    (office.folder / "client.pem").unlink()
    async with opened(kind, f"{bouncer.url}/x", tls) as destination:
        outcome = await attempt(destination)
        assert outcome.kind is OutcomeKind.RETRY_LATER
        assert "no such file" in outcome.detail
        office.give("ann")
        assert (await attempt(destination)).kind is OutcomeKind.DELIVERED


async def test_renewed_files_are_used_from_the_next_attempt_on(kind: Any, bouncer: Bouncer, office: Office) -> None:
    """A renewed certificate is shown on connections of its own; what cannot be used does not take away what worked."""
    async with opened(kind, f"{bouncer.url}/x", office.give("ann")) as destination:
        assert (await attempt(destination)).kind is OutcomeKind.DELIVERED
        office.give("bob")
        assert (await attempt(destination)).kind is OutcomeKind.DELIVERED
        (office.folder / "client.pem").write_text("half a certif")
        assert (await attempt(destination)).kind is OutcomeKind.DELIVERED
        office.give("cat")
        assert (await attempt(destination)).kind is OutcomeKind.DELIVERED
    assert bouncer.seen == [f"{name}.client.example" for name in ("ann", "bob", "bob", "cat")]


async def test_what_is_under_way_ends_on_the_old_one(kind: Any, bouncer: Bouncer, office: Office) -> None:
    """Twenty attempts at once, files renewed among them: each is delivered by one or the other."""
    async with opened(kind, f"{bouncer.url}/x", office.give("ann")) as destination:
        first = [asyncio.create_task(attempt(destination)) for _ in range(10)]
        await attempt(destination)
        office.give("bob")
        second = [asyncio.create_task(attempt(destination)) for _ in range(10)]
        outcomes = await asyncio.gather(*first, *second)
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.DELIVERED}
    assert set(bouncer.seen) == {"ann.client.example", "bob.client.example"}
    assert len(bouncer.seen) == 21


async def test_through_a_proxy_the_receiver_sees_who_comes(bouncer: Bouncer, office: Office) -> None:
    """The certificate is shown in the tunnel, to the receiver; the proxy hears where to, and nothing else."""
    async with HttpProxy() as proxy:
        through = partial(AiohttpSender, proxy=proxy_of(f"http://127.0.0.1:{proxy.port}"))
        async with opened(through, f"{bouncer.url}/x", office.give("ann")) as destination:
            for _ in range(2):
                outcome = await attempt(destination)
                assert outcome.kind is OutcomeKind.DELIVERED, outcome
        async with opened(through, f"{bouncer.url}/x", {"ca_file": str(office.ca_file)}) as destination:
            outcome = await attempt(destination)
            assert outcome.kind in {OutcomeKind.RETRY_LATER, OutcomeKind.AMBIGUOUS}, outcome
    assert bouncer.seen == ["ann.client.example"] * 2
    place = bouncer.url.removeprefix("https://")
    assert set(proxy.asked) == {f"CONNECT {place} HTTP/1.1"}
    assert len(bouncer.connections) == 1


@pytest.mark.parametrize(
    ("type_name", "path", "settings"),
    [
        ("alertmanager", "", {}),
        ("mattermost", "/hooks/x", {}),
        ("rocketchat", "/hooks/x/y", {}),
        ("ntfy", "", {"topic": "t"}),
    ],
)
async def test_types_that_people_run_themselves(
    bouncer: Bouncer, office: Office, type_name: str, path: str, settings: dict[str, Any]
) -> None:
    """Each of them shows the certificate, too."""
    async with opened(FastSender, bouncer.url + path, office.give("ann"), type_name, **settings) as destination:
        await attempt(destination)
    assert set(bouncer.seen) == {"ann.client.example"}
