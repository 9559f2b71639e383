"""What a message asks of a service that keeps incidents: open one, note that somebody takes care, or close it. Pure."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from alertd.destinations.content import State, last_word
from alertd.destinations.facts import first_facts, line_tail, short_commit, suspect_text
from alertd.destinations.limits import fit
from alertd.destinations.loose import object_in
from alertd.model.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.destinations.base import Message
    from alertd.destinations.content import Content

NEVER_CLOSED: Final = "Nothing resolves this by itself: resolve it when its alerts are dealt with."
"""What is said with a digest."""
STAYS_OPEN: Final = (
    "These alerts tell of ends: what they would have resolved here is to be resolved by hand, and so is this."
)
"""What is said with a digest of nothing but ends."""
OWN: Final = frozenset({"Details", "Suspect commits", "Alerts", "More alerts", "Subscription", "Test", "To resolve"})
"""Details that are no facts."""
_TAKEN: Final = frozenset({"acknowledged", "muted"})


class Turn(Enum):
    """What becomes of an incident."""

    OPEN = "open"
    ACKNOWLEDGE = "acknowledge"
    CLOSE = "close"


def turn_of(message: Message, content: Content) -> Turn:
    """Read it from the state, from the last word of the type (`issue.muted`), and from the issue.

    A digest opens an incident of its own, also one of nothing but ends: closing what was never opened would tell nobody.
    """
    if content.is_digest:
        return Turn.OPEN
    if content.state is State.RESOLVED:
        return Turn.CLOSE
    taken = last_word(content.event_type) in _TAKEN or object_in(message.issue).get("state") == "muted"
    return Turn.ACKNOWLEDGE if taken else Turn.OPEN


def severity_of(content: Content) -> Severity:
    """Say how bad an incident is that is opened: a digest of nothing but ends informs."""
    return Severity.INFO if content.is_digest and content.state is State.RESOLVED else content.severity


def ending_of(content: Content) -> dict[str, str]:
    """Say of a digest's incident how it ends, as a detail; nothing of any other."""
    if not content.is_digest:
        return {}
    return {"To resolve": STAYS_OPEN if content.state is State.RESOLVED else NEVER_CLOSED}


def details_of(content: Content, text_max: int, fact_max: int, facts_max: int) -> dict[str, Any]:
    """Write all that is known as members of an object; sizes in characters of one text, and count of the facts.

    A label that is called as something else is already is marked as a label, so that neither hides the other.
    """
    return dict(_details(content, text_max, fact_max, facts_max))


def _details(content: Content, text_max: int, fact_max: int, facts_max: int) -> Iterator[tuple[str, Any]]:
    taken = set(OWN)
    for fact in first_facts(content, facts_max):
        name = fit(fact.name, fact_max)
        name = f"{name} (label)" if name in taken else name
        taken.add(name)
        yield name, fit(fact.text, fact_max)
    if content.summary:
        yield "Details", fit(content.summary, text_max)
    if content.suspects:
        yield "Suspect commits", [fit(f"{short_commit(s)} {suspect_text(s)}", fact_max) for s in content.suspects]
    if content.is_digest:
        yield "Alerts", [fit(f"{each.headline}: {each.title}{line_tail(each)}", fact_max) for each in content.lines]
        yield "More alerts", content.rest
    yield "Subscription", fit(content.subscription, fact_max)
    if content.test:
        yield "Test", "a test, no alert"
