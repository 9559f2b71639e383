"""Loads the Kafka fixtures, says at the end of a run which broker it used, and keeps the garbage collector calm.

With `NO_SKIPS` in the environment (and not empty, nor 0) a run in which any test was skipped has failed.
"""

from __future__ import annotations

import gc
import os
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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run whose skips are forbidden; only the process that prints knows of all of them."""
    if session.exitstatus == pytest.ExitCode.OK and _forbidden_skips(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _forbidden_skips(config: pytest.Config) -> int:
    """Count the skipped tests, where none may be."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    forbidden = os.environ.get("NO_SKIPS", "") not in {"", "0"}
    return len(reporter.stats.get("skipped", ())) if forbidden and reporter is not None else 0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Generator[None]:
    """Print the broker last, below the short summary: a green run on a lesser broker proves less, as one does with skips."""
    from tests import kafka_fixtures  # noqa: PLC0415 -- pytest must import its plugins first, to rewrite their asserts

    yield
    if skips := _forbidden_skips(config):
        terminalreporter.write_line(f"NO_SKIPS is set, and {skips} skipped (above): this run has failed", red=True)
    for line in kafka_fixtures.summary(config):
        terminalreporter.write_line(line)
