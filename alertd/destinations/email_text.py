"""The plain text of a letter, for those who read no HTML: everything that the HTML says, in the same order. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alertd.destinations.facts import facts_of, line_tail, origin, severity_word, short_commit, suspect_text
from alertd.destinations.limits import fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.destinations.content import Content

SUMMARY_MAX: Final = 3000
"""Characters of what an event says at length."""
FACTS_MAX: Final = 20
VALUE_MAX: Final = 200
"""Characters of one fact's value."""
NAME_MAX: Final = 60
"""Characters of one fact's name."""
SUSPECT_MAX: Final = 300
"""Characters about one suspect commit."""
LINE_MAX: Final = 120
"""Characters of one alert's title in a digest."""
URL_MAX: Final = 1000
"""Characters of a link's address; a longer one is left out."""


def text_of(content: Content) -> str:
    """Write a letter."""
    return "\n\n".join(filter(None, _parts(content))) + "\n"


def _parts(content: Content) -> Iterator[str]:
    yield f"{_head(content)}\n{content.title}"
    yield fit(content.summary, SUMMARY_MAX)
    yield "\n".join(_facts(content))
    yield "\n".join(_suspects(content))
    yield "\n".join(_digest(content))
    yield "\n".join(f"{link.label}: {link.url}" for link in content.links if len(link.url) <= URL_MAX)
    yield f"-- \n{origin(content)}"


def _head(content: Content) -> str:
    """Say why it is sent and how bad it is, unless that is the same word."""
    word = severity_word(content)
    return content.kicker if content.headline == word else f"{content.kicker} ({word})"


def _facts(content: Content) -> Iterator[str]:
    facts = facts_of(content)
    for fact in facts[:FACTS_MAX]:
        yield f"{fit(fact.name, NAME_MAX)}: {fit(fact.text, VALUE_MAX)}"
    if len(facts) > FACTS_MAX:
        yield f"… and {len(facts) - FACTS_MAX} more"


def _suspects(content: Content) -> Iterator[str]:
    if content.suspects:
        yield "Suspect commits"
    for suspect in content.suspects:
        yield f"* {short_commit(suspect)} {fit(suspect_text(suspect), SUSPECT_MAX)}".rstrip()
        if suspect.url and len(suspect.url) <= URL_MAX:
            yield f"  {suspect.url}"


def _digest(content: Content) -> Iterator[str]:
    for line in content.lines:
        yield f"* [{severity_word(line)}] {line.headline}: {fit(line.title, LINE_MAX)}{line_tail(line, LINE_MAX)}"
        if line.url and len(line.url) <= URL_MAX:
            yield f"  {line.url}"
    if content.rest:
        yield f"… and {content.rest:,} more"
