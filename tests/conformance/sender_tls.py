"""What every sender keeps to under TLS: the right peer or none, and all else as without."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.conformance.sender_behaviours import HASTE, HEAD
from tests.conformance.sender_case import BIG, SenderCase
from tests.conformance.sender_peer import OK, Peer, answering, certified, serve, soon, turns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conformance.sender_peer import Handler

    Bad = Callable[[trustme.CA], trustme.LeafCert]

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


class SenderTls(SenderCase):
    """Certificates, handshakes, and exchanges under TLS."""

    async def test_certificate_of_an_unknown_authority(self) -> None:
        """A certificate that nobody vouches for is refused before anything is sent."""
        async with serve(answering(OK), certified("127.0.0.1")[0]) as server, self.sender() as sender:
            error = await self.failure(sender, server.url())
            assert not server.requests
        assert str(error).startswith("certificate verify failed: ")
        assert not error.ambiguous

    async def test_certificate_of_another_host(self) -> None:
        """A good certificate of another host is refused."""
        context, trusted = certified("other.example")
        async with serve(answering(OK), context) as server, self.sender(ssl_context=trusted) as sender:
            error = await self.failure(sender, server.url())
        assert str(error).startswith("certificate verify failed: ")

    async def test_certificate_that_fits(self) -> None:
        """TLS works with a certificate for the host, by address and by name."""
        context, trusted = certified("127.0.0.1", "hook.example")

        async def lookup(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        async with (
            serve(answering(OK), context) as server,
            self.sender(ssl_context=trusted, lookup=lookup) as sender,
        ):
            assert (await self.send(sender, server.url())).status == 200
            assert (await self.send(sender, server.url("hook.example"))).status == 200

    async def test_whom_the_system_trusts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a context of its own it asks the system when it first needs to, also after requests without TLS."""
        authority, own = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        authority.issue_cert("127.0.0.1").configure_cert(own)
        async with (
            serve(answering(OK)) as plain,
            serve(answering(OK), own) as server,
            self.sender() as sender,
        ):
            assert (await self.send(sender, plain.url())).status == 200
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
            answers = await soon(asyncio.gather(*[self.send(sender, server.url()) for _ in range(3)]))
            assert [answer.status for answer in answers] == [200, 200, 200]
            assert (await self.send(sender, plain.url())).status == 200

    async def test_plain_http_where_tls_was_expected(self) -> None:
        """A server without TLS behind an https URL is a failed handshake."""

        async def handler(peer: Peer) -> None:
            await peer.reader.read(1)
            await peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await peer.hang()

        async with serve(handler) as server, self.sender() as sender:
            error = await self.failure(sender, server.url().replace("http:", "https:"))
        assert str(error).startswith("TLS handshake failed")
        assert not error.ambiguous

    async def test_handshake_that_hangs(self) -> None:
        """A server that never finishes the handshake is bounded by the time-out."""
        async with serve(Peer.hang) as server, self.sender() as sender:
            error = await self.failure(sender, server.url().replace("http:", "https:"), HASTE)
        assert (str(error), error.ambiguous) == (f"timed out after {HASTE:g} s", False)

    @pytest.mark.parametrize(
        "issue",
        [
            lambda authority: authority.issue_cert("127.0.0.1", not_before=NOW - 2 * DAY, not_after=NOW - DAY),
            lambda authority: authority.issue_cert("127.0.0.1", not_before=NOW + DAY, not_after=NOW + 2 * DAY),
            lambda authority: authority.issue_cert("127.0.0.2"),
            lambda authority: authority.issue_cert("localhost"),
            lambda authority: authority.issue_cert("*.0.0.1"),
            lambda authority: trustme.CA().issue_cert("127.0.0.1"),
        ],
        ids=["expired", "not yet valid", "another address", "a name", "a wildcard", "another authority"],
    )
    async def test_bad_certificate(self, issue: Bad) -> None:
        """A certificate that does not prove the host is refused before a byte of the request is sent."""
        authority, server_side, client_side = (
            trustme.CA(),
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
            ssl.create_default_context(),
        )
        issue(authority).configure_cert(server_side)
        authority.configure_trust(client_side)
        async with serve(answering(OK), server_side) as server, self.sender(ssl_context=client_side) as sender:
            error = await self.failure(sender, server.url())
            assert not server.requests
        assert str(error).startswith("certificate verify failed: ")
        assert (error.ambiguous, error.refused) == (False, False)

    @pytest.mark.parametrize(
        ("certificate", "host", "fits"),
        [
            ("*.hook.example", "a.hook.example", True),
            ("*.hook.example", "a.b.hook.example", False),
            ("hook.example", "hook.example.", True),
        ],
    )
    async def test_name_in_the_certificate(self, certificate: str, host: str, fits: bool) -> None:
        """A wildcard stands for one label; a final dot does not count."""
        context, trusted = certified(certificate)

        async def lookup(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        async with serve(answering(OK), context) as server, self.sender(ssl_context=trusted, lookup=lookup) as sender:
            if fits:
                assert (await self.send(sender, server.url(host))).status == 200
            else:
                assert "certificate" in str(await self.failure(sender, server.url(host)))

    async def test_server_is_told_the_name(self) -> None:
        """The name in the URL is sent in the handshake (SNI), an address is not."""
        context, trusted = certified("127.0.0.1", "hook.example")
        named = []

        async def lookup(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        context.sni_callback = lambda _, name, __: named.append(name)
        async with serve(answering(OK), context) as server, self.sender(ssl_context=trusted, lookup=lookup) as sender:
            await self.send(sender, server.url("Hook.example"))
            await self.send(sender, server.url())
        assert named == ["hook.example", None]

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_versions(self, version: ssl.TLSVersion) -> None:
        """TLS 1.2 and 1.3 are spoken, and their connections kept."""
        context, trusted = certified("127.0.0.1")
        context.maximum_version = version
        async with serve(answering(OK), context) as server:
            async with self.sender(ssl_context=trusted) as sender:
                for _ in range(5):
                    assert (await self.send(sender, server.url())).body == b"ok"
                assert server.connections == 1
            await server.deserted()

    async def test_no_common_version(self) -> None:
        """Without a common version the handshake fails, and nothing was sent."""
        context, trusted = certified("127.0.0.1")
        context.maximum_version, trusted.minimum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
        async with serve(answering(OK), context) as server, self.sender(ssl_context=trusted) as sender:
            error = await self.failure(sender, server.url())
        assert (error.ambiguous, error.refused) == (False, False)

    @pytest.mark.parametrize("end", ["close", "reset", "garbage", "alert", "half"])
    async def test_handshake_that_breaks(self, end: str) -> None:
        """However a handshake ends before its end: nothing was sent."""

        async def handler(peer: Peer) -> None:
            await peer.reader.read(1)
            if end == "reset":
                peer.reset()
            elif end == "half":
                peer.writer.write_eof()
                await peer.hang()
            elif end != "close":
                await peer.say(b"\x15\x03\x03\x00\x02\x02\x28" if end == "alert" else os.urandom(500))
                await peer.hang()

        async with serve(handler) as server:
            async with self.sender() as sender:
                error = await self.failure(sender, server.url().replace("http:", "https:"))
                assert (error.ambiguous, error.refused) == (False, False)
            await server.deserted()

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_client_certificate(self, version: ssl.TLSVersion) -> None:
        """A server that asks for a client's certificate gets the one of the context, and an error where there is none."""
        authority, server_side = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(server_side)
        authority.configure_trust(server_side)
        server_side.verify_mode, server_side.maximum_version = ssl.CERT_REQUIRED, version
        without, with_one = ssl.create_default_context(), ssl.create_default_context()
        for context in (without, with_one):
            authority.configure_trust(context)
        authority.issue_cert("client.example").configure_cert(with_one)
        async with serve(answering(OK), server_side) as server:
            async with self.sender(ssl_context=with_one) as sender:
                assert (await self.send(sender, server.url())).status == 200
            async with self.sender(ssl_context=without) as sender:
                assert not (await self.failure(sender, server.url())).refused
            assert len(server.requests) == 1

    async def test_large_body_under_tls(self) -> None:
        """A body larger than all buffers arrives whole."""
        context, trusted = certified("127.0.0.1")
        body = os.urandom(BIG)
        async with serve(answering(OK), context) as server, self.sender(ssl_context=trusted) as sender:
            await self.send(sender, server.url(), body)
            assert server.requests[0].partition(b"\r\n\r\n")[2] == body

    async def test_many_at_once_under_tls(self) -> None:
        """Fifty handshakes at once, and every request gets its own answer, on connections that are kept."""
        context, trusted = certified("127.0.0.1")

        async def handler(peer: Peer) -> None:
            while True:
                body = (await peer.request()).partition(b"\r\n\r\n")[2]
                await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

        async def worker(name: int) -> None:
            for number in range(10):
                body = b"%d of %d" % (number, name)
                assert (await self.send(sender, server.url(), body)).body == body

        async with serve(handler, context) as server:
            async with self.sender(ssl_context=trusted) as sender:
                await soon(asyncio.gather(*[worker(name) for name in range(50)]))
                assert (len(server.requests), server.connections) == (500, 50)
            await server.deserted()

    async def test_answer_in_many_records(self) -> None:
        """An answer that comes byte by byte, each in a record of its own, is put together."""
        context, trusted = certified("127.0.0.1")

        async def handler(peer: Peer) -> None:
            while True:
                await peer.request()
                for byte in OK:
                    await peer.say(bytes([byte]))

        async with serve(handler, context) as server, self.sender(ssl_context=trusted) as sender:
            for _ in range(2):
                assert (await self.send(sender, server.url())).body == b"ok"
            assert server.connections == 1

    @pytest.mark.parametrize("politely", [False, True])
    @pytest.mark.parametrize(
        ("said", "status"),
        [(b"", 0), (b"HTTP/1.1 2", 0), (HEAD + b"\r\nsome", 200), (HEAD + b"Content-Length: 9\r\n\r\nsome", 200)],
    )
    async def test_end_under_tls(self, said: bytes, status: int, politely: bool) -> None:
        """The end of a connection is its end, announced or not: a status stands, and without one it is ambiguous."""
        context, trusted = certified("127.0.0.1")

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(said)
            await turns()
            if politely:
                peer.writer.close()
                await peer.writer.wait_closed()
            else:
                peer.writer.transport.abort()

        async with serve(handler, context) as server, self.sender(ssl_context=trusted) as sender:
            if status:
                answer = await self.send(sender, server.url())
                assert (answer.status, answer.body) == (status, b"some")
            else:
                assert (await self.failure(sender, server.url())).ambiguous

    @pytest.mark.parametrize("politely", [False, True])
    async def test_end_between_requests_under_tls(self, politely: bool) -> None:
        """A kept connection that ended meanwhile is replaced before it costs a request."""
        context, trusted = certified("127.0.0.1")

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(OK)
            await turns()
            if politely:
                peer.writer.close()
                await peer.writer.wait_closed()

        async with serve(handler, context) as server, self.sender(ssl_context=trusted) as sender:
            for _ in range(3):
                assert (await self.send(sender, server.url())).status == 200
                await server.deserted()
                await turns()
            assert server.connections == 3

    @pytest.mark.parametrize("script", ["at once", "in the answer", "between requests"])
    async def test_bytes_that_are_no_tls(self, script: str) -> None:
        """Bytes that slip in between the records end the connection, and are never taken for an answer."""
        context, trusted = certified("127.0.0.1")
        async with serve(_slips_in(script), context) as server, self.sender(ssl_context=trusted) as sender:
            if script == "at once":
                assert not (await self.failure(sender, server.url())).refused
            else:
                assert (await self.send(sender, server.url())).status == 200
            await soon(server.played.wait())
            await turns()
            assert (await self.send(sender, server.url())).body == b"ok"
            assert server.connections == 2


def _slips_in(when: str) -> Handler:
    """Write an answer past TLS, on the first connection."""

    async def handler(peer: Peer) -> None:
        if peer.server.connections > 1:
            await peer.serve()
        await peer.request()
        if when == "in the answer":
            await peer.say(HEAD + b"Content-Length: 9\r\n\r\nsome")
        elif when == "between requests":
            await peer.say(OK)
        await turns()
        with socket.socket(fileno=os.dup(peer.writer.get_extra_info("socket").fileno())) as bare:
            bare.send(OK)
        peer.server.played.set()
        await peer.hang()

    return handler
