"""Facts: what is known of a subscription and of a type of events without reading the history. Mutable counters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class SubscriptionFacts:
    """What has become of one subscription's events.

    Shapes: `fired` counts events that matched a channel of it and its scope, delivered or not, and `sent` those that it
    sent; `delivered` and `failed` count deliveries that came to an end (failed: dead). Times are milliseconds since
    1970, None: never; `last_error` says why a delivery was given up last, such as `webhook: returned 503`.
    """

    fired: int = 0
    sent: int = 0
    delivered: int = 0
    failed: int = 0
    last_fired_at_ms: int | None = None
    last_success_at_ms: int | None = None
    last_error: str = ""
    last_error_at_ms: int | None = None


@dataclass(slots=True)
class TypeFacts:
    """How a type of events has been seen in a workspace; times of arrival in milliseconds since 1970."""

    first_seen_ms: int
    last_seen_ms: int
    events: int = 0
