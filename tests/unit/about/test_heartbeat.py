"""The heartbeat: it goes out while events are stored, and stays out when they are not."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from alertd.about.heartbeat import Beat, Heartbeat
from alertd.destinations.base import HttpAnswer, HttpRequest, SendError

BEAT = Beat("https://watch.example.com/ping", "POST", 0.001, 2.0)


class Far:
    """The other side: answers in turn from a script, the last line again and again."""

    def __init__(self, *script: int | SendError) -> None:
        self.script = list(script)
        self.asked: list[tuple[HttpRequest, float]] = []
        self.alive = True
        self.looked = 0
        self.news = asyncio.Event()

    async def send(self, request: HttpRequest, timeout_seconds: float) -> HttpAnswer:
        """Answer."""
        self.asked.append((request, timeout_seconds))
        self.news.set()
        found = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(found, SendError):
            raise found
        return HttpAnswer(found, {}, b"")

    async def close(self) -> None:
        """Nothing is open."""

    async def is_alive(self) -> bool:
        """Say what the test says."""
        self.looked += 1
        self.news.set()
        return self.alive

    async def until(self, what: str, count: int) -> None:
        """Wait for so many requests or looks."""
        async with asyncio.timeout(60):
            while (len(self.asked) if what == "asked" else self.looked) < count:
                self.news.clear()
                await self.news.wait()


async def beating(far: Far, beat: Beat | None, what: str, count: int) -> list[str]:
    """Beat until so much has happened; give the log's events."""
    service = Heartbeat(lambda: far, far.is_alive, beat)
    with capture_logs() as logs:
        task = asyncio.create_task(service.run())
        await far.until(what, count)
        service.stop()
        await asyncio.wait_for(task, 60)
    return [line["event"] for line in logs]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_it_beats(method: str) -> None:
    """Requests of the configured kind go out one after the other."""
    far = Far(200)
    assert await beating(far, replace(BEAT, method=method), "asked", 3) == []
    request, seconds = far.asked[0]
    assert (request.url, request.method, request.body, seconds) == (BEAT.url, method, b"", 2.0)


async def test_it_stays_out_when_nothing_is_stored() -> None:
    """While events are not stored no request goes out."""
    far = Far(200)
    far.alive = False
    assert set(await beating(far, BEAT, "looked", 3)) == {"heartbeat.withheld"}
    assert far.asked == []


@pytest.mark.parametrize("failure", [500, 301, SendError("connection refused")])
async def test_failures_are_logged_once(failure: int | SendError) -> None:
    """The first of several failures is logged, and the first success after them."""
    far = Far(failure, failure, 204)
    assert await beating(far, BEAT, "asked", 5) == ["heartbeat.failed", "heartbeat.recovered"]


async def test_without_a_url_nothing_goes_out() -> None:
    """No heartbeat is wanted unless it is configured."""
    far = Far(200)
    service = Heartbeat(lambda: far, far.is_alive, None)
    task = asyncio.create_task(service.run())
    await asyncio.sleep(0)
    service.stop()
    await asyncio.wait_for(task, 60)
    assert (far.asked, far.looked) == ([], 0)
