"""The HTML of a letter: one card that reads well in every mail program, without images, scripts or anything from outside.

All text goes through the template's escaping; addresses are the safe ones of `Content`, so nothing that an event says
becomes markup. Colours are ours.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, StrictUndefined, Template

from alertd.destinations.email_text import FACTS_MAX, LINE_MAX, NAME_MAX, SUMMARY_MAX, SUSPECT_MAX, URL_MAX, VALUE_MAX
from alertd.destinations.facts import facts_of, line_tail, origin, severity_word, short_commit, suspect_text
from alertd.destinations.limits import fit
from alertd.destinations.moments import shown

if TYPE_CHECKING:
    from alertd.destinations.content import Content, Line, Weighed

HTML_MAX: Final = 102_400
"""Characters within which every letter stays: what is longer Gmail cuts off."""
LINE_URL_MAX: Final = 500
"""Characters of an address in a list; a longer one is left out."""
_PREHEADER: Final = 150


def html_of(content: Content) -> str:
    """Write a letter."""
    return _template().render(_view(content))


@cache
def _template() -> Template:
    text = resources.files("alertd.destinations").joinpath("email.html").read_text("utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(text)


def _view(content: Content) -> dict[str, Any]:
    facts = facts_of(content)
    links = [(link.label, link.url) for link in content.links if len(link.url) <= URL_MAX]
    return {
        "subject": content.subject,
        "preheader": fit(content.summary.partition("\n")[0] or content.where, _PREHEADER),
        "colour": _colour(content),
        "severity": severity_word(content),
        "kicker": content.kicker,
        "title": content.title,
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
                _colour(each),
                severity_word(each),
                each.headline,
                fit(each.title, LINE_MAX),
                _short(each.url),
                _tail(each),
            )
            for each in content.lines
        ],
        "rest": f"{content.rest:,}" if content.rest else "",
        "links": [(label, url, not number) for number, (label, url) in enumerate(links)],
        "origin": origin(content),
    }


def _colour(weighed: Weighed) -> str:
    return f"#{weighed.colour:06x}"


def _short(url: str) -> str:
    return url if len(url) <= LINE_URL_MAX else ""


def _tail(line: Line) -> str:
    return fit(line_tail(line), LINE_MAX)
