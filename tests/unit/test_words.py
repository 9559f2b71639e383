"""The words for what is wrong: what an unknown key is taken to have meant, and how a bound is written."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from alertd.destinations.registry import REGISTRY
from alertd.words import expected_of, unknown_key, with_article, with_unit


@pytest.mark.parametrize(
    ("kind", "key", "meant"),
    [
        ("slack", "webhook_url", "url"),
        ("slack", "Webhook-URL", "url"),
        ("slack", "slack_api_url", "api_url"),
        ("slack", "chanel", "channel"),
        ("telegram", "bot_token", "token"),
        ("pagerduty", "pagerduty_routing_key", "routing_key"),
    ],
)
def test_an_unknown_key_suggests_what_was_meant(kind: str, key: str, meant: str) -> None:
    """One that is written almost alike, else the longest whose words are all in it."""
    found, expected = unknown_key(key, REGISTRY[kind].settings_model.model_fields)
    assert (found, expected.rpartition("; ")[2]) == (f"unknown key {key!r}", f"did you mean {meant!r}?")


def test_nothing_near_is_no_suggestion() -> None:
    """A key that has nothing of the known ones suggests none of them."""
    assert unknown_key("colour", ["url", "token"]) == ("unknown key 'colour'", "one of url, token")


@pytest.mark.parametrize(
    ("bound", "name", "told"),
    [
        (2_592_000, "overlap_seconds", "a number of seconds of at most 2592000 (30 days)"),
        (172_800, "overlap_seconds", "a number of seconds of at most 172800 (2 days)"),
        (86_400, "overlap_seconds", "a number of seconds of at most 86400"),
        (172_801, "overlap_seconds", "a number of seconds of at most 172801"),
        (0.5, "overlap_seconds", "a number of seconds of at most 0.5"),
        (2_592_000, "limit", "a number of at most 2592000"),
    ],
)
def test_a_bound_is_written_as_people_write_it(bound: float, name: str, told: str) -> None:
    """Without an exponent; many seconds with the days that they are."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Annotated[float, Field(le=bound)]).validate_python(1e12)
    assert with_unit(expected_of(caught.value.errors()[0], float), name) == told


@pytest.mark.parametrize("given", ["soon", "", "2026-05-07", "2026-05-07T00:00:00", "2026-13-01T00:00:00Z", [], True])
def test_what_is_no_time_is_told_what_one_looks_like(given: object) -> None:
    """Whatever it is instead: a word, a day, a time without an offset."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(AwareDatetime).validate_python(given)
    told = "an RFC 3339 time with its offset, such as 2026-05-07T00:00:00Z"
    assert expected_of(caught.value.errors()[0], AwareDatetime) == told


def test_nouns_have_their_article() -> None:
    """`an` before a vowel, else `a`."""
    assert [with_article(noun) for noun in ("channel", "event type", "intake endpoint")] == [
        "a channel",
        "an event type",
        "an intake endpoint",
    ]
