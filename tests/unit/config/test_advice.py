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
