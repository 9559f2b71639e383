"""A name server on loopback that may change its mind: real DNS over UDP, answering as it is told, question after question."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, Final

from dnslib import AAAA, CNAME, QTYPE, RCODE, RR, A, DNSRecord  # type: ignore[import-untyped]  # dnslib is untyped
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    Script = Mapping[str, Sequence[Sequence[str]]]

DEADLINE: Final = 60.0
"""Seconds that an answer may take."""
CHAIN_MAX: Final = 16
"""Names that are followed for one answer, as resolvers do."""

_DATA: Final = {"A": A, "AAAA": lambda text: AAAA(tuple(IPv6Address(text).packed)), "CNAME": CNAME}


class NameServer(asyncio.DatagramProtocol):
    """Answers from a script: for each name the answers to the first question, the second and so on; the last one stays.

    An answer is a list of records without their name: `A 127.0.0.1`, `AAAA ::1`, `CNAME other.example`, which is followed
    within the answer. Questions for A and AAAA are counted each on their own. A name that is not there does not exist.
    """

    def __init__(self, script: Script, ttl: int = 0) -> None:
        self.script = script
        self.ttl = ttl
        self.asked: list[tuple[str, str]] = []
        self.address = ("", 0)
        self._counts: dict[tuple[str, str], int] = {}
        self._transport: Any = None

    @override
    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.address = transport.get_extra_info("sockname")[:2]

    @override
    def datagram_received(self, data: bytes, addr: Any) -> None:
        question = DNSRecord.parse(data)
        name, kind = str(question.q.qname).rstrip(".").lower(), QTYPE[question.q.qtype]
        self.asked.append((name, kind))
        answer = question.reply()
        if name not in self.script:
            answer.header.rcode = RCODE.NXDOMAIN
        else:
            self._fill(answer, name, kind)
        self._transport.sendto(answer.pack(), addr)

    def _fill(self, answer: Any, name: str, kind: str) -> None:
        """Add the records of a name, and those of the names that it is another one for."""
        for _ in range(CHAIN_MAX):
            following = None
            for record in self._step(name, kind):
                word, _, text = record.partition(" ")
                if word in {kind, "CNAME"}:
                    answer.add_answer(RR(name, getattr(QTYPE, word), ttl=self.ttl, rdata=_DATA[word](text)))
                if word == "CNAME":
                    following = text
            if following is None or following not in self.script:
                return
            name = following

    def _step(self, name: str, kind: str) -> Sequence[str]:
        steps = self.script[name]
        count = self._counts[name, kind] = self._counts.get((name, kind), 0) + 1
        return steps[min(count, len(steps)) - 1]

    async def lookup(self, host: str, port: int) -> list[str]:
        """Ask this server over its socket, as a stub resolver does. Raises OSError when there is no address."""
        async with asyncio.timeout(DEADLINE):
            found = [await self._ask(host, kind) for kind in ("A", "AAAA")]
        addresses = [address for each in found for address in each]
        if not addresses:
            raise OSError("the name does not exist")
        return addresses

    async def _ask(self, host: str, kind: str) -> list[str]:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[bytes] = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Question(answered), remote_addr=self.address)
        try:
            transport.sendto(DNSRecord.question(host, kind).pack())
            answer = DNSRecord.parse(await answered)
        finally:
            transport.close()
        return [str(each.rdata) for each in answer.rr if QTYPE[each.rtype] == kind]


class _Question(asyncio.DatagramProtocol):
    """One question's answer."""

    def __init__(self, answered: asyncio.Future[bytes]) -> None:
        self._answered = answered

    @override
    def datagram_received(self, data: bytes, addr: Any) -> None:
        if not self._answered.done():
            self._answered.set_result(data)


@asynccontextmanager
async def name_server(
    script: Script, *, ttl: int = 0, address: tuple[str, int] = ("127.0.0.1", 0)
) -> AsyncIterator[NameServer]:
    """Serve a script at an address. Raises OSError when it is taken or not ours to take."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: NameServer(script, ttl), local_addr=address)
    try:
        yield server
    finally:
        transport.close()
