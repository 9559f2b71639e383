"""The HTML of a letter: one card that reads well in every mail program, without images, scripts or anything from outside.

All text goes through the template's escaping; addresses are the safe ones of `Content`, so nothing that an event says
becomes markup. Colours are ours.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, StrictUndefined, Template

from alertd.destinations.email_text import FACTS_MAX, LINE_MAX, NAME_MAX, SUMMARY_MAX, SUSPECT_MAX, URL_MAX, VALUE_MAX
from alertd.destinations.facts import facts_of, origin, severity_word, short_commit, suspect_text
from alertd.destinations.limits import fit
from alertd.destinations.moments import shown

if TYPE_CHECKING:
    from alertd.destinations.content import Content

HTML_MAX: Final = 102_400
"""Characters within which every letter stays: what is longer Gmail cuts off."""
LINE_URL_MAX: Final = 500
"""Characters of an address in a list; a longer one is left out."""
WHERE_MAX: Final = 100
"""Characters of project and environment in a list."""
TITLE_MAX: Final = 250
"""Characters of the title; all of it is in the text beside it."""
_PREHEADER: Final = 150
_LIGHT: Final = 0xFFFFFF
_DARK: Final = 0x101828
_ABOVE: Final = frozenset({"Severity", "State", "Project", "Environment"})
"""Facts that stand above the title or below it, and are not said again."""


def html_of(content: Content) -> str:
    """Write a letter."""
    return _template().render(_view(content))


@cache
def _template() -> Template:
    text = resources.files("alertd.destinations").joinpath("email.html").read_text("utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(text)


def _view(content: Content) -> dict[str, Any]:
    facts = [fact for fact in facts_of(content) if fact.name not in _ABOVE]
    links = [(link.label, link.url) for link in content.links if len(link.url) <= URL_MAX]
    return {
        "subject": content.subject,
        "preheader": fit(content.summary.partition("\n")[0] or content.where, _PREHEADER),
        "colour": _colour(content.colour),
        "ink": _colour(ink_on(content.colour)),
        "severity": severity_word(content),
        "kicker": _kicker(content),
        "title": fit(content.title, TITLE_MAX),
        "url": links[0][1] if links else "",
        "where": content.where,
        "at": shown(content.at),
        "summary": fit(content.summary, SUMMARY_MAX),
        "facts": [(fit(fact.name, NAME_MAX), fit(fact.text, VALUE_MAX)) for fact in facts[:FACTS_MAX]],
        "facts_left": max(0, len(facts) - FACTS_MAX),
        "suspects": [
            (short_commit(each), _short(each.url), fit(suspect_text(each), SUSPECT_MAX)) for each in content.suspects
        ],
        "lines": [
            (
                _colour(each.colour),
                _colour(ink_on(each.colour)),
                severity_word(each),
                each.headline,
                fit(each.title, LINE_MAX),
                _short(each.url),
                fit(each.where, WHERE_MAX),
                shown(each.at),
            )
            for each in content.lines
        ],
        "rest": f"{content.rest:,}" if content.rest else "",
        "links": [(label, url, not number) for number, (label, url) in enumerate(links)],
        "origin": origin(content),
    }


def ink_on(colour: int) -> int:
    """Give the colour of text that reads best on a colour; both as 0xRRGGBB."""
    return max((_LIGHT, _DARK), key=lambda ink: contrast(ink, colour))


def contrast(first: int, second: int) -> float:
    """Say how well two colours stand out from each other, from 1 to 21 (WCAG 2.2; 4.5 is enough for text)."""
    darker, lighter = sorted((_luminance(first), _luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: int) -> float:
    shares = ((colour >> shift & 0xFF) / 255 for shift in (16, 8, 0))
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]  # noqa: PLR2004 - what sRGB is defined by
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _colour(code: int) -> str:
    return f"#{code:06x}"


def _short(url: str) -> str:
    return url if len(url) <= LINE_URL_MAX else ""


def _kicker(content: Content) -> str:
    """Give what stands beside the severity, which has said already that it is over."""
    said = content.headline == severity_word(content)
    return replace(content, headline="").kicker if said else content.kicker
