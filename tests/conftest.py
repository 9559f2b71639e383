"""Loads the Kafka fixtures and says at the end of a run which broker it used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

pytest_plugins = ["tests.kafka_fixtures"]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Generator[None]:
    """Print the broker last, below the short summary: a green run on a lesser broker proves less."""
    from tests import kafka_fixtures  # noqa: PLC0415 -- pytest must import its plugins first, to rewrite their asserts

    yield
    for line in kafka_fixtures.summary(config):
        terminalreporter.write_line(line)
