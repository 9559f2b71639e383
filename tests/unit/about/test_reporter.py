"""The reporter: reports become events, and wait while nothing can be stored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from alertd.about.reporter import MESSAGE_MAX, WAITING_MAX, Report, Reporter
from alertd.clock import SystemClock
from alertd.errors import IntakeFullError, StoreUnavailableError

if TYPE_CHECKING:
    import pytest

    from alertd.model.event import Event


class Pipe:
    """Takes events, but first raises what is scripted."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.taken: list[Event] = []
        self.news = asyncio.Event()

    async def __call__(self, events: list[Event], size: int, source: str) -> object:
        """Take events."""
        if self.errors:
            raise self.errors.pop(0)
        self.taken += events
        self.news.set()
        return None

    async def until(self, count: int) -> None:
        """Wait for so many events."""
        async with asyncio.timeout(60):
            while len(self.taken) < count:
                self.news.clear()
                await self.news.wait()


def reporter_to(pipe: Pipe) -> Reporter:
    """Make a reporter for one workspace besides the default."""
    return Reporter(pipe, SystemClock(), lambda: ["default", "lab"])


async def test_a_report_is_an_event() -> None:
    """Type, severity, key, message and data are the report's; its source is alertd."""
    pipe = Pipe()
    reporter = reporter_to(pipe)
    task = asyncio.create_task(reporter.run())
    reporter.tell(Report("alertd.destination_failing", "error", "It fails.", "hook", "lab", {"destination": "hook"}))
    await pipe.until(1)
    reporter.stop()
    await task
    (event,) = pipe.taken
    assert (event.type, event.workspace, event.severity.word, event.key) == (
        "alertd.destination_failing",
        "lab",
        "error",
        "hook",
    )
    assert (event.body["source"], event.body["data"]) == ("alertd", {"destination": "hook"})


async def test_reports_wait_for_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the intake is full or the store cannot write, a report waits; then all come, in their order."""
    monkeypatch.setattr("alertd.about.reporter.RETRY_SECONDS", 0.001)
    pipe = Pipe(IntakeFullError(), StoreUnavailableError("full"))
    reporter = reporter_to(pipe)
    task = asyncio.create_task(reporter.run())
    for n in range(3):
        reporter.tell(Report("alertd.started", "info", f"{n}"))
    await pipe.until(3)
    reporter.stop()
    await task
    assert [event.body["message"] for event in pipe.taken] == ["0", "1", "2"]


async def test_what_is_left_is_tried_once_more_at_the_end() -> None:
    """Reports told just before the stop are stored; when that fails, the end comes all the same."""
    for pipe, stored in ((Pipe(), 2), (Pipe(StoreUnavailableError("full")), 0)):
        reporter = reporter_to(pipe)
        reporter.tell(Report("alertd.started", "info", "a"))
        reporter.tell(Report("alertd.started", "info", "b"))
        reporter.stop()
        await asyncio.wait_for(reporter.run(), 5)
        assert len(pipe.taken) == stored


async def test_the_waiting_are_bounded() -> None:
    """Beyond the bound the oldest report goes, and the log says so."""
    pipe = Pipe()
    reporter = reporter_to(pipe)
    with capture_logs() as logs:
        for n in range(WAITING_MAX + 1):
            reporter.tell(Report("alertd.started", "info", f"{n}"))
    assert [line["event"] for line in logs] == ["report.dropped"]
    reporter.stop()
    await reporter.run()
    assert (len(pipe.taken), pipe.taken[0].body["message"]) == (WAITING_MAX, "1")


async def test_a_report_of_a_workspace_that_is_gone_is_dropped() -> None:
    """It cannot be stored any more, and does not stand in the way of the next one; a long message is cut."""
    pipe = Pipe()
    reporter = reporter_to(pipe)
    reporter.tell(Report("alertd.delivery_dead", "error", "x", workspace="gone"))
    reporter.tell(Report("alertd.started", "info", "m" * (MESSAGE_MAX + 1)))
    reporter.stop()
    await reporter.run()
    assert [len(event.body["message"]) for event in pipe.taken] == [MESSAGE_MAX]
