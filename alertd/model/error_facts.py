"""Facts: what an error says to its issue, read once, by its decoder or by the engine (`alertd.engine.issues.facts`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Facts:
    """What one event says. What it does not say is empty; `at_ms` is when it happened, never later than its arrival.

    Not frozen only because freezing costs a microsecond an event; nobody changes one.
    """

    key: str
    event_id: str
    title: str
    culprit: str
    level: str
    environment: str
    release: str
    user: str
    at_ms: int
