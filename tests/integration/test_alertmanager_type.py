"""The type `alertmanager` against Debian's own Alertmanager, started on loopback for these tests."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from alertd.destinations.base import World
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.http1.sender import FastSender
from alertd.destinations.incident_destination import OVERTAKEN
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.model.delivery import Outcome, OutcomeKind
from tests.broker import free_ports
from tests.conformance.destination_suite import DEADLINE, FixedClock
from tests.conformance.messages import HOSTILE, make_digest, make_event, make_message
from tests.daemon import eventually
from tests.machine import program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from alertd.destinations.base import Message, OpenDestination

START_SECONDS = 60.0
CONFIG = "route: {receiver: none}\nreceivers: [{name: none}]\n"


class Alertmanager:
    """A running one."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def alerts(self) -> list[dict[str, Any]]:
        """List what fires."""
        async with self._session.get(f"{self.url}/api/v2/alerts") as answer:
            found: list[dict[str, Any]] = await answer.json()
            return found

    async def ready(self) -> bool:
        """Say whether it answers."""
        try:
            async with self._session.get(f"{self.url}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


@pytest.fixture
async def alertmanager(tmp_path: Path) -> AsyncIterator[Alertmanager]:
    """Start one without a cluster, and stop it."""
    (port,) = free_ports(1)
    (tmp_path / "am.yml").write_text(CONFIG)
    log = tmp_path / "am.log"
    with log.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            program("prometheus-alertmanager", "alertmanager"),
            f"--config.file={tmp_path / 'am.yml'}",
            f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=written,
        )
    try:
        async with aiohttp.ClientSession() as session:
            made = Alertmanager(f"http://127.0.0.1:{port}", session)
            await eventually(made.ready, lambda: f"Alertmanager to be ready:\n{log.read_text()}", START_SECONDS)
            yield made
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def destination(alertmanager: Alertmanager) -> AsyncIterator[OpenDestination]:
    """Open one that points there, with today's time."""
    sender = FastSender(EgressPolicy(["127.0.0.1"]))
    valid = parse_settings("alertmanager", {"url": alertmanager.url})
    try:
        yield REGISTRY["alertmanager"].open(valid, 5.0, World(FixedClock(time.time()), sender, print))
    finally:
        await sender.close()


async def attempt(opened: OpenDestination, message: Message) -> Outcome:
    """Attempt within the deadline."""
    async with asyncio.timeout(DEADLINE):
        return await opened.attempt(message)


def about(type_: str, **event: Any) -> Message:
    """Make an alert about a disk."""
    return make_message(event=make_event(type=type_, key="disk-1", **event), event_type=type_)


async def test_an_alert_fires_and_ends(alertmanager: Alertmanager) -> None:
    """It fires under its labels; what ends it, of another type and severity, ends that very alert."""
    async with destination(alertmanager) as opened:
        assert (await attempt(opened, about("disk.full", severity="critical"))).kind is OutcomeKind.DELIVERED
        (alert,) = await alertmanager.alerts()
        assert alert["labels"]["alertname"] == "disk.full"
        assert alert["labels"]["severity"] == "critical"
        assert alert["status"]["state"] in {"active", "unprocessed"}
        assert (await attempt(opened, about("disk.full", severity="critical"))).kind is OutcomeKind.DELIVERED
        assert len(await alertmanager.alerts()) == 1
        assert (await attempt(opened, about("disk.resolved", severity="info"))).kind is OutcomeKind.DELIVERED
        assert await alertmanager.alerts() == []


@pytest.mark.parametrize(
    ("numbers", "fires"),
    [
        ("2r 1f", False),
        ("2r 1f 3f", True),
        ("1f 3f 2r", True),
        ("3f 2r 1f", True),
        ("3r 1f 2r", False),
        ("2r 1f 1f", False),
    ],
)
async def test_the_newest_alert_has_the_last_word(alertmanager: Alertmanager, numbers: str, fires: bool) -> None:
    """Whatever comes late: what is over does not fire, and what is back is not ended."""
    async with destination(alertmanager) as opened:
        for number, word in numbers.split():  # a digit and a letter
            severity, type_ = ("critical", "disk.full") if word == "f" else ("info", "disk.resolved")
            told = replace(about(type_, severity=severity), alert_id=f"alt_{int(number):016x}")
            assert (await attempt(opened, told)).kind is OutcomeKind.DELIVERED
    assert [each["labels"]["alertname"] for each in await alertmanager.alerts()] == ["disk.full"] * fires


async def test_what_is_not_sent_says_why(alertmanager: Alertmanager) -> None:
    """An end that is told after its problem came back counts as delivered, without an answer."""
    async with destination(alertmanager) as opened:
        await attempt(opened, replace(about("disk.full"), alert_id="alt_0000000000000003"))
        late = await attempt(opened, replace(about("disk.resolved"), alert_id="alt_0000000000000002"))
    assert late == Outcome(OutcomeKind.DELIVERED, detail=f"alertmanager: {OVERTAKEN}")


async def test_a_digest_is_its_alerts(alertmanager: Alertmanager) -> None:
    """Each alert of a digest is one there; those of one key are the same, and one more stands for those not listed."""
    async with destination(alertmanager) as opened:
        assert (await attempt(opened, make_message(digest=make_digest(5)))).kind is OutcomeKind.DELIVERED
        assert len(await alertmanager.alerts()) == 1
        many = make_message(digest=make_digest(500), event_type="alertd.digest")
        assert (await attempt(opened, many)).kind is OutcomeKind.DELIVERED
        assert min(each["labels"]["alertname"] for each in await alertmanager.alerts()) == "alertd.digest"


async def test_it_takes_whatever_an_event_says(alertmanager: Alertmanager) -> None:
    """No text makes it refuse an alert."""
    async with destination(alertmanager) as opened:
        for name, message in HOSTILE.items():
            outcome = await attempt(opened, message)
            assert outcome.kind is OutcomeKind.DELIVERED, (name, outcome)
