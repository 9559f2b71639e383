"""What `alertd check` warns of."""

from __future__ import annotations

import pytest

from alertd.config.advice import advice
from alertd.config.settings import Config


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
    """In the defaults, and in a destination where its own setting meets a default."""
    assert [text.split(":")[0] for text in advice(config({"max_seconds": 4}))] == ["delivery.retry"]
    [only] = advice(config({}, {"initial_seconds": 3601}))
    assert only.startswith(
        "workspaces[0].destinations[1].retry: max_seconds (3600) is less than initial_seconds (3601)"
    )


@pytest.mark.parametrize("secret", ["k", "whsec_zzz", "whsec_YWJj", "x" * 23, "whsec_" + "A" * 30, "\u00e4" * 11])
def test_a_key_that_can_be_guessed_is_told_of(secret: str) -> None:
    """A webhook's secret whose key is shorter than Standard Webhooks asks for is named, and not shown."""
    [only] = advice(signed(secret))
    assert only.startswith("workspaces[0].destinations[0].settings.secret: the key has less than 24 bytes")
    assert f"{secret} " not in only


@pytest.mark.parametrize("secret", ["x" * 24, "whsec_" + "A" * 32, "\u00e4" * 12, None])
def test_a_long_key_is_not_talked_about(secret: str | None) -> None:
    """24 bytes are enough, and none is a decision."""
    assert advice(signed(secret)) == []


def signed(secret: str | None) -> Config:
    """Make a configuration with a webhook that signs so."""
    hook = {"name": "a", "type": "webhook", "settings": {"url": "https://example.com/", "secret": secret}}
    return Config.model_validate({"workspaces": [{"name": "default", "destinations": [hook]}]})
