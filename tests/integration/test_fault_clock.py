"""Steps of the machine's clock under the whole daemon, whose idea of the wall time a file in its folder shifts."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.daemon import BELOW, Daemon, hook, route, workspace
from tests.receiver import SECRET, Gate, Receiver, status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DAY = 86_400
SHIFTED = """
import os, struct, time
_file = os.open(os.environ["CLOCK_SHIFT"], os.O_RDONLY)
_time_ns = time.time_ns
time.time_ns = lambda: _time_ns() + struct.unpack("q", os.pread(_file, 8, 0))[0]
time.time = lambda: time.time_ns() / 1e9
"""


class Shifted(Daemon):
    """A daemon whose wall clock a test can step."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        names = ("good", "later", "retry")
        hooks = [hook(name, receiver.url(f"/{name}"), secret=SECRET) for name in names]
        routes = [route(name, f"{name}.*", name) for name in names]
        routes.append(route("cool", "cool.*", "good", cooldown_seconds=300))
        routes.append(route("alerts", "alertmanager.alert.*", "good"))
        config = {
            "delivery": {"retry": {"initial_seconds": 0.1, "jitter": "none"}},
            "workspaces": [workspace(hooks, routes)],
        }
        self.shift = folder / "shift"
        super().__init__(folder, config, CLOCK_SHIFT=str(self.shift), PYTHONPATH=str(folder))
        (folder / "sitecustomize.py").write_text(SHIFTED)
        self.step(0)

    def step(self, seconds: float) -> None:
        """Let the daemon's wall clock be so far ahead of the true one."""
        with self.shift.open("r+b" if self.shift.exists() else "wb", buffering=0) as stream:
            stream.write(struct.pack("q", int(seconds * 1e9)))

    async def cooled(self) -> str:
        """Send an event with a cooldown and return its verdict."""
        [made] = await self.send("cool.x")
        verdict: str = (await self.get(f"events/{made}"))["verdicts"][0]["verdict"]
        return verdict


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on loopback."""
    async with Receiver() as made:
        yield made


async def test_a_step_forward(tmp_path: Path, receiver: Receiver) -> None:
    """A step forward makes waiting deliveries due and cooldowns end; new events carry the new time."""
    receiver.script("/later", status(503, Retry_After="3600"))
    async with Shifted(tmp_path, receiver) as daemon:
        [waiting] = await daemon.send("later.x")
        await daemon.wait_state(waiting, "retrying")
        assert await daemon.cooled() == "sent"
        daemon.step(DAY)
        assert await daemon.cooled() == "sent"
        assert await daemon.cooled() == "cooldown"
        [made] = await daemon.send("good.x")
        await receiver.until(lambda: made in receiver.events("/good"), "the event after the step")
        stamp = int(receiver.got("/good")[-1].headers["webhook-timestamp"])
        assert stamp == pytest.approx(time.time() + DAY, abs=10)
        await daemon.restart()
        await daemon.wait_state(waiting, "delivered")


async def test_a_step_back(tmp_path: Path, receiver: Receiver) -> None:
    """After a step back ids still grow, retries keep their pace, and signatures carry the time that receivers believe."""
    receiver.script("/retry", status(503), status(503))
    async with Shifted(tmp_path, receiver) as daemon:
        [before] = await daemon.send("good.x")
        await daemon.wait_state(before, "delivered")
        daemon.step(-2 * DAY)
        [retried] = await daemon.send("retry.x")
        began = time.monotonic()
        delivery = await daemon.wait_state(retried, "delivered")
        assert len(delivery["attempts"]) == 3
        assert time.monotonic() - began < 5
        assert [item["id"] for item in (await daemon.get("events"))["items"]] == [retried, before]
        stamp = int(receiver.got("/retry")[-1].headers["webhook-timestamp"])
        assert stamp == pytest.approx(time.time() - 2 * DAY, abs=10)
        await daemon.restart()
        [after] = await daemon.send("good.x")
        assert (await daemon.wait_state(after, "delivered"))["attempts"]
        assert [item["id"] for item in (await daemon.get("events"))["items"]] == [after, retried, before]


async def test_what_waits_over_a_step_back_keeps_its_pace(tmp_path: Path, receiver: Receiver) -> None:
    """What was to be tried in a second is not put off by two days."""
    receiver.script("/retry", status(503, Retry_After="1"))
    async with Shifted(tmp_path, receiver) as daemon:
        [waiting] = await daemon.send("retry.x")
        await daemon.wait_state(waiting, "retrying")
        daemon.step(-2 * DAY)
        assert len((await daemon.wait_state(waiting, "delivered"))["attempts"]) == 2


async def test_cooldowns_of_a_clock_that_was_ahead(tmp_path: Path, receiver: Receiver) -> None:
    """A cooldown that began while the clock was a day ahead does not rest for a day once the clock is right again."""
    async with Shifted(tmp_path, receiver) as daemon:
        daemon.step(DAY)
        assert await daemon.cooled() == "sent"
        daemon.step(0)
        await daemon.restart()
        assert await daemon.cooled() == "sent"
        assert await daemon.cooled() == "cooldown"


async def test_deliveries_of_a_clock_that_was_ahead(tmp_path: Path, receiver: Receiver) -> None:
    """A delivery that was due a day ahead of the true time is not held back for a day once the clock is right again."""
    gate = Gate(status(503))
    receiver.script("/retry", gate)
    async with Shifted(tmp_path, receiver) as daemon:
        daemon.step(DAY)
        await daemon.send("retry.x")
        await receiver.expect("/retry")
        daemon.step(0)
        await daemon.restart()
        await receiver.until(lambda: len(receiver.got("/retry")) == 2, "the attempt after the restart", seconds=30)


async def test_an_alert_that_fires_again_is_told_again(tmp_path: Path, receiver: Receiver) -> None:
    """With the start that it had, an hour after its end and through a restart; what is told again in between is not."""
    alert = {"labels": {"alertname": "Disk"}, "startsAt": "2026-05-07T10:00:00Z", "fingerprint": "f00d"}
    firing, resolved = ({"alerts": [{**alert, "status": status}]} for status in ("firing", "resolved"))
    async with Shifted(tmp_path, receiver) as daemon:
        made = await daemon.post(f"{BELOW}/intake-endpoints", {"name": "am", "source": "alertmanager"})
        path = urlsplit(made.json["url"]).path
        for hours, body in enumerate((firing, firing, resolved, resolved, firing, firing)):
            daemon.step(hours * 3600)
            assert (await daemon.call("POST", path, body, token="")).status == 202
        await daemon.restart()
        assert (await daemon.call("POST", path, resolved, token="")).status == 202
        await receiver.until(lambda: len(set(receiver.events("/good"))) == 4, "two beginnings and two ends")
        events = (await daemon.get("events"))["items"]
        assert {event["id"] for event in events} == set(receiver.events("/good"))
        assert [event["type"].rpartition(".")[2] for event in events] == ["resolved", "firing", "resolved", "firing"]
