"""What is said over both lanes of the intake: each case is a conversation, and what it must come to."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from alertd.api.plain_request import BEGUN_MAX_BYTES
from alertd.errors import StoreUnavailableError
from alertd.model.event import Bounds
from alertd.submission import QueueBounds

if TYPE_CHECKING:
    from alertd.intake.http import EventIntake
    from tests.unit.api.bench import Bench

BODY = b'{"type": "t", "data": {"n": 1}}'
KNOWN = "Authorization: Bearer secret-intake"
JSON = "Content-Type: application/json"
START = "POST /api/v1/events HTTP/1.1"


def request(body: bytes = BODY, *more: str, who: str = KNOWN, kind: str = JSON, start: str = START) -> bytes:
    """Write a request with a length; empty headers are left out."""
    lines = [start, "Host: x", who, kind, f"Content-Length: {len(body)}", *more]
    return "\r\n".join([*filter(None, lines), "", ""]).encode() + body


def event(**fields: Any) -> bytes:
    """Write an event."""
    return json.dumps({"type": "t", **fields}).encode()


Step = bytes | int
"""Bytes to send in one piece, or how many answers to hear before going on."""


@dataclass(frozen=True)
class Case:
    """A conversation; `statuses` are the answers in order, `express` how many requests the express lane takes of it (None:
    that depends on when pieces arrive).
    """  # noqa: D205 - one thought, two lines

    name: str
    steps: tuple[Step, ...]
    statuses: tuple[int, ...]
    express: int | None = 0
    change: Any = None


def one(name: str, said: bytes, status: int, express: int = 0, change: Any = None) -> Case:
    """Make a case of one request with one answer."""
    return Case(name, (said, 1), (status,), express, change)


def halves(said: bytes, *places: int) -> tuple[bytes, ...]:
    """Cut bytes at these places."""
    edges = [0, *(place % len(said) for place in places), len(said)]
    return tuple(said[low:high] for low, high in pairwise(edges))


class Never:
    """A limiter that lets nothing through."""

    def take(self, count: int) -> float:
        """Say when to come again."""
        return 2.5


def full(bench: Bench, intake: EventIntake) -> None:
    """Leave no room in the queue."""
    bench.pipeline._bounds = QueueBounds(max_events=0)


def nearly_full(bench: Bench, intake: EventIntake) -> None:
    """Leave room for one event, though not for two behind it."""
    bench.pipeline._bounds = QueueBounds(max_events=1)


def too_fast(bench: Bench, intake: EventIntake) -> None:
    """Let nothing through."""
    intake.reconfigure(Bounds(), Never())


def small(bench: Bench, intake: EventIntake) -> None:
    """Bound bodies to the length of `BODY`, and their events to two."""
    intake.reconfigure(Bounds(max_body_bytes=len(BODY), max_events=2), None)


def failing(bench: Bench, intake: EventIntake) -> None:
    """Let the store refuse to write."""

    async def commit(batch: Any) -> None:
        raise StoreUnavailableError("disk full")

    bench.store.commit = commit  # type: ignore[method-assign]  # a scripted fault


def broken(bench: Bench, intake: EventIntake) -> None:
    """Let what became of an event end in something that nobody foresaw."""

    def offer(submission: Any) -> None:
        submission.done.set_exception(ZeroDivisionError("what now"))

    bench.pipeline.offer = offer  # type: ignore[method-assign]  # a scripted fault


PLAIN = request()
NAMED = request(event(id="one"))
HEAD = len(PLAIN) - len(BODY)
LONG, LONGER = (
    request(event(message="x" * (size - len(event(message=""))))) for size in (BEGUN_MAX_BYTES, BEGUN_MAX_BYTES + 1)
)
CASES = [
    one("one event", PLAIN, 202, 1),
    one("no content type", request(kind=""), 202, 1),
    one("an array", request(b"[" + event() + b"," + event(severity="error") + b"]"), 202, 1),
    one("an empty array", request(b"[]"), 202),
    one("lines", request(event() + b"\n" + event(), kind="Content-Type: application/x-ndjson"), 202, 1),
    one(
        "a structured CloudEvent",
        request(
            b'{"specversion": "1.0", "id": "i", "source": "/s", "type": "t"}',
            kind="Content-Type: application/cloudevents+json",
        ),
        202,
        1,
    ),
    one(
        "a binary CloudEvent",
        request(b"{}", "ce-specversion: 1.0", "ce-id: i", "CE-Source: /s", "ce-type: t"),
        202,
    ),
    Case("one after the other", (PLAIN, 1, request(event(id="b")), 1, PLAIN, 1), (202, 202, 202), 3),
    Case("the same id twice", (NAMED, 1, NAMED, 1), (202, 202), 2),
    one("names in any case", PLAIN.replace(b"Content-Length", b"cOnTeNt-lEnGtH"), 202, 1),
    one("blanks behind values", PLAIN.replace(b"Host: x\r\n", b"Host: x  \r\n"), 202, 1),
    one("headers of a common client", request(BODY, "User-Agent: a/1 (b; c)", "Accept: */*", "X-Y: 1", "X-Y: 2"), 202, 1),
    one("to be kept open", request(BODY, "Connection: Keep-Alive"), 202, 1),
    one("a query", request(start="POST /api/v1/events?a=b&c=%20d HTTP/1.1"), 202, 1),
    one("a bare query", request(start="POST /api/v1/events? HTTP/1.1"), 202, 1),
    # -- not whole, or not alone
    Case("in two pieces, then whole twice", (*halves(PLAIN, 30), 1, PLAIN, 1, PLAIN, 1), (202, 202, 202), 1),
    Case("cut in the body", (*halves(PLAIN, len(PLAIN) - 5), 1, PLAIN, 1), (202, 202), 2),
    Case("cut between head and body", (*halves(PLAIN, len(PLAIN) - len(BODY)), 1, PLAIN, 1), (202, 202), 2),
    Case("head and body apart, again and again", (*halves(PLAIN, HEAD), 1, *halves(NAMED, -5), 1, *halves(PLAIN, HEAD), 1), (202, 202, 202), 3),
    Case("cut in the head", (*halves(PLAIN, HEAD - 1), 1), (202,)),
    Case("a body in two pieces", (*halves(PLAIN, HEAD, HEAD + 3), 1, PLAIN, 1, PLAIN, 1), (202, 202, 202), 1),
    Case("a body with another request behind it", (PLAIN[:HEAD], PLAIN[HEAD:] + NAMED, 2), (202, 202)),
    Case("a head that says that nothing follows", (request(b""), 1), (400,)),
    Case("head and body apart from a stranger", (*halves(request(who="Authorization: Bearer no"), -5), 1), (401,)),
    Case("head and body apart of what is no event", (*halves(request(event(type="")), -5), 1), (422,)),
    Case("head and body apart behind another", (PLAIN, *halves(NAMED, HEAD), 2), (202, 202), None),
    Case("a long body", (*halves(LONG, -5), 1), (202,), 1),
    Case("a body that is too long to be waited for", (*halves(LONGER, -5), 1), (202,)),
    Case("in many pieces", (*halves(PLAIN, *range(7, len(PLAIN), 7)), 1), (202,)),
    Case("a head that goes on with another", (*halves(PLAIN, 40), PLAIN), ()),
    Case("a line break before", (b"\r\n", PLAIN, 1, PLAIN, 1), (202, 202), 1),
    Case("two in one piece", (PLAIN + request(event(id="b")), 2), (202, 202)),
    Case("three in one piece", (PLAIN + NAMED + NAMED, 3), (202, 202, 202)),
    Case("one and a half", (PLAIN + PLAIN[:50], 1, PLAIN[50:], 1, PLAIN, 1), (202, 202, 202)),
    Case("behind one another, unheard", (PLAIN, NAMED, 2), (202, 202), 2),
    Case("behind one another, the second in pieces", (PLAIN, *halves(NAMED, 60), 2, PLAIN, 1), (202, 202, 202), None),
    Case("behind one another, the second another", (PLAIN, b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n", 2), (202, 200), 1),
    Case("another before", (b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n", 1, PLAIN, 1, PLAIN, 1), (200, 202, 202), 1),
    # -- not plain
    one("to be closed", request(BODY, "Connection: close"), 202),
    one("to be closed, as proxies once said it", request(BODY, "Proxy-Connection: close"), 202),
    one("HTTP/1.0", request(start="POST /api/v1/events HTTP/1.0"), 202),
    one("HTTP/1.0 to be kept open", request(BODY, "Connection: keep-alive", start="POST /api/v1/events HTTP/1.0"), 202),
    one("gzip", request(gzip.compress(BODY), "Content-Encoding: gzip"), 202),
    one("in chunks", request(b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
        + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), 202),
    one("an expectation that cannot be met", request(BODY, "Expect: 200-ok"), 417),
    one("an upgrade", request(BODY, "Connection: upgrade", "Upgrade: h2c"), 202),
    one("two lengths", request(BODY, "Content-Length: 3"), 400),
    one("a length with a sign", PLAIN.replace(b"Content-Length: ", b"Content-Length: +"), 400),
    one("no length", PLAIN.replace(b"Content-Length", b"Content-Depth").removesuffix(BODY), 400),
    one("two tokens", request(BODY, KNOWN), 202),
    one("two user agents", request(BODY, "User-Agent: a", "User-Agent: b"), 400),
    one("no host", PLAIN.replace(b"Host: x\r\n", b""), 400),
    one("a tab in a value", PLAIN.replace(b"Host: x", b"Host: x\ty"), 202),
    one("no blank before a value", PLAIN.replace(b"Host: x", b"Host:x"), 202),
    one("a name with an underscore", request(BODY, "X_Y: z"), 202),
    one("bytes that are not ASCII", request(BODY, "X-Name: \u00e9"), 202),
    one("a folded header", request(BODY, "X-Y: a\r\n b"), 400),
    one("lines that end early", PLAIN.replace(b"\r\n", b"\n"), 400),
    one("a method in small letters", PLAIN.replace(b"POST", b"post"), 400),
    one("no path of ours", request(start="POST /api/v1/events/ HTTP/1.1"), 404),
    one("nearly our path", request(start="POST /api/v1/eventsx HTTP/1.1"), 404),
    one("our path, escaped", request(start="POST /api/v1/%65vents HTTP/1.1"), 202),
    one("our path, whole", request(start="POST http://x/api/v1/events HTTP/1.1"), 202),
    one("another method", request(start="PUT /api/v1/events HTTP/1.1"), 405),
    one("HTTP/3.1", request(start="POST /api/v1/events HTTP/3.1"), 400),
    one("many headers", request(BODY, *(f"X-{n}: y" for n in range(100))), 202),
    one("too many headers", request(BODY, *(f"X-{n}: y" for n in range(200))), 400),
    one("a long header", request(BODY, "X-Y: " + "z" * 5000), 202),
    # -- refused
    one("no token", request(who=""), 401),
    one("a wrong token", request(who="Authorization: Bearer secret-wrong"), 401),
    one("no bearer", request(who="Authorization: Basic c2VjcmV0LWludGFrZQ=="), 401),
    one("a token without a secret", request(who="Authorization: Bearer"), 401),
    one("a role that may not send", request(who="Authorization: Bearer secret-viewer"), 403),
    one("all workspaces' token", request(event(workspace="other"), who="Authorization: bearer  secret-root"), 202, 1),
    one("another's workspace", request(event(workspace="other")), 403),
    one("an unknown workspace", request(event(workspace="nowhere"), who="Authorization: Bearer secret-root"), 422),
    one("not JSON", request(b'{"type": "t"'), 400),
    one("no body", request(b""), 400),
    one("not an event", request(b'{"kind": "t", "severity": "dire"}'), 422),
    one("one of two is no event", request(b"[" + event() + b', {"type": 1}]'), 422),
    one("another type", request(kind="Content-Type: text/csv"), 415),
    one("another charset", request(kind="Content-Type: application/json; charset=latin-1"), 415),
    one("as large as may be", PLAIN, 202, 1, small),
    one("too large", request(BODY + b" "), 413, 0, small),
    one("as many as may be", request(b"[%b, %b]" % (b'{"type":"t"}', b'{"type":"t"}')), 202, 1, small),
    one("too many", request(b"[%b]" % b",".join([b'{"type":""}'] * 3)[:-2]), 413, 0, small),
    one("a full queue", PLAIN, 429, 0, full),
    one("more than an empty queue holds", request(b"[" + event() + b"," + event() + b"]"), 202, 0, nearly_full),
    one("too fast", PLAIN, 429, 0, too_fast),
    Case("a store that cannot write", (PLAIN, 1, PLAIN, 1), (503, 503), 2, failing),
    one("something that nobody foresaw", PLAIN, 500, 1, broken),
    Case("wrong, then right", (request(b"{"), 1, PLAIN, 1), (400, 202), 1),
    Case("garbage behind", (PLAIN, 1, b"\x16\x03\x01\r\n\r\n", 1), (202, 400), 1),
    Case("garbage behind, unheard", (PLAIN, b"\x16\x03\x01\r\n\r\n", 2), (202, 400), 1),
]  # fmt: skip
