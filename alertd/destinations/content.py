"""What a message says, before any provider's markup: designed once, so that all types tell the same story.

A `Content` holds clean text only (`alertd.destinations.clean`): bounded, without control characters or lone surrogates, but
not escaped: each type escapes for its own markup, and cuts to its own limits, with `alertd.destinations.limits`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from alertd.model.severity import Severity

COLOURS: Final = {
    Severity.DEBUG: 0x667085,
    Severity.INFO: 0x2E90FA,
    Severity.WARNING: 0xF79009,
    Severity.ERROR: 0xD92D20,
    Severity.CRITICAL: 0x912018,
}
RESOLVED_COLOUR: Final = 0x12B76A
SIGNS: Final = {
    Severity.DEBUG: "⚪",
    Severity.INFO: "🔵",
    Severity.WARNING: "🟡",
    Severity.ERROR: "🟠",
    Severity.CRITICAL: "🔴",
}
RESOLVED_SIGN: Final = "🟢"
"""Severity as one character, for providers that have no colours."""
_LAST_WORD: Final = re.compile(r"[a-z]+\Z")


class State(Enum):
    """Whether something is wrong, or is so no longer."""

    PROBLEM = "problem"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Link:
    """A link with what it leads to in a word or two; the address is http(s), without spaces, 2,000 characters at most."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Suspect:
    """A commit that may be the cause; only `id` is never empty. `reason` says why it is suspected."""

    id: str
    title: str = ""
    author: str = ""
    url: str = ""
    reason: str = ""


class Weighed:
    """What has a severity and a state, and so a colour and a sign."""

    __slots__ = ()
    severity: Severity
    state: State

    @property
    def colour(self) -> int:
        """The colour of its severity, or of its end, as 0xRRGGBB."""
        return RESOLVED_COLOUR if self.state is State.RESOLVED else COLOURS[self.severity]

    @property
    def sign(self) -> str:
        """The severity or the end of it as one character."""
        return RESOLVED_SIGN if self.state is State.RESOLVED else SIGNS[self.severity]


@dataclass(frozen=True, slots=True)
class Line(Weighed):
    """One alert of a digest. `url` may be empty."""

    headline: str
    title: str
    severity: Severity
    state: State
    where: str
    at: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content(Weighed):
    """One message.

    Shapes: `headline` says in a word or two why it is sent (`New issue`, `Regression`, `Resolved`, an event's type);
    `title` what it is about, one line; `summary` is text of several lines, often empty; `at`, `first_seen` and
    `last_seen` are RFC 3339, and empty, as are all texts, when unknown; `fields` are the event's labels; `lines` and
    `rest` are a digest's (the first alerts, and how many more there are); `dedup_key` (255 printable ASCII characters
    at most) is the same for all alerts about one issue or key; `thread_key` is that too, but empty where alerts have
    nothing in common but their type, so that a thread of them would be none.
    """

    headline: str
    title: str
    severity: Severity
    state: State
    summary: str = ""
    event_type: str = ""
    short_id: str = ""
    project: str = ""
    environment: str = ""
    at: str = ""
    first_seen: str = ""
    last_seen: str = ""
    event_count: int | None = None
    user_count: int | None = None
    source: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    links: tuple[Link, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    lines: tuple[Line, ...] = ()
    rest: int = 0
    trigger: str = ""
    subscription: str = ""
    workspace: str = ""
    delivery_id: str = ""
    dedup_key: str = ""
    thread_key: str = ""
    test: bool = False
    maybe_duplicate: bool = False
    note: str = ""

    @property
    def is_digest(self) -> bool:
        """Whether it tells of several alerts."""
        return bool(self.lines) or self.rest > 0

    @property
    def where(self) -> str:
        """Project and environment: `shop/prod`; empty when neither is known."""
        return "/".join(filter(None, (self.project, self.environment)))

    @property
    def kicker(self) -> str:
        """What stands above or before the title: `[Test] New issue SHOP-42`."""
        return " ".join(filter(None, ("[Test]" if self.test else "", self.headline, self.short_id)))

    @property
    def subject(self) -> str:
        """All of it on one line, for notifications and e-mail: `New issue SHOP-42: KeyError in checkout (shop/prod)`."""
        place = f" ({self.where})" if self.where else ""
        return f"{self.kicker}: {self.title}{place}"

    @property
    def url(self) -> str:
        """Where its title leads: the first link's address; empty when there is none."""
        return self.links[0].url if self.links else ""


def last_word(event_type: str) -> str:
    """Give what a type says last: `muted` of `issue.muted`; nothing when it ends otherwise."""
    found = _LAST_WORD.search(event_type)
    return found.group() if found else ""
