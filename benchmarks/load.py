"""The HTTP loader. `python -m benchmarks.load FILE`, started by the harness.

FILE is JSON: host, port, connections, seed, projects, and either count and batch (a closed loop: each connection sends
the next body when the last one is answered; bodies hold `batch` events) or rate, seconds and warm_up (an open loop of
single events: what finds no idle connection waits, and its time runs). With issues it sends envelopes of errors of so
many issues instead, one a request; an issue belongs to one of the projects whose doors (path and key) are given. A
body that is answered 429 or 503 is sent again after the Retry-After that came with it. It says `ready` when everything is built, begins when a line comes in,
and prints JSON at the end. Times are of the monotonic clock, in nanoseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httptools
import uvloop
from typing_extensions import override

from benchmarks.errors import envelopes
from benchmarks.pace import Pace, lateness
from benchmarks.workload import TOKEN, events

if TYPE_CHECKING:
    from collections.abc import Iterator

TAKEN = (200, 202)
AGAIN = (429, 503)


class Load:
    """What is to be sent, and what came of it."""

    def __init__(self, expected: int) -> None:
        self.work: deque[bytes] = deque()
        self.idle: list[Connection] = []
        self.expected = expected
        self.accepted = 0
        self.refused = 0
        self.first_ns = 0
        self.last_ns = 0
        self.error = ""
        self.done = asyncio.Event()

    def answered(self, status: int) -> None:
        """Take note of one answer."""
        self.last_ns = time.monotonic_ns()
        if status in TAKEN:
            self.accepted += 1
        elif status in AGAIN:
            self.refused += 1
            return
        else:
            self.error = f"the answer was {status}"
        if self.accepted == self.expected or self.error:
            self.done.set()

    def give(self, body: bytes) -> None:
        """Send a body now, or as soon as a connection is idle."""
        if self.idle:
            self.idle.pop().send(body)
        else:
            self.work.append(body)


class Connection(asyncio.Protocol):
    """One connection with one request at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._transport: asyncio.Transport
        self._sent = b""
        self._wait = 0.0
        self._parser = httptools.HttpResponseParser(self)

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for work."""
        self._transport = transport  # type: ignore[assignment]  # a stream's transport: it writes
        self._load.idle.append(self)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Say that the run is void, unless it is over."""
        self._load.error = self._load.error or f"a connection was closed: {exc}"
        self._load.done.set()

    def send(self, request: bytes) -> None:
        """Send a request."""
        self._sent = request
        self._transport.write(request)

    @override
    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take the time to wait."""
        if name.lower() == b"retry-after":
            self._wait = float(value)

    def on_message_complete(self) -> None:
        """Send the next one, or the same one again."""
        status = self._parser.get_status_code()
        self._load.answered(status)
        if status in AGAIN:
            asyncio.get_running_loop().call_later(self._wait or 1.0, self.send, self._sent)
        elif self._load.work:
            self.send(self._load.work.popleft())
        else:
            self._load.idle.append(self)


def request_of(body: bytes, host: str) -> bytes:
    """Frame a body."""
    head = (
        f"POST /api/v1/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def envelope_of(body: bytes, host: str, path: str, key: str) -> bytes:
    """Frame an envelope."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nX-Sentry-Auth: Sentry sentry_key={key}, sentry_version=7\r\n"
        f"Content-Type: application/x-sentry-envelope\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def requests(options: dict[str, Any]) -> Iterator[bytes]:
    """Give the requests of a closed loop."""
    host = options["host"]
    if "issues" not in options:
        yield from (request_of(body, host) for body in bodies(options))
        return
    doors, issues = options["doors"], options["issues"]
    for position, body in enumerate(envelopes(options["count"], seed=options["seed"], issues=issues)):
        yield envelope_of(body, host, *doors[position % issues % len(doors)])


def bodies(options: dict[str, Any]) -> Iterator[bytes]:
    """Give the bodies of a closed loop."""
    batch = options["batch"]
    source = events(options["count"], seed=options["seed"], projects=options["projects"])
    if batch == 1:
        yield from source
        return
    while part := [body for _, body in zip(range(batch), source, strict=False)]:
        yield b"[" + b",".join(part) + b"]"


async def closed(load: Load, options: dict[str, Any]) -> dict[str, Any]:
    """Keep all connections busy."""
    load.work.extend(requests(options))
    load.expected = len(load.work)
    await begin()
    load.first_ns = time.monotonic_ns()
    while load.idle and load.work:
        load.idle.pop().send(load.work.popleft())
    await load.done.wait()
    return {}


async def open_loop(load: Load, options: dict[str, Any]) -> dict[str, Any]:
    """Send at a steady pace."""
    steady = Pace(options["rate"], options["seconds"], options["warm_up"])
    load.expected = steady.count
    late: list[int] = []
    await begin()
    load.first_ns = time.monotonic_ns()
    async for bodies, late_ns in steady.bursts(options["seed"], options["projects"]):
        for body in bodies:
            load.give(request_of(body, options["host"]))
        late += [late_ns] * len(bodies)
    await load.done.wait()
    return {"timed": steady.timed, "late_p99_ms": lateness(late)}


async def begin() -> None:
    """Wait for the starting gun."""
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)


async def main(options: dict[str, Any]) -> None:
    """Send everything, and say how it went."""
    loop, load = asyncio.get_running_loop(), Load(0)
    for _ in range(options["connections"]):
        await loop.create_connection(lambda: Connection(load), options["host"], options["port"])
    before = time.process_time()
    result = await (open_loop if "rate" in options else closed)(load, options)
    if load.error:
        raise SystemExit(load.error)
    numbers = {name: getattr(load, name) for name in ("accepted", "refused", "first_ns", "last_ns")}
    print(json.dumps({**numbers, **result, "cpu_seconds": time.process_time() - before}), flush=True)


if __name__ == "__main__":
    uvloop.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
