"""What a destination type must offer, and what it is given.

A type is one file: a pydantic settings model (secrets as SecretStr), and a factory that opens one configured
destination. Most types speak HTTP: they render a message into an `HttpRequest` and classify the `HttpAnswer` (both
pure), and leave the sending to the guarded sender that they are given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from alertd.destinations.directory import EmptyDirectory
from alertd.destinations.mail_server import MailServer
from alertd.destinations.passing_memory import PassingMemory
from alertd.destinations.people import nobody

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from pydantic import BaseModel

    from alertd.clock import Clock
    from alertd.destinations.directory import Directory
    from alertd.destinations.people import People
    from alertd.model.delivery import Outcome
    from alertd.model.severity import Severity


@dataclass(frozen=True, slots=True)
class DigestEntry:
    """One alert of a digest: its event's JSON, the address of its page (empty: none), and why it alerted."""

    event: bytes
    url: str = ""
    trigger: str | None = None


@dataclass(frozen=True, slots=True)
class Digest:
    """Several alerts in one delivery.

    Shapes: `entries` are the first ones, oldest first; `count` counts all of them, those in `entries` too; `reason` says
    in a sentence why they come together (empty: nothing to say); `worst` is how bad the worst of all is (None: nobody
    knows but of those in `entries`); `projects` are those of all alerts, as far as they are known beyond `entries`.
    """

    entries: tuple[DigestEntry, ...]
    count: int
    reason: str = ""
    worst: Severity | None = None
    projects: tuple[str, ...] = ()


@dataclass(slots=True)
class Message:
    """One delivery as a destination type sees it.

    Shapes: `delivery_id` and `alert_id` are the outside forms; `attempt` counts from 1; `event` is the event's JSON;
    `event_type` its type; `time` its RFC 3339 time (empty: read it from `event`); names are those that users gave;
    `issue` is the JSON of the issue that the event belongs to (None: none); with `digest` set, it is what is to be told,
    and `event` only what caused it; `acknowledge_url` is the signed link that acknowledges the alert (empty: none);
    `maybe_duplicate`: an earlier attempt may have arrived although nobody answered; `own_title` and `own_body` are in a
    user's words (None: in ours); `note` is what a reader should know of the message itself.
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
    issue: bytes | None = None
    digest: Digest | None = None
    acknowledge_url: str = ""
    maybe_duplicate: bool = False
    own_title: str | None = None
    own_body: str | None = None
    note: str = ""


@dataclass(slots=True)
class HttpRequest:
    """A request that a type wants sent. Its `repr` says nothing of what may be secret in it."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
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


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be sent, for people: secrets are replaced. `target` says how and where to (`POST https://…`)."""

    target: str
    headers: Mapping[str, str]
    body: str


@runtime_checkable
class Previewing(Protocol):
    """What an open destination also offers when it can show what it would send."""

    def preview(self, message: Message) -> Preview:
        """Render a message without sending it; no secret is in the answer."""


@runtime_checkable
class Reaching(Protocol):
    """What a type also offers when it depends on settings or people that it may lack: then nothing is planned for it."""

    def reaches(self, settings: Any, mail: MailServer, people: People) -> bool:
        """Whether a destination with these settings reaches anybody in a project with these people."""


@runtime_checkable
class Particular(Protocol):
    """What a type also offers when some of its settings cannot tell every event: then nothing else is planned for it."""

    def needs_issue(self, settings: Any) -> bool:
        """Whether a destination with these settings takes alerts about issues only."""


@runtime_checkable
class ForPeople(Protocol):
    """What a type also offers when people read its messages and click on what is in them."""

    def shows_links(self, settings: Any) -> bool:
        """Whether its messages show `acknowledge_url`, which is written for such destinations alone: it costs time."""


@runtime_checkable
class Bursting(Protocol):
    """What a type also offers when its provider lets many messages through at once before it keeps to its pace."""

    def burst(self, settings: Any) -> int:
        """Give how many."""


class OpenDestination(Protocol):
    """One configured destination, ready to be attempted.

    One that answers at once, whatever the message, may say so with an attribute `instant = True`: it is then given none.
    """

    async def attempt(self, message: Message) -> Outcome:
        """Try once. Never raises but CancelledError: whatever happened is an outcome."""

    async def close(self) -> None:
        """Let go of what it holds."""


class Memory(Protocol):
    """What one destination remembers of what its provider said: short texts by key, kept over restarts.

    It is for convenience (which message to edit), never for what must not be lost: entries may be forgotten, the ones
    not used for longest first.
    """

    async def get(self, key: str) -> str | None:
        """Return what was set, or None."""

    async def set(self, key: str, value: str) -> None:
        """Remember, in place of what was there."""


class Connect(Protocol):
    """Connects through the egress guard, for types that speak no HTTP."""

    def __call__(self, host: str, port: int, ports: Collection[int] = ()) -> Awaitable[socket.socket]:
        """Return a connected socket. `ports`: where a public address may be connected at. Raises SendError."""


class Permit(Protocol):
    """Asks the egress guard, for types whose connections are made by others."""

    def __call__(self, host: str, ip: str, port: int) -> str | None:
        """Say why `ip`, to which `host` resolved (empty: no host known), may not be connected to, or None."""


def unpermitted(host: str, ip: str, port: int) -> str | None:
    """Permit nothing: for surroundings in which no connections are made."""
    return "no connections are made here"


async def unconnected(host: str, port: int, ports: Collection[int] = ()) -> socket.socket:
    """Connect to nothing: for destinations that need no connection of their own. Raises SendError."""
    raise SendError("egress refused: no connections are made here", refused=True)


def uncertified(context: ssl.SSLContext) -> Sender:
    """Make no sender: for surroundings that have only the one. Raises SendError."""
    raise SendError("no sender with certificates of its own is made here", refused=True)


@dataclass(frozen=True, slots=True)
class World:
    """What a destination may use of the world.

    Shapes: `write_line` prints one line to standard output; `memory` is this destination's own, nobody else's; `mail` is
    the platform's mail server; `people` gives those of a project by (workspace, project); `directory` knows the numbers
    and titles behind names; `sender_with` makes a sender like `sender` with a TLS context of one's own, which whoever asked
    for it closes; `permit` is the guard's opinion of an address.
    """

    clock: Clock
    sender: Sender
    write_line: Callable[[str], None]
    memory: Memory = field(default_factory=PassingMemory)
    mail: MailServer = field(default_factory=MailServer)
    people: Callable[[str, str], People] = nobody
    connect: Connect = unconnected
    directory: Directory = field(default_factory=EmptyDirectory)
    sender_with: Callable[[ssl.SSLContext], Sender] = uncertified
    permit: Permit = unpermitted


class DestinationType(Protocol):
    """A destination type.

    `about` tells a person what it is and where its settings come from, in Markdown; `settings_model` has a description
    for each setting, and its secrets are SecretStr.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    settings_model: ClassVar[type[BaseModel]]

    def rate_per_second(self, settings: Any) -> float | None:
        """Give the pace that the provider asks for, used where nobody configured one; None: no pace."""

    def open(self, settings: Any, timeout_seconds: float, world: World) -> OpenDestination:
        """Open one destination with validated settings."""
