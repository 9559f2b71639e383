"""The workload: events of 500 bytes, 20 types, one destination each, and the rules that send them there.

Every type matches exactly one channel, whether there is one pattern or ten thousand. The destination follows from the
event's project, so that all destinations get the same share and an event is looked at by one subscription.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from alertd.matching.pattern import PatternKind, compile_pattern
from benchmarks.matching import WORDS, mixed

if TYPE_CHECKING:
    from collections.abc import Iterator

PAYLOAD_BYTES = 500
DESTINATIONS = 16
TOKEN = "benchmark-0123456789abcdef0123456789abcdef"  # noqa: S105 - of a daemon that lives for seconds
ADMIN_TOKEN = f"{TOKEN}-admin"
SECRET = "whsec_YmVuY2htYXJrLWJlbmNobWFyay1iZW5jaG1hcms="  # noqa: S105 - the same
SENT_DIGITS = 19
NEVER = "0" * SENT_DIGITS
"""What an event says that is not timed."""

CONCURRENCY = 4
"""Attempts at once to one destination: 16 destinations then use 64 connections, as the bare POST loop does."""

NUMBERS = [3 + 47 * position for position in range(20)]
"""The channels of the mix that the workload's types match: spread over the first thousand and over all its kinds."""


def type_of(number: int) -> str:
    """Give a type that matches the pattern `mixed(number)` and no other."""
    word = WORDS[number // 7 % len(WORDS)]
    return (
        f"run{number}:finished",
        f"payment{number}.failed",
        f"app_{word}{number}_import_failed",
        f"agent{number}.budget_paused",
        f"{word}{number}:nightly.failed",
        f"worker_{word}{number}_timeout",
        f"{word}_{number}_finished",
    )[number % 7]


TYPES = [type_of(number) for number in NUMBERS]


def event(position: int, *, event_id: str, projects: int = DESTINATIONS, sent: str = NEVER) -> bytes:
    """Write one event of exactly 500 bytes; without an id it is padded instead."""
    own = f'"id":"{event_id}",' if event_id else ""
    head = (
        f'{{{own}"type":"{TYPES[position % len(TYPES)]}","project":"p{position % projects}",'
        f'"environment":"prod","severity":"error","data":{{"sent_ns":"{sent}","text":"'
    )
    return f'{head}{"x" * (PAYLOAD_BYTES - len(head) - 3)}"}}}}'.encode()


def events(count: int, *, seed: int, ids: bool = True, projects: int = DESTINATIONS) -> Iterator[bytes]:
    """Give so many events, each with a UUID of its own (or none); another seed gives other ids."""
    rng = random.Random(seed)  # noqa: S311 - a workload, no secret
    for position in range(count):
        own = str(UUID(int=rng.getrandbits(128), version=4)) if ids else ""
        yield event(position, event_id=own, projects=projects)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the daemon is told: how many channels, how many destinations, of which type, and who never answers.

    `broken` are the bases of the first destinations' URLs (`https://127.0.0.1:1`), where nothing is taken.
    """

    channels: int = 1
    destinations: int = DESTINATIONS
    type: str = "webhook"
    dead: int = 0
    tls: bool = False
    broken: tuple[str, ...] = ()

    def workspace(self, sink: str, tarpit: str) -> dict[str, Any]:
        """Write the workspace of a configuration."""
        return {
            "name": "default",
            "channels": channels(self.channels),
            "destinations": [self._destination(n, sink, tarpit) for n in range(self.destinations)],
            "subscriptions": self._subscriptions(),
        }

    def _destination(self, number: int, sink: str, tarpit: str) -> dict[str, Any]:
        if self.type == "null":
            return {"name": f"d{number}", "type": "null"}
        place = tarpit if number < self.dead else sink
        base = self.broken[number] if number < len(self.broken) else f"http{'s' * self.tls}://{place}"
        settings = {"url": f"{base}/d{number}", "secret": SECRET}
        queue = {"concurrency": CONCURRENCY}
        return {"name": f"d{number}", "type": "webhook", "settings": settings, "queue": queue}

    def _subscriptions(self) -> list[dict[str, Any]]:
        """One for each destination, scoped by project, to the channels that match; one for each other channel."""
        active = {0} if self.channels == 1 else set(NUMBERS)
        names = [f"c{number}" for number in sorted(active)]
        scoped = [
            {"name": f"s{n}", "channels": names, "destinations": [f"d{n}"], "projects": [f"p{n}"]}
            for n in range(self.destinations)
        ]
        others = [
            {"name": f"x{number}", "channels": [f"c{number}"], "destinations": [f"d{number % self.destinations}"]}
            for number in range(self.channels)
            if number not in active
        ]
        return scoped + others


def channels(count: int) -> list[dict[str, Any]]:
    """Write so many channels: one that matches everything, or the mix."""
    if count == 1:
        return [{"name": "c0", "kind": "regex", "pattern": ".*"}]
    made = (mixed(number) for number in range(count))
    return [{"name": f"c{n}", "kind": kind.value, "pattern": text} for n, (kind, text) in enumerate(made)]


def expressions(count: int) -> list[str]:
    """Write the same channels as expressions of `re`, and make sure that each type matches one of them."""
    if count == 1:
        return [".*"]
    found = [_expression(*mixed(number)) for number in range(count)]
    compiled = [re.compile(text, re.DOTALL) for text in found]
    for name in TYPES:
        matches = sum(1 for pattern in compiled if pattern.fullmatch(name))
        if matches != 1:
            raise SystemExit(
                f"type {name} matches {matches} of {count} patterns: the workload has lost its fan-out of 1"
            )
    return found


def _expression(kind: PatternKind, text: str) -> str:
    return compile_pattern(kind, text).source


def egress(sender: str) -> dict[str, Any]:
    """Write the section that chooses a sender; everything is on loopback."""
    return {"allow": ["127.0.0.0/8"], "sender": sender}


def configuration(
    rules: Rules, *, sink: str, tarpit: str, store: dict[str, Any], kafka: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """Write a whole configuration; `more` adds or replaces top-level sections."""
    base: dict[str, Any] = {
        "server": {"listen": "127.0.0.1:0"},
        "store": store,
        "egress": {"allow": ["127.0.0.0/8"]},
        "log": {"format": "json"},
        "tokens": [
            {"name": "loader", "role": "intake", "workspace": "default", "value": TOKEN},
            {"name": "operator", "role": "admin", "workspace": "default", "value": ADMIN_TOKEN},
        ],
        "workspaces": [rules.workspace(sink, tarpit)],
    }
    if kafka is not None:
        base["intake"] = {"kafka": kafka}
    return base | more
