"""What a message knows about its subject, as named values in the order in which people ask. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alertd.destinations.content import State
from alertd.destinations.limits import fit
from alertd.destinations.moments import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.destinations.content import Content, Line, Suspect

TAIL_MAX = 250
"""Characters of what follows an alert's title where there is room for all of it."""
_SHORT_ID = 10
"""Characters of a commit's id that people read."""
_SEPARATORS = 10
"""Bytes of what stands between place and time, and of the mark of a cut."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One named value: clean text, not escaped. `time` is the value as RFC 3339 where it is a point in time."""

    name: str
    text: str
    time: str = ""


def facts_of(content: Content) -> tuple[Fact, ...]:
    """List what is known, the most important first, the event's labels last; of a digest how bad it is."""
    facts = (_how_bad(content),) if content.is_digest else _facts(content)
    return tuple(fact for fact in facts if fact.text)


def first_facts(content: Content, most: int) -> tuple[Fact, ...]:
    """List the first of them; when they are more than `most`, the last place says how many are left out."""
    facts = facts_of(content)
    if len(facts) <= most:
        return facts
    return (*facts[: most - 1], Fact("…", f"and {len(facts) - most + 1} more"))


def severity_word(content: Content | Line) -> str:
    """Say how bad it is, or that it is over."""
    return "Resolved" if content.state is State.RESOLVED else content.severity.word.capitalize()


def origin(content: Content) -> str:
    """Say in one line which subscription it came through, and what else a reader should know of the message itself."""
    repeat = "may be a repeat" if content.maybe_duplicate else ""
    test = "a test, no alert" if content.test else ""
    return " · ".join(filter(None, ("alertd", content.subscription, test, repeat, content.note)))


def suspect_text(suspect: Suspect) -> str:
    """Describe a commit without its id: `Read the SKU from the cart, by Ann (changed checkout.py)`."""
    author = f"by {suspect.author}" if suspect.author else ""
    reason = f" ({suspect.reason})" if suspect.reason else ""
    return ", ".join(filter(None, (suspect.title, author))) + reason


def short_commit(suspect: Suspect) -> str:
    """Shorten a commit's id."""
    return suspect.id[:_SHORT_ID]


def line_tail(line: Line, room: int = TAIL_MAX) -> str:
    """Say what follows an alert's title in a digest: ` · shop/prod · 2026-05-07 00:00 UTC`.

    In about `room` characters: what is too long is the place, and the time stays whole.
    """
    at = shown(line.at)
    where = fit(line.where, max(0, room - len(at) - _SEPARATORS))
    return "".join(f" · {each}" for each in (where, at) if each)


def _facts(content: Content) -> Iterator[Fact]:
    yield _how_bad(content)
    yield Fact("Project", content.project)
    yield Fact("Environment", content.environment)
    if content.first_seen or content.last_seen:
        yield _moment("First seen", content.first_seen)
        yield _moment("Last seen", content.last_seen)
    else:
        yield _moment("Time", content.at)
    yield Fact("Events", _number(content.event_count))
    yield Fact("Users", _number(content.user_count))
    yield Fact("Type", "" if content.event_type in {content.headline, content.title} else content.event_type)
    yield Fact("Source", content.source)
    for name, value in content.fields:
        yield Fact(name, value)


def _how_bad(content: Content) -> Fact:
    return Fact("State" if content.state is State.RESOLVED else "Severity", severity_word(content))


def _moment(name: str, time: str) -> Fact:
    return Fact(name, shown(time), time)


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"
