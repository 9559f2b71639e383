"""The workload of errors: envelopes as the Sentry SDK for Python sends them, of as many issues as wanted.

An envelope has about 4 KB: one event with two exceptions, eight frames each with a line of source, tags, a user, contexts
and a breadcrumb. The issue follows from the function that crashed.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAMES = 8


def envelope(event_id: str, issue: int) -> bytes:
    """Write the envelope of one error."""
    event = orjson.dumps(error(event_id, issue))
    head = orjson.dumps({"event_id": event_id, "sent_at": "2026-05-07T00:00:00.000Z"})
    item = orjson.dumps({"type": "event", "content_type": "application/json", "length": len(event)})
    return b"\n".join((head, item, event))


def error(event_id: str, issue: int) -> dict[str, Any]:
    """Write one error."""
    return {
        "event_id": event_id,
        "level": "error",
        "platform": "python",
        "release": "shop@1.2.3",
        "environment": "staging",
        "server_name": "web-1",
        "transaction": "/checkout/{order}",
        "tags": {"team": "payments", "region": "eu"},
        "user": {"id": event_id[:2], "email": f"{event_id[:2]}@example.com"},
        "exception": {
            "values": [_exception("KeyError", "'sku'", issue), _exception("CheckoutError", "no price", issue)]
        },
        "contexts": {"runtime": {"name": "CPython", "version": "3.11.7"}, "trace": {"trace_id": event_id}},
        "breadcrumbs": {"values": [{"type": "log", "category": "shop", "message": "cart opened", "level": "info"}]},
        "sdk": {"name": "sentry.python", "version": "2.75.0"},
    }


def _exception(kind: str, value: str, issue: int) -> dict[str, Any]:
    frames = [_frame(f"step_{number}" if number < FRAMES - 1 else f"price_{issue}", number) for number in range(FRAMES)]
    return {"type": kind, "value": value, "mechanism": {"type": "generic"}, "stacktrace": {"frames": frames}}


def _frame(function: str, number: int) -> dict[str, Any]:
    return {
        "filename": f"shop/part_{number}.py",
        "abs_path": f"/srv/shop/part_{number}.py",
        "module": f"shop.part_{number}",
        "function": function,
        "lineno": 17 + number,
        "in_app": number % 2 == 1,
        "context_line": f"    return {function}(order, prices)",
    }


def envelopes(count: int, *, seed: int, issues: int) -> Iterator[bytes]:
    """Give so many envelopes, the issues in turn; another seed gives other ids."""
    rng = random.Random(seed)  # noqa: S311 - a workload, no secret
    for position in range(count):
        yield envelope(f"{rng.getrandbits(128):032x}", position % issues)
