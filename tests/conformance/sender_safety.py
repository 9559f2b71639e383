"""What every sender keeps to: nothing reaches whom it must not reach, and nobody else's words get into a request."""

from __future__ import annotations

import asyncio

import pytest
from typing_extensions import override

from alertd.destinations.base import HttpRequest, SendError
from alertd.destinations.guard import EgressPolicy
from tests.conformance.sender_behaviours import PATIENCE
from tests.conformance.sender_case import SenderCase
from tests.conformance.sender_peer import OK, answering, deaf, field, serve, soon, turns
from tests.machine import ipv6


class SenderSafety(SenderCase):
    """Requests that cannot be broken out of, the guard, names and addresses."""

    # The request's own bytes

    @pytest.mark.parametrize(
        "headers",
        [
            {"x-a": "b\r\nx-evil: 1"},
            {"x-a": "b\nx-evil: 1"},
            {"x-a": "b\rx-evil: 1"},
            {"x-a": "b\0"},
            {"x-a\r\nx-evil": "1"},
            {"x-a: b\nx-evil": "1"},
            {"x a": "1"},
            {"x\0": "1"},
            {"x-\xe4": "1"},
            {"": "1"},
            {"Content-Length": "0"},
            {"content-length": "2"},
            {"Transfer-Encoding": "chunked"},
            {"Connection": "close"},
            {"Host": "evil.example"},
            {"Expect": "100-continue"},
            {"Upgrade": "h2c"},
            {"Trailer": "x"},
            {"TE": "trailers"},
        ],
        ids=repr,
    )
    async def test_header_that_would_change_the_request_is_refused(self, headers: dict[str, str]) -> None:
        """A header that breaks out of its line, or frames the request anew, is refused for good, and never repeated."""
        async with serve(answering(OK)) as server, self.sender() as sender:
            with pytest.raises(SendError) as caught:
                await soon(sender.send(HttpRequest(server.url(), b"{}", headers), PATIENCE))
            assert caught.value.refused
            assert "evil" not in str(caught.value)
            assert not server.requests
            assert (await self.send(sender, server.url())).status == 200

    @pytest.mark.parametrize("method", ["GET / HTTP/1.1\r\nX: y\r\n\r\nPOST", "G T", "GET\n", "", "\xe4"])
    async def test_method_that_is_none_is_refused(self, method: str) -> None:
        """A method is one word, or the request is refused for good."""
        async with serve(answering(OK)) as server, self.sender() as sender:
            with pytest.raises(SendError) as caught:
                await soon(sender.send(HttpRequest(server.url(), b"", method=method), PATIENCE))
            assert caught.value.refused
            assert not server.requests

    async def test_header_that_is_not_ascii(self) -> None:
        """A value that is not ASCII goes out in UTF-8; tabs, blanks and emptiness are no harm."""
        headers = {"x-a": "gr\xfc\xdfe \u2713", "x-b": "a\tb", "x-c": "", "x-d": "100 %s %d %"}
        async with serve(answering(OK)) as server, self.sender() as sender:
            await soon(sender.send(HttpRequest(server.url(), b"", headers), PATIENCE))
            seen = server.requests[0]
        assert "\r\nx-a: gr\xfc\xdfe \u2713\r\n".encode() in seen
        assert [field(seen, name) for name in ("x-b", "x-c", "x-d")] == ["a\tb", "", "100 %s %d %"]

    async def test_own_headers_take_the_place_of_the_senders(self) -> None:
        """A header that the sender would set is sent once, as it was given."""
        headers = {"User-Agent": "me", "accept": "text/x", "Content-Type": "text/y"}
        async with serve(answering(OK)) as server, self.sender() as sender:
            await soon(sender.send(HttpRequest(server.url(), b"", headers), PATIENCE))
            await soon(sender.send(HttpRequest(server.url(), b""), PATIENCE))
        first, second = (request.lower() for request in server.requests)
        for name, value in ((b"user-agent", b"me"), (b"accept", b"text/x"), (b"content-type", b"text/y")):
            assert first.count(b"\r\n%b: " % name) == 1
            assert b"\r\n%b: %b\r\n" % (name, value) in first
        assert b"\r\nuser-agent: alertd\r\n" in second
        assert b"\r\ncontent-type: application/octet-stream\r\n" in second

    @pytest.mark.parametrize(
        ("given", "target"),
        [
            ("", "/"),
            ("/", "/"),
            ("?q", "/?q"),
            ("/a/b/", "/a/b/"),
            ("//a", "//a"),
            ("/a/../b/./c", "/b/c"),
            ("/a%2Fb%20c", "/a%2Fb%20c"),
            ("/%e4", "/%E4"),
            ("/\xe4", "/%C3%A4"),
            ("/{x}|y", "/%7Bx%7D%7Cy"),
            ("/%zz", "/%25zz"),
            ("/100%s", "/100%25s"),
            ("/a?b=c d".replace(" ", "%20"), "/a?b=c%20d"),
            ("/a?b=%26&c=\xe4", "/a?b=%26&c=%C3%A4"),
            ("/a?b=c+d;e", "/a?b=c+d;e"),
            ("/a#fragment", "/a"),
            ("/a?b#c?d", "/a?b"),
            ("/:@!$&'()*+,;=-._~", "/:@!$&'()*+,;=-._~"),
        ],
    )
    async def test_target(self, given: str, target: str) -> None:
        """What a URL says after the host is sent in one normal form."""
        async with serve(answering(OK)) as server, self.sender() as sender:
            await self.send(sender, f"http://127.0.0.1:{server.port}{given}")
            assert server.requests[0].split(b"\r\n")[0] == f"POST {target} HTTP/1.1".encode()

    @pytest.mark.parametrize(
        ("host", "named"),
        [
            ("Hook.EXAMPLE", "hook.example"),
            ("hook.example.", "hook.example"),
            ("b\xfccher.example", "xn--bcher-kva.example"),
        ],
    )
    async def test_host(self, host: str, named: str) -> None:
        """A host is named in one normal form, with its port."""

        async def lookup(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        async with serve(answering(OK)) as server, self.sender(lookup=lookup) as sender:
            await self.send(sender, server.url(host))
            assert field(server.requests[0], "host") == f"{named}:{server.port}"

    # The guard

    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0177.0.0.1", "localhost"]
    )
    async def test_loopback_is_refused(self, host: str) -> None:
        """Loopback is refused in each of its forms unless allowed, and nothing is connected to."""
        async with serve(answering(OK)) as server, self.sender("192.0.2.1") as sender:
            error = await self.failure(sender, server.url(host))
            assert server.connections == 0
        assert error.refused
        assert not error.ambiguous
        assert str(error).startswith("egress refused: ")

    async def test_refusal_tells_what_to_do(self) -> None:
        """A refusal names the address, what it is and how to permit it."""
        async with self.sender() as sender:
            error = await self.failure(sender, "http://10.0.0.5/")
        assert str(error) == "egress refused: 10.0.0.5 is private; name it in egress.allow to permit it"

    async def test_literal_is_checked_at_the_socket_too(self) -> None:
        """An address in the URL, which no resolver sees, is stopped at the socket even if the first check were blind."""

        class Blind(EgressPolicy):
            @override
            def check_url(self, url: str) -> str | None:
                return None

        async with serve(answering(OK)) as server, self.sender(policy=Blind()) as sender:
            error = await self.failure(sender, server.url())
            assert server.connections == 0
        assert error.refused
        assert "127.0.0.1 is loopback" in str(error)

    async def test_name_is_refused_by_its_address(self) -> None:
        """A harmless name that resolves to a forbidden address is refused, and resolved once only."""
        asked = []

        async def lookup(host: str, port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1", "::1"]

        async with serve(answering(OK)) as server, self.sender("192.0.2.1", lookup=lookup) as sender:
            error = await self.failure(sender, server.url("harmless.example"))
            assert server.connections == 0
        assert error.refused
        assert "harmless.example resolves to 127.0.0.1, which is loopback" in str(error)
        assert asked == ["harmless.example"]

    async def test_name_that_changes_its_address(self) -> None:
        """What was checked is what is connected to: a second look-up with another answer has no say in it."""
        answers = [["127.0.0.1"], ["169.254.169.254"]]

        async def lookup(host: str, port: int) -> list[str]:
            return answers.pop(0)

        async with serve(answering(OK)) as server, self.sender(lookup=lookup) as sender:
            assert (await self.send(sender, server.url("rebinds.example"))).status == 200
        assert len(answers) == 1

    async def test_only_permitted_addresses_of_a_name_are_used(self) -> None:
        """Of several addresses of a name only the permitted ones are connected to."""

        async def lookup(host: str, port: int) -> list[str]:
            return ["127.0.0.2", "127.0.0.1"]

        async with serve(answering(OK)) as server, self.sender("127.0.0.1", lookup=lookup) as sender:
            assert (await self.send(sender, server.url("several.example"))).status == 200

    async def test_allowed_name_reaches_its_address(self) -> None:
        """A host named in egress.allow is reached whatever its address is, by that name only."""

        async def lookup(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        async with serve(answering(OK)) as server, self.sender("Hooks.internal", lookup=lookup) as sender:
            assert (await self.send(sender, server.url("hooks.INTERNAL"))).status == 200
            assert (await self.failure(sender, server.url("other.internal"))).refused
            assert (await self.failure(sender, server.url())).refused

    @pytest.mark.parametrize("url", ["ftp://x/", "http://", "http://u:p@127.0.0.1/", "http://a b/", "", "x"])
    async def test_url_that_is_none(self, url: str) -> None:
        """A URL that cannot be used is refused for good."""
        async with self.sender() as sender:
            assert (await self.failure(sender, url)).refused

    # Names and addresses

    async def test_address_where_nobody_listens(self) -> None:
        """Of several addresses one that refuses is passed over."""

        async def lookup(host: str, port: int) -> list[str]:
            return ["127.0.0.2", "127.0.0.3", "127.0.0.1"]

        async with serve(answering(OK)) as server, self.sender(lookup=lookup) as sender:
            assert (await self.send(sender, server.url("several.example"))).status == 200

    async def test_address_that_never_answers(self) -> None:
        """Of several addresses a dead one costs a moment, not the time-out."""

        async def lookup(host: str, port: int) -> list[str]:
            return ["127.0.0.2", "127.0.0.1"]

        loop = asyncio.get_running_loop()
        async with serve(answering(OK)) as server, self.sender(lookup=lookup) as sender:
            with deaf("127.0.0.2", server.port):
                began = loop.time()
                assert (await self.send(sender, server.url("several.example"))).status == 200
        assert loop.time() - began < PATIENCE / 2

    async def test_addresses_that_are_all_dead(self) -> None:
        """When no address takes the connection, nothing was sent."""

        async def lookup(host: str, port: int) -> list[str]:
            return ["127.0.0.2", "127.0.0.3"]

        async with serve(answering(OK)) as server, self.sender(lookup=lookup) as sender:
            error = await self.failure(sender, server.url("several.example"))
        assert (error.ambiguous, error.refused) == (False, False)

    async def test_ipv6(self) -> None:
        """An IPv6 address is connected to as such, and named in brackets."""
        ipv6()
        async with serve(answering(OK), address="::1") as server, self.sender("::1/128") as sender:
            assert (await self.send(sender, server.url("[::1]"))).status == 200
            assert field(server.requests[0], "host") == f"[::1]:{server.port}"

    async def test_ipv6_and_ipv4_of_one_name(self) -> None:
        """A name with both kinds of address is reached by the one that answers."""

        async def lookup(host: str, port: int) -> list[str]:
            return ["::1", "127.0.0.1"]

        async with serve(answering(OK)) as server, self.sender("::1/128", "127.0.0.1", lookup=lookup) as sender:
            assert (await self.send(sender, server.url("both.example"))).status == 200

    async def test_look_up_is_shared(self) -> None:
        """A name that many wait for is resolved once, and not again for every connection."""
        asked = []

        async def lookup(host: str, port: int) -> list[str]:
            asked.append(host)
            await turns()
            return ["127.0.0.1"]

        async with serve(answering(OK)) as server, self.sender(lookup=lookup) as sender:
            await soon(asyncio.gather(*[self.send(sender, server.url("busy.example")) for _ in range(20)]))
            assert server.connections == 20
        assert asked == ["busy.example"]

    async def test_look_up_that_failed_is_tried_again(self) -> None:
        """A failed look-up is not remembered."""
        found: list[list[str]] = [[], ["127.0.0.1"]]

        async def lookup(host: str, port: int) -> list[str]:
            return found.pop(0)

        async with serve(answering(OK)) as server, self.sender(lookup=lookup) as sender:
            await self.failure(sender, server.url("late.example"))
            assert (await self.send(sender, server.url("late.example"))).status == 200

    async def test_look_up_survives_whoever_began_it(self) -> None:
        """When the first to ask for a name gives up, the others still get their answer."""
        go = asyncio.Event()

        async def lookup(host: str, port: int) -> list[str]:
            await go.wait()
            return ["127.0.0.1"]

        async with serve(answering(OK)) as server, self.sender(lookup=lookup) as sender:
            tasks = [asyncio.ensure_future(self.send(sender, server.url("slow.example"))) for _ in range(3)]
            await turns()
            tasks[0].cancel()
            await turns()
            go.set()
            assert [(await soon(task)).status for task in tasks[1:]] == [200, 200]
