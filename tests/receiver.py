"""A scripted webhook receiver on loopback: keeps every request, answers as told, and lets a test await what came.

It speaks HTTP/1.1 by hand, because half of what a test asks of it no HTTP server would do: reset, trickle, talk garbage.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from standardwebhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from types import TracebackType

    Answer = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]

DEADLINE = 60.0
"""How long anything is waited for, in seconds."""
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the specification's example


@dataclass(slots=True)
class Request:
    """One request as it came. `at` is the loop's time."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    reader: asyncio.StreamReader = field(repr=False)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def delivery_id(self) -> str:
        """The id that all attempts of one delivery share."""
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict[str, Any]:
        """The `data` of the body."""
        data: dict[str, Any] = json.loads(self.body)["data"]
        return data

    @property
    def event(self) -> dict[str, Any]:
        """The event that it tells of."""
        event: dict[str, Any] = self.data["event"]
        return event

    def verify(self, secret: str = SECRET) -> dict[str, Any]:
        """Return the body if the signature is good. Raises WebhookVerificationError."""
        verified: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return verified

    async def left(self, seconds: float) -> bool:
        """Wait for the client's leaving, so many seconds at most, and tell whether it has left: the pace of a slow answer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return not await self.reader.read(1)  # one that waits for its answer says nothing more
        return False


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    """Answer with a status; `Retry_After="1"` becomes the header Retry-After."""
    lines = [f"HTTP/1.1 {code} Told", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head + body)

    return answer


def raw(text: bytes) -> Answer:
    """Answer with these bytes, whatever they are, and close."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        writer.close()

    return answer


async def hang(request: Request, writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def reset(request: Request, writer: asyncio.StreamWriter) -> None:
    """Cut the connection with a reset."""
    writer.transport.abort()


async def trickle(request: Request, writer: asyncio.StreamWriter) -> None:
    """Begin an answer and go on by a byte now and then, until the client leaves."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not await request.left(0.05):
        writer.write(b".")
        await writer.drain()


def huge(size: int = 10_000_000) -> Answer:
    """Answer 200 with a body of so many bytes."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 100_000):
            writer.write(b"x" * 100_000)
            await writer.drain()

    return answer


class Gate:
    """An answer that waits until the test opens it, then answers with `then`."""

    def __init__(self, then: Answer | None = None) -> None:
        self._opened = asyncio.Event()
        self._then = then or status(204)

    def open(self) -> None:
        """Let the answers out."""
        self._opened.set()

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Wait, then answer."""
        await self._opened.wait()
        await self._then(request, writer)


class Receiver:
    """The receiver. Every path is a hook of its own: its requests, its script, then 204 to everything."""

    def __init__(self) -> None:
        self.port = 0
        self.default: Answer = status(204)
        self._requests: dict[str, list[Request]] = defaultdict(list)
        self._scripts: dict[str, list[Answer]] = defaultdict(list)
        self._always: dict[str, Answer] = {}
        self._news = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything, also what hangs."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    def url(self, path: str) -> str:
        """Return the URL of a hook."""
        return f"http://127.0.0.1:{self.port}{path}"

    def script(self, path: str, *answers: Answer, then: Answer | None = None) -> None:
        """Answer the next requests of a hook like this, one after the other, and all later ones with `then` (204)."""
        self._scripts[path] = list(answers)
        self._always[path] = then or self.default

    def got(self, path: str) -> list[Request]:
        """What a hook received so far."""
        return self._requests[path]

    def events(self, path: str) -> list[str]:
        """The ids of the events that a hook received so far, in order."""
        return [request.event["id"] for request in self._requests[path]]

    def paths(self) -> Iterable[str]:
        """All hooks that received anything."""
        return list(self._requests)

    async def expect(self, path: str, count: int = 1) -> list[Request]:
        """Wait until a hook received so many requests, and return them."""
        await self.until(lambda: len(self._requests[path]) >= count, f"{count} requests at {path}")
        return self._requests[path]

    async def until(self, condition: Callable[[], bool], what: str, seconds: float = DEADLINE) -> None:
        """Wait until something holds of what was received."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            counts = {path: len(requests) for path, requests in self._requests.items()}
            raise AssertionError(f"waited {seconds} s for {what}; received {counts}") from None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while not writer.is_closing():
                    await self._serve(await _read(reader), writer)
        finally:
            writer.transport.abort()

    async def _serve(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self._requests[request.path].append(request)
        self._news.set()
        script = self._scripts.get(request.path)
        answer = script.pop(0) if script else self._always.get(request.path, self.default)
        try:
            await answer(request, writer)
            if not writer.is_closing():
                await writer.drain()
        finally:
            request.ended.set()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(head[0].split(" ")[1], headers, body, asyncio.get_running_loop().time(), reader)
