"""What a destination type must offer, and what it is given.

A type is one file: a pydantic settings model (secrets as SecretStr), and a factory that opens one configured
destination. Most types speak HTTP: they render a message into an `HttpRequest` and classify the `HttpAnswer` (both
pure), and leave the sending to the guarded sender that they are given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from alertd.clock import Clock
    from alertd.model.delivery import Outcome


@dataclass(slots=True)
class Message:
    """One delivery as a destination type sees it.

    Shapes: `delivery_id` and `alert_id` are the outside forms; `attempt` counts from 1; `event` is the event's JSON;
    `event_type` its type; `time` its RFC 3339 time (empty: read it from `event`); names are those that users gave.
    """

    delivery_id: str
    alert_id: str
    attempt: int
    workspace: str
    subscription: str
    channel: str
    trigger: str | None
    event_type: str
    event: bytes
    url: str
    test: bool = False
    time: str = ""


@dataclass(slots=True)
class HttpRequest:
    """A request that a type wants sent."""

    url: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"


@dataclass(slots=True)
class HttpAnswer:
    """What came back: `body` is the first kilobyte."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class SendError(Exception):
    """No answer came. `ambiguous`: the request may have been processed; `refused`: the egress guard forbids it."""

    def __init__(self, reason: str, *, ambiguous: bool = False, refused: bool = False) -> None:
        self.ambiguous = ambiguous
        self.refused = refused
        super().__init__(reason)


class Sender(Protocol):
    """Sends HTTP requests through the egress guard."""

    async def send(self, request: HttpRequest, timeout_seconds: float) -> HttpAnswer:
        """Send and return the answer (redirects are answers). Raises SendError."""

    async def close(self) -> None:
        """Close all connections."""


class OpenDestination(Protocol):
    """One configured destination, ready to be attempted."""

    async def attempt(self, message: Message) -> Outcome:
        """Try once. Never raises but CancelledError: whatever happened is an outcome."""

    async def close(self) -> None:
        """Let go of what it holds."""


@dataclass(frozen=True, slots=True)
class World:
    """What a destination may use of the world. `write_line` prints one line to standard output."""

    clock: Clock
    sender: Sender
    write_line: Callable[[str], None]


class DestinationType(Protocol):
    """A destination type."""

    name: ClassVar[str]
    settings_model: ClassVar[type[BaseModel]]

    def open(self, settings: Any, timeout_seconds: float, world: World) -> OpenDestination:
        """Open one destination with validated settings."""
