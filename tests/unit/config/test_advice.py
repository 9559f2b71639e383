"""What `alertd check` warns of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from alertd.config.advice import advice
from alertd.config.load import check_config
from alertd.config.settings import Config

if TYPE_CHECKING:
    from pathlib import Path


def config(defaults: dict[str, float], own: dict[str, float] | None = None) -> Config:
    """Make a configuration with such waits by default, and in the second of two destinations."""
    destinations = [{"name": "a", "type": "console"}, {"name": "b", "type": "console", "retry": own or {}}]
    workspaces = [{"name": "default", "destinations": destinations}]
    return Config.model_validate({"delivery": {"retry": defaults}, "workspaces": workspaces})


@pytest.mark.parametrize("waits", [{}, {"initial_seconds": 3600}, {"initial_seconds": 30, "max_seconds": 30}])
def test_waits_that_grow_are_not_talked_about(waits: dict[str, float]) -> None:
    """Equal ones neither."""
    assert advice(config(waits, waits)) == []


def test_a_greatest_wait_below_the_first_is_odd() -> None:
    """In the defaults, and in a destination where its own setting meets a default; it is told of once."""
    for own in ({}, {"max_attempts": 3}):
        assert [each.place for each in advice(config({"max_seconds": 4}, own))] == [
            ("delivery", "retry", "max_seconds")
        ]
    [only] = advice(config({}, {"initial_seconds": 3601}))
    assert only.place == ("workspaces", 0, "destinations", 1, "retry", "initial_seconds")
    assert only.message.startswith("max_seconds (3600) is less than initial_seconds (3601)")


@pytest.mark.parametrize("kind", ["pagerduty", "opsgenie", "alertmanager"])
@pytest.mark.parametrize(("name", "value"), [("cooldown_seconds", 300), ("occurrences", [1, 5])])
def test_an_end_that_may_be_held_back_is_told_of(kind: str, name: str, value: object) -> None:
    """Where a problem stays open until its end is told: at the setting, with the destination's name."""
    [only] = advice(told(kind, {}, {name: value}))
    assert only.place == ("workspaces", 0, "subscriptions", 0, name)
    assert "stays open in b:" in only.message


@pytest.mark.parametrize(
    ("kind", "settings", "rule"),
    [
        ("slack", {}, {"cooldown_seconds": 300}),
        ("pagerduty", {}, {"cooldown_seconds": 0}),
        ("pagerduty", {"events": "changes"}, {"cooldown_seconds": 300}),
    ],
)
def test_ends_that_nobody_waits_for_are_not_talked_about(
    kind: str, settings: dict[str, str], rule: dict[str, int]
) -> None:
    """Messages are read and forgotten, change events end by themselves, and without a cooldown nothing is held back."""
    assert advice(told(kind, settings, rule)) == []


def told(kind: str, settings: dict[str, str], rule: dict[str, Any]) -> Config:
    """Make a configuration in which a subscription with such a rule tells two destinations, the second of this type."""
    destinations = [{"name": "a", "type": "console"}, {"name": "b", "type": kind, "settings": settings}]
    subscription = {"name": "s", "channels": ["c"], "destinations": ["a", "b"], **rule}
    channels = [{"name": "c", "kind": "glob", "pattern": "*"}]
    made = {"name": "default", "channels": channels, "destinations": destinations, "subscriptions": [subscription]}
    return Config.model_validate({"workspaces": [made]})


@pytest.mark.parametrize("secret", ["k", "whsec_zzz", "whsec_YWJj", "x" * 23, "whsec_" + "A" * 30, "\u00e4" * 11])
def test_a_key_that_can_be_guessed_is_told_of(secret: str) -> None:
    """A webhook's secret whose key is shorter than Standard Webhooks asks for is named, and not shown."""
    [only] = advice(signed(secret))
    assert only.place == ("workspaces", 0, "destinations", 0, "settings", "secret")
    assert only.message.startswith("the key has less than 24 bytes")
    assert f"{secret} " not in only.message


@pytest.mark.parametrize("secret", ["x" * 24, "whsec_" + "A" * 32, "\u00e4" * 12, None])
def test_a_long_key_is_not_talked_about(secret: str | None) -> None:
    """24 bytes are enough, and none is a decision."""
    assert advice(signed(secret)) == []


@pytest.mark.parametrize(
    ("kind", "settings", "hint"),
    [
        ("file", {"path": "/x.ndjson"}, "what file sends has no title"),
        ("null", {}, "what null sends has no title"),
        ("kafka", {"bootstrap_servers": ["k:9092"], "topic": "t"}, "what kafka sends has no title"),
        ("webhook", {"url": "https://x.example/"}, "format: standard sends has no title"),
        ("webhook", {"url": "https://x.example/", "format": "nora"}, "a webhook's own body is format: template"),
        ("webhook", {"url": "https://x.example/", "format": "template", "template": "x"}, "these change nothing"),
        ("webhook", {"url": "https://x.example/", "format": "alertmanager"}, None),
        ("console", {}, None),
        ("slack", {"url": "https://x.example/"}, None),
    ],
)
def test_templates_that_change_nothing_are_told_of(kind: str, settings: dict[str, Any], hint: str | None) -> None:
    """Where nothing is said in words, there are none to replace; without templates nothing is odd."""
    for templates in ({"title": "x"}, {"body": "x"}, {}):
        made = {"name": "a", "type": kind, "settings": settings, "templates": templates}
        found = advice(Config.model_validate({"workspaces": [{"name": "default", "destinations": [made]}]}))
        if hint is None or not templates:
            assert found == []
        else:
            assert [each.place for each in found] == [("workspaces", 0, "destinations", 0, "templates")]
            assert hint in found[0].message


@pytest.mark.parametrize(
    ("key", "events", "odd"),
    [
        ("R123456789ABCDEF0123456789ABCDEF", "changes", True),
        ("R123456789ABCDEF0123456789ABCDEF", "alerts", False),
        ("0123456789abcdef0123456789abcdef", "changes", False),
        ("r123456789abcdef0123456789abcdef", "changes", False),
    ],
)
def test_change_events_with_the_key_of_a_ruleset_are_told_of(key: str, events: str, *, odd: bool) -> None:
    """A ruleset takes alerts alone; the key is not shown."""
    made = {"name": "a", "type": "pagerduty", "settings": {"routing_key": key, "events": events}}
    found = advice(Config.model_validate({"workspaces": [{"name": "default", "destinations": [made]}]}))
    assert [each.place[-2:] for each in found] == ([("settings", "routing_key")] if odd else [])
    assert all("change events" in each.message and key not in each.message for each in found)


def signed(secret: str | None) -> Config:
    """Make a configuration with a webhook that signs so."""
    hook = {"name": "a", "type": "webhook", "settings": {"url": "https://example.com/", "secret": secret}}
    return Config.model_validate({"workspaces": [{"name": "default", "destinations": [hook]}]})


WRITTEN = """\
delivery:
  retry: {max_attempts: 3}
workspaces:
  - name: shop
    destinations:
      - name: waits
        type: console
        retry:
          max_attempts: 3
          max_seconds: 1
      - name: hook
        type: webhook
        settings:
          url: https://example.com/
          secret: ${SHORT}
"""


def test_a_warning_names_file_and_line(tmp_path: Path) -> None:
    """That of the value, also in a file without the default workspace; what is put in is not shown."""
    file = tmp_path / "alertd.yml"
    file.write_text(WRITTEN)
    _, [waits, secret] = check_config(file, {"SHORT": "k3y", "ALERTD_LOG__LEVEL": "info"})
    assert (waits.file, waits.line, waits.path) == (str(file), 10, "workspaces[0].destinations[0].retry.max_seconds")
    assert (secret.file, secret.line, secret.path) == (
        str(file),
        15,
        "workspaces[0].destinations[1].settings.secret",
    )
    assert str(secret).startswith(f"{file}:15: workspaces[0].destinations[1].settings.secret: the key has less than")
    assert "k3y" not in str(secret)


def test_a_warning_of_the_environment_names_the_variable() -> None:
    """Such a value has no line."""
    name = "ALERTD_DELIVERY__RETRY__MAX_SECONDS"
    _, [only] = check_config(None, {name: "1"})
    assert str(only).startswith(f"{name}: delivery.retry.max_seconds: max_seconds (1) is less")
