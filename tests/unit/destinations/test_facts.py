"""What is known of a message's subject."""

from __future__ import annotations

import pytest

from alertd.destinations.base import Digest, DigestEntry, Previewing, World
from alertd.destinations.composing import content_of
from alertd.destinations.facts import facts_of, first_facts, line_tail, origin, short_commit, suspect_text
from alertd.destinations.registry import REGISTRY, parse_settings
from tests.conformance.destination_suite import FixedClock, ScriptedSender
from tests.conformance.messages import make_digest, make_event, make_issue, make_message
from tests.renderings import WAYS


def test_facts_of_an_issue() -> None:
    """How bad, where, since when, how often, whom, what, and the labels last."""
    said = content_of(make_message(event=make_event(), event_type="sentry.error", issue=make_issue(), trigger="new"))
    assert [(fact.name, fact.text) for fact in facts_of(said)] == [
        ("Severity", "Error"),
        ("Project", "shop"),
        ("Environment", "prod"),
        ("First seen", "2026-05-01 08:00 UTC"),
        ("Last seen", "2026-05-07 00:00 UTC"),
        ("Events", "1,240"),
        ("Users", "31"),
        ("Type", "sentry.error"),
        ("team", "payments"),
        ("release", "2026.5.1"),
    ]


def test_facts_of_a_bare_event() -> None:
    """What is not known is not there; the type is not said twice."""
    said = content_of(make_message(event=b'{"severity": "warning"}', time="2026-05-07T00:00:00Z"))
    assert [(fact.name, fact.text) for fact in facts_of(said)] == [
        ("Severity", "Warning"),
        ("Time", "2026-05-07 00:00 UTC"),
    ]


def test_of_a_digest_it_is_known_how_bad_it_is() -> None:
    """In a word, as of any alert: what else there is to know, its lines say."""
    said = content_of(make_message(digest=make_digest()))
    assert [(fact.name, fact.text) for fact in facts_of(said)] == [("Severity", "Error")]


@pytest.mark.parametrize(
    ("most", "last", "count"),
    [
        (11, ("release", "2026.5.1"), 10),
        (10, ("release", "2026.5.1"), 10),
        (9, ("…", "and 2 more"), 9),
        (1, ("…", "and 10 more"), 1),
    ],
)
def test_facts_that_are_left_out_are_counted(most: int, last: tuple[str, str], count: int) -> None:
    """Nobody takes the first few labels for all of them."""
    said = content_of(make_message(event=make_event(), event_type="sentry.error", issue=make_issue(), trigger="new"))
    facts = first_facts(said, most)
    assert (facts[-1].name, facts[-1].text) == last
    assert len(facts) == count
    assert facts[: most - 1] == facts_of(said)[: most - 1]


def test_resolved_is_a_word_too() -> None:
    """Colour is never the only sign."""
    said = content_of(make_message(event_type="x.resolved"))
    assert (facts_of(said)[0].name, facts_of(said)[0].text) == ("State", "Resolved")


def test_origin_says_what_a_reader_should_know() -> None:
    """The subscription, a test, a possible repeat."""
    assert origin(content_of(make_message())) == "alertd · production-runs"
    message = make_message(test=True, maybe_duplicate=True)
    assert origin(content_of(message)) == "alertd · production-runs · a test, no alert · may be a repeat"


def test_a_suspect_and_a_line() -> None:
    """A commit and a digest's alert, in words."""
    (suspect,) = content_of(make_message(issue=make_issue())).suspects
    assert short_commit(suspect) == "4f2a91c7d0"
    assert suspect_text(suspect) == "Read the SKU from the cart, by Ann (changed checkout.py, 2 hours before)"
    line = content_of(make_message(digest=make_digest())).lines[0]
    assert line_tail(line) == " · shop/prod · 2026-05-07 00:00 UTC"


@pytest.mark.parametrize(("room", "shown"), [(39, "shop/prod"), (38, "shop/pr…"), (35, "shop…"), (30, ""), (1, "")])
def test_a_time_is_not_cut_for_a_place(room: int, shown: str) -> None:
    """Where both are too long, the place is cut: half a time says nothing."""
    line = content_of(make_message(digest=make_digest())).lines[0]
    assert line_tail(line, room) == (f" · {shown}" if shown else "") + " · 2026-05-07 00:00 UTC"


@pytest.mark.parametrize("way", ["slack", "mattermost", "rocketchat", "discord", "msteams", "telegram"])
def test_each_chat_shows_the_time_of_what_a_digest_lists(way: str) -> None:
    """However long the names of project and environment are."""
    entry = DigestEntry(make_event(project="p" * 64, environment="e" * 64))
    type_name, settings = WAYS[way]
    world = World(FixedClock(), ScriptedSender(), print)
    opened = REGISTRY[type_name].open(parse_settings(type_name, settings), 10.0, world)
    assert isinstance(opened, Previewing)
    assert "2026-05-07 00:00 UTC" in opened.preview(make_message(digest=Digest((entry,), 1))).body
