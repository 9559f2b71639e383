"""Loads the Kafka fixtures, says at the end of a run which broker it used, and keeps the garbage collector calm."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

pytest_plugins = ["tests.kafka_fixtures"]

COLLECTOR_THRESHOLDS: Final = (20_000, 20, 20)
"""Twelve thousand tests are half a million objects, and a full collection walks over all of them: a quarter of the time."""


def pytest_configure() -> None:
    """Look for garbage less often."""
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Generator[None]:
    """Print the broker last, below the short summary: a green run on a lesser broker proves less, as one does with skips."""
    from tests import kafka_fixtures  # noqa: PLC0415 -- pytest must import its plugins first, to rewrite their asserts

    yield
    for line in kafka_fixtures.summary(config):
        terminalreporter.write_line(line)
