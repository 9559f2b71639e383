"""Envelopes of SDKs, said over both lanes: each case is a conversation, and what it must come to."""

from __future__ import annotations

import gzip
from typing import Any

from tests.conformance.lane_cases import Case, broken, failing, full, halves, nearly_full, one, request
from tests.unit.intake.sentry_stage import KEY
from tests.unit.sources.sentry_samples import ERROR, OTHER_ID, envelope, item

AUTH = f"X-Sentry-Auth: Sentry sentry_version=7, sentry_key={KEY}"
KIND = "Content-Type: application/x-sentry-envelope"
START = "POST /sentry/api/42/envelope/ HTTP/1.1"
ERRORS = envelope(item("event", ERROR))


def sent(body: bytes = ERRORS, *more: str, who: str = AUTH, start: str = START) -> bytes:
    """Write a request of an SDK."""
    return request(body, *more, who=who, kind=KIND, start=start)


def several(name: str, *bodies: bytes, express: int, **given: Any) -> Case:
    """Make a case of requests with an answer each, all good."""
    steps = tuple(step for body in bodies for step in (body, 1))
    return Case(name, steps, (200,) * len(bodies), express, **given)


OTHER = envelope(item("event", {**ERROR, "event_id": "b" * 32}), event_id="b" * 32)
PLAIN = sent()
CASES = [
    one("an envelope", PLAIN, 200, 1),
    one("to a project by name, no slash", sent(start="POST /sentry/api/shop/envelope HTTP/1.1"), 200, 1),
    several("envelopes, the second twice", PLAIN, sent(OTHER), sent(OTHER), express=3),
    one("a message", sent(envelope(item("event", {"message": "x"}))), 200, 1),
    one(
        "a check-in",
        sent(envelope(item("check_in", {"monitor_slug": "a", "status": "ok", "check_in_id": "c" * 32}))),
        200,
        1,
    ),
    one("an envelope in any case", PLAIN.replace(b"X-Sentry-Auth", b"x-sentry-auth"), 200, 1),
    one("an envelope without a kind", PLAIN.replace(KIND.encode() + b"\r\n", b""), 200, 1),
    # -- not whole, not plain
    Case("an envelope in two pieces, then whole", (*halves(PLAIN, 60), 1, PLAIN, 1, PLAIN, 1), (200, 200, 200), 1),
    Case("an envelope, head and body apart", (*halves(PLAIN, len(PLAIN) - len(ERRORS)), 1), (200,), 1),
    Case("two envelopes in one piece", (PLAIN + sent(OTHER), 2), (200, 200)),
    Case("envelopes behind one another, unheard", (PLAIN, sent(OTHER), 2), (200, 200), 2),
    one("an envelope in gzip", sent(gzip.compress(ERRORS), "Content-Encoding: gzip"), 200),
    one("a key in the query", sent(who="", start=f"POST /sentry/api/42/envelope/?sentry_key={KEY} HTTP/1.1"), 200),
    one("a key in Authorization", sent(who=AUTH.replace("X-Sentry-Auth", "Authorization")), 200),
    one("a key in both headers", sent(ERRORS, AUTH.replace("X-Sentry-Auth", "Authorization")), 200),
    one("two keys that differ", sent(ERRORS, "Authorization: Sentry sentry_key=other"), 403),
    one("the key twice", sent(ERRORS, AUTH), 200),
    one("an envelope with its DSN", sent(envelope(item("event", ERROR), dsn=f"http://{KEY}@x/42")), 200),
    one("an envelope with another DSN", sent(envelope(item("event", ERROR), dsn="http://other@x/42")), 403),
    one("an envelope to be closed", sent(ERRORS, "Connection: close"), 200),
    # -- what is not taken
    one("no key", sent(who=""), 403),
    one("another key", sent(who=AUTH + "x"), 403),
    one("another project", sent(start="POST /sentry/api/43/envelope/ HTTP/1.1"), 403),
    one("no envelope", sent(b"[]"), 400),
    one("an envelope cut short", sent(ERRORS[:-9]), 400),
    one("a bare header", sent(envelope()), 200),
    one("a session", sent(envelope(item("session", {}))), 200),
    one("an error and a session", sent(envelope(item("event", ERROR), item("session", {}))), 200),
    one("a transaction", sent(envelope(item("event", {"type": "transaction"}))), 200),
    one("an event without an id", sent(b"{}\n" + item("event", {})), 400),
    one("a store request", sent(b"{}", start="POST /sentry/api/42/store/ HTTP/1.1"), 200),
    one("a path beyond", sent(start="POST /sentry/api/42/envelope// HTTP/1.1"), 404),
    one("envelopes when the queue is full", PLAIN, 429, 0, full),
    one("an envelope when it is nearly full", PLAIN, 200, 1, nearly_full),
    one("an envelope that cannot be stored", PLAIN, 503, 1, failing),
    one("an envelope that ends in a fault", PLAIN, 500, 1, broken),
]
assert OTHER_ID.encode() in ERRORS
