"""Loads the Kafka fixtures, says at the end of a run what its tests tell and which broker it used, and sets Hypothesis and the garbage collector for all."""

from __future__ import annotations

import gc
import os
import socket
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import Phase, settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

pytest_plugins = ["tests.kafka_fixtures"]

COLLECTOR_THRESHOLDS: Final = (20_000, 20, 20)
"""Twelve thousand tests are half a million objects, and a full collection walks over all of them: a quarter of the time."""

AS_FOUND: Final = (Phase.explicit, Phase.reuse, Phase.generate, Phase.target)
"""Hypothesis tells a failure as it finds it: a store machine looks for a smaller one past its time-out, and would tell of none."""
SHRUNK: Final = (Phase.explicit, Phase.generate, Phase.target, Phase.shrink, Phase.explain)
"""With `--hypothesis-profile=shrink` it finds one anew, and looks for the smallest: what is kept of earlier runs is as it was found."""

os.environ.pop("PYTHONUNBUFFERED", None)  # what the tests start writes as it does for everybody

GUESSING: Final = "FUZZ_CASES" in os.environ
"""Whether random tests make up other examples each time, as `make fuzz` wants it; else the same, so that a change alone breaks a test."""


def pytest_configure() -> None:
    """Look for garbage less often; let no example be too slow, on whatever machine, and each failure be repeatable."""
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    default = settings(settings.get_profile("default"), deadline=None, print_blob=True, derandomize=not GUESSING)
    for name, phases in (("shrink", SHRUNK), ("tests", AS_FOUND)):
        settings.register_profile(name, default, phases=phases)
        settings.load_profile(name)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket such as systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.setblocking(False)
        yield made


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Generator[None]:
    """Print the broker last, below the short summary: a green run on a lesser broker proves less, as one does with skips.

    Before it comes what tests tell, for a worker keeps to itself what a test prints that passes.
    """
    from tests import kafka_fixtures  # noqa: PLC0415 - pytest must import its plugins first, to rewrite their asserts

    yield
    for line in (*told(terminalreporter), *kafka_fixtures.summary(config)):
        terminalreporter.write_line(line)


def told(reporter: pytest.TerminalReporter) -> list[str]:
    """List the lines of `record_property("told", line)`, which a test says of how it ran, whatever came of it."""
    reports = [each for kind in reporter.stats.values() for each in kind if isinstance(each, pytest.TestReport)]
    called = [report for report in reports if report.when == "call"]
    return sorted(str(line) for report in called for name, line in report.user_properties if name == "told")
