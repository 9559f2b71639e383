"""The words for what is wrong: what an unknown key is taken to have meant."""

from __future__ import annotations

import pytest

from alertd.destinations.registry import REGISTRY
from alertd.words import unknown_key


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
