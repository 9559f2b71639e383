"""The receiver: answers every POST with 204 and limits nothing. `python -m benchmarks.sink FILE`, started by the harness.

FILE is JSON: certificate, a PEM file with its key. One line on standard output says its ports: posts, control, tarpit,
posts over TLS, slow, failing, deaf. The tarpit accepts connections, reads, and never answers; slow answers after
`SLOW_SECONDS`, failing with 500; deaf does not even accept. A line on a control connection is a command, and a line of JSON comes back: `reset KEY`, `mark`, `stats`,
`quantiles`.
KEY says which ids are remembered to count duplicates: `webhook` (the header webhook-id), `event` (the id in the body)
or `none`. `mark` asks for the time of the first post after it.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
import time
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httptools
import uvloop
from typing_extensions import override

from benchmarks.workload import NEVER, SENT_DIGITS

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
FAILURE = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
SLOW_SECONDS = 0.5
SENT = b'"sent_ns":"'
EVENT_ID = b'"id":"'
UUID_LENGTH = 36
UNTIMED = NEVER.encode()


class Tally:
    """What was received since the last reset. Times are of the monotonic clock, in nanoseconds."""

    def __init__(self, key: str = "webhook") -> None:
        self.key = key
        self.posts = 0
        self.first_ns = 0
        self.last_ns = 0
        self.marked = False
        self.after_mark_ns = 0
        self.ids: set[bytes] = set()
        self.latencies = array("q")

    def add(self, webhook_id: bytes, body: bytes) -> None:
        """Count one post."""
        self.last_ns = now = time.monotonic_ns()
        self.posts += 1
        if self.posts == 1:
            self.first_ns = now
        if self.marked:
            self.marked, self.after_mark_ns = False, now
        if self.key == "webhook":
            if webhook_id:
                self.ids.add(webhook_id)
        elif self.key == "event":
            start = body.find(EVENT_ID) + len(EVENT_ID)
            self.ids.add(body[start : start + UUID_LENGTH])
        start = body.find(SENT)
        if start >= 0:
            sent = body[start + len(SENT) : start + len(SENT) + SENT_DIGITS]
            if sent != UNTIMED:
                self.latencies.append(now - int(sent))

    def stats(self) -> dict[str, Any]:
        """Say it all, but for the latencies."""
        return {
            "posts": self.posts,
            "first_ns": self.first_ns,
            "last_ns": self.last_ns,
            "after_mark_ns": self.after_mark_ns,
            "unique": len(self.ids),
            "timed": len(self.latencies),
        }

    def quantiles(self) -> dict[str, float]:
        """Say how long the timed events were on their way, in milliseconds."""
        found = sorted(self.latencies)
        if not found:
            return {}
        parts = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0}
        return {name: found[min(len(found) - 1, int(len(found) * part))] / 1e6 for name, part in parts.items()}


class Desk:
    """Holds the tally at hand and obeys the control connections."""

    def __init__(self) -> None:
        self.tally = Tally()

    def obey(self, line: str) -> dict[str, Any]:
        """Do what a line says."""
        command, _, argument = line.strip().partition(" ")
        if command == "reset":
            self.tally = Tally(argument or "webhook")
        elif command == "mark":
            self.tally.marked, self.tally.after_mark_ns = True, 0
        elif command == "quantiles":
            return self.tally.quantiles()
        return self.tally.stats()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one control connection."""
        while line := await reader.readline():
            writer.write(json.dumps(self.obey(line.decode())).encode() + b"\n")
        writer.close()


class Receiver(asyncio.Protocol):
    """One connection of a sender."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._webhook_id = b""
        self._body: list[bytes] = []
        self._parser = httptools.HttpRequestParser(self)
        self._write: Callable[[bytes], None]

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._write = transport.write  # type: ignore[attr-defined]  # a stream's transport: it writes

    @override
    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take the delivery's id."""
        if len(name) == 10 and name.lower() == b"webhook-id":
            self._webhook_id = value

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Count and answer."""
        body = self._body
        self._desk.tally.add(self._webhook_id, body[0] if len(body) == 1 else b"".join(body))
        body.clear()
        self._write(ANSWER)


class Tarpit(asyncio.Protocol):
    """A connection on which nothing is ever said."""


class Poor(asyncio.Protocol):
    """A connection on which every request is answered late, or with a failure; nothing is counted."""

    def __init__(self, answer: bytes, seconds: float) -> None:
        self._answer = answer
        self._seconds = seconds
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = transport  # type: ignore[assignment]  # a stream's transport: it writes

    @override
    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Answer in its time."""
        asyncio.get_running_loop().call_later(self._seconds, self._transport.write, self._answer)


def deaf_socket() -> list[socket.socket]:
    """Make a listener whose queue is full, so that connections to it are never made; and what fills it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = [socket.socket() for _ in range(2)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
    return [listener, *fillers]


async def main(certificate: str) -> None:
    """Listen until killed."""
    loop, desk = asyncio.get_running_loop(), Desk()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    posts = await loop.create_server(lambda: Receiver(desk), "127.0.0.1", 0, backlog=4096)
    tarpit = await loop.create_server(Tarpit, "127.0.0.1", 0, backlog=4096)
    secure = await loop.create_server(lambda: Receiver(desk), "127.0.0.1", 0, backlog=4096, ssl=tls)
    slow = await loop.create_server(lambda: Poor(ANSWER, SLOW_SECONDS), "127.0.0.1", 0, backlog=4096)
    failing = await loop.create_server(lambda: Poor(FAILURE, 0), "127.0.0.1", 0, backlog=4096)
    control = await asyncio.start_server(desk.serve, "127.0.0.1", 0)
    deaf = deaf_socket()
    ports = [server.sockets[0].getsockname()[1] for server in (posts, control, tarpit, secure, slow, failing)]
    print(*ports, deaf[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["certificate"]))
