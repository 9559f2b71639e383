"""The registry of destination types."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from alertd.destinations.registry import REGISTRY, TYPE_NAMES, parse_settings
from alertd.destinations.webhook_settings import WebhookSettings
from alertd.errors import NotFoundError


def test_types_are_known_by_their_names() -> None:
    """Each type is found under its own name, and error texts can list them."""
    assert {name: each.name for name, each in REGISTRY.items()} == {name: name for name in REGISTRY}
    assert TYPE_NAMES.split(", ") == [
        *(
            "alertmanager",
            "apprise",
            "console",
            "discord",
            "email",
            "file",
            "kafka",
            "mattermost",
            "msteams",
            "ntfy",
            "null",
            "opsgenie",
            "pagerduty",
        ),
        *("rocketchat", "slack", "telegram", "webhook"),
    ]


def test_settings_are_validated_by_the_type() -> None:
    """Settings become the type's own model."""
    assert isinstance(parse_settings("webhook", {"url": "https://x.example/"}), WebhookSettings)


def test_every_wrong_setting_is_reported_at_once() -> None:
    """An unknown setting is reported beside a missing one."""
    with pytest.raises(ValidationError) as caught:
        parse_settings("webhook", {"ulr": "https://x.example/"})
    assert sorted(error["loc"] for error in caught.value.errors(include_input=False)) == [("ulr",), ("url",)]


def test_unknown_type_lists_the_known_ones() -> None:
    """An unknown type is an error that lists those there are."""
    with pytest.raises(
        NotFoundError, match="no destination type 'slak'; there are alertmanager, apprise, console, discord, "
    ):
        parse_settings("slak", {})
