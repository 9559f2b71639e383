"""The real daemon on a real broker: killed under load, started before its broker, what it measures, and two of them in one group."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.broker import free_ports, require
from tests.daemon import Daemon, ended, eventually, hook, route, workspace
from tests.kafka_lab import Feeder, committed, doubles, fresh_group, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.broker import Broker

PARTITIONS = 3
PACE_SECONDS = 0.005
"""The pause of the load between two batches."""

WHERE = ("destination", "workspace")
LABELS: dict[str, tuple[str, ...]] = {
    "alertd_events_total": ("result", "source"),
    "alertd_verdicts_total": ("subscription", "verdict", "workspace"),
    "alertd_deliveries_total": ("destination", "state", "workspace"),
    "alertd_attempts_total": ("destination", "outcome", "workspace"),
    "alertd_attempt_seconds": WHERE,
    "alertd_event_to_delivery_seconds": (),
    "alertd_commit_seconds": (),
    "alertd_commit_events": (),
    "alertd_lane_depth": WHERE,
    "alertd_lane_capacity": WHERE,
    "alertd_outbox_deliveries": ("destination", "state", "workspace"),
    "alertd_breaker_open": WHERE,
    "alertd_kafka_lag_records": ("partition", "topic"),
    "alertd_ruleset_channels": (),
    "alertd_config_reload_success": (),
    "alertd_loop_lag_seconds": (),
    "alertd_build_info": ("python", "version"),
}
"""What dashboards and alerts are built on: metric -> its labels, in the order of the alphabet."""


def config(address: str, topic: str, group: str, **more: Any) -> dict[str, Any]:
    """Configure a daemon that sends all that it reads to nowhere; its session is the default of 10 s."""
    kafka = {
        "bootstrap_servers": [address],
        "group_id": group,
        "heartbeat_seconds": 0.3,
        "topics": [{"name": topic}],
        **more,
    }
    return {
        "intake": {"kafka": kafka},
        "workspaces": [workspace([{"name": "off", "type": "null"}], [route("all", "*", "off")])],
    }


def rows(daemon: Daemon, query: str) -> list[tuple[Any, ...]]:
    """Ask the daemon's database, while it runs or after its death."""
    with contextlib.closing(sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def numbers(daemon: Daemon) -> list[int]:
    """What is stored, in the order of storing; the number is the event's type."""
    return [int(name[1:]) for (name,) in rows(daemon, "SELECT type FROM event ORDER BY id")]


def count(daemon: Daemon) -> int:
    """How many events are stored."""
    found: int = rows(daemon, "SELECT count(*) FROM event")[0][0]
    return found


def instance_id(daemon: Daemon) -> str:
    """The id that a daemon made for itself."""
    found: str = rows(daemon, "SELECT value FROM meta WHERE key = 'kafka_instance_id'")[0][0]
    return found


class Load:
    """Numbers sent at a pace; `sent` were acknowledged."""

    def __init__(self, feeder: Feeder, topic: str) -> None:
        self.sent = 0
        self._feeder = feeder
        self._topic = topic
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Send until told to end."""
        while not await ended(self._ending, PACE_SECONDS):
            batch = range(self.sent, self.sent + 60)
            await self._feeder.send_values(self._topic, [(b'{"type": "n%d"}' % n, n % PARTITIONS) for n in batch])
            self.sent += len(batch)

    @contextlib.asynccontextmanager
    async def running(self) -> Any:
        """Send while the block runs."""
        task = asyncio.create_task(self.run())
        try:
            yield self
        finally:
            self._ending.set()
            await task


@pytest.mark.partitions(PARTITIONS)
async def test_kills_under_load_lose_and_double_nothing(kafka: Broker, topic: str, tmp_path: Path) -> None:
    """SIGKILL in the middle of load, again and again: one SQLite file has every event once, though none had an id.

    And each start reads again within about a second, although the dead member's session lasts 10.
    """
    require(kafka, "static_membership")
    waits, group = [], fresh_group()
    async with Feeder(kafka) as feeder, Daemon(tmp_path, config(kafka.bootstrap, topic, group)) as daemon:
        load = Load(feeder, topic)
        async with load.running():
            await until(lambda: count(daemon) > 100)
            for _ in range(3):
                await daemon.kill()
                before = count(daemon)
                await daemon.start()
                listening = time.monotonic()
                await until(lambda before=before: count(daemon) > before)
                waits.append(time.monotonic() - listening)
                goal = count(daemon) + 200
                await until(lambda goal=goal: count(daemon) > goal)
        await until(lambda: count(daemon) >= load.sent)
        assert await daemon.stop() == 0
        stored = numbers(daemon)
        positions = dict(rows(daemon, "SELECT partition, next_offset FROM position"))

    assert doubles(stored) == []
    assert sorted(stored) == list(range(load.sent))
    assert positions == dict.fromkeys(range(PARTITIONS), load.sent // PARTITIONS)
    assert await committed(kafka, group, topic, PARTITIONS) == positions
    assert max(waits) < 5, waits


async def test_http_is_served_while_no_broker_is_there(own_kafka: Broker, tmp_path: Path) -> None:
    """Down from the start or killed later: requests are answered, the log stays small, and reading goes on by itself."""
    require(own_kafka, "restart_with_data")
    async with Feeder(own_kafka) as feeder:
        await feeder.send_values("early", [(b'{"type": "n%d"}' % n, 0) for n in range(10)])
    await asyncio.to_thread(own_kafka.stop)
    async with Daemon(tmp_path, config(own_kafka.bootstrap, "early", fresh_group())) as daemon:
        (refused, *_) = await daemon.wait_log("kafka.cannot_connect")
        assert own_kafka.bootstrap in refused["error"]
        assert "[Errno 111]" in refused["error"]
        await daemon.send("n100")
        assert (await daemon.metrics())["alertd_kafka_connected"] == 0
        await own_kafka.arestart()
        await until(lambda: count(daemon) == 11)
        await asyncio.to_thread(own_kafka.kill)
        await daemon.wait_log("kafka.out_of_touch")
        await daemon.send("n101")
        assert (await daemon.metrics())["alertd_kafka_connected"] == 0
        assert len([line for line in daemon.log() if line.get("logger", "").startswith("aiokafka")]) < 60
        began = time.monotonic()
        assert await daemon.stop() == 0
        assert time.monotonic() - began < 15
    assert sorted(numbers(daemon)) == [*range(10), 100, 101]


async def test_the_log_stays_small_while_brokers_are_away(tmp_path: Path) -> None:
    """Three dead brokers, tried again and again: the library's lines are bounded, ours say how often and why."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(3)]
    configured = config(addresses[0], "t", "g")
    configured["intake"]["kafka"]["bootstrap_servers"] = addresses
    async with Daemon(tmp_path, configured) as daemon:
        refused = await daemon.wait_log("kafka.cannot_connect", 3)
        assert all(address in refused[-1]["error"] for address in addresses)
        assert len([line for line in daemon.log() if line.get("logger") == "aiokafka"]) <= 6


async def test_metrics_have_their_names_their_labels_and_a_help(kafka: Broker, topic: str, tmp_path: Path) -> None:
    """Renaming a metric or a label breaks somebody's alert in silence, so each stands here; what it counts, in `/metrics`."""
    given = config(kafka.bootstrap, topic, fresh_group())
    away = hook("away", f"http://127.0.0.1:{free_ports(1)[0]}/")
    given["workspaces"] = [workspace([{"name": "off", "type": "null"}, away], [route("all", "*", "off", "away")])]
    async with Feeder(kafka) as feeder, Daemon(tmp_path, given) as daemon:
        page = (await daemon.call("GET", "/metrics", token="")).body.decode()
        helped = set(re.findall(r"^# HELP (\w+) \S", page, re.MULTILINE))
        assert LABELS.keys() - helped == set()
        await feeder.send_values(topic, [(b'{"type": "t"}', 0)])
        found: dict[str, tuple[str, ...]] = {}

        async def all_shown() -> bool:
            for sample in await daemon.metrics():
                name, _, labels = sample.removesuffix("}").partition("{")
                found[name.removesuffix("_count")] = tuple(re.findall(r"(\w+)=\"", labels))
            return found.keys() >= LABELS.keys()

        await eventually(all_shown, lambda: f"samples of {sorted(LABELS.keys() - found.keys())}")
    assert {name: found[name] for name in LABELS} == LABELS


@pytest.mark.partitions(2)
async def test_two_daemons_never_share_an_id(kafka: Broker, topic: str, tmp_path: Path) -> None:
    """Each store has an id of its own that outlives restarts, so two daemons share the partitions."""
    require(kafka, "static_membership")
    made = config(kafka.bootstrap, topic, fresh_group())
    async with (
        Feeder(kafka) as feeder,
        Daemon(tmp_path / "one", made) as one,
        Daemon(tmp_path / "two", made) as two,
    ):
        await feeder.send_values(topic, [(b'{"type": "n%d"}' % n, n % 2) for n in range(10)])
        await until(lambda: set(numbers(one)) | set(numbers(two)) >= set(range(10)))
        await until(lambda: _share(one) == _share(two) == 1)
        ids = instance_id(one), instance_id(two)
        await one.restart()
        await one.wait_log("kafka.assigned")
        assert (instance_id(one), instance_id(two)) == ids
        assert ids[0] != ids[1]


def _share(daemon: Daemon) -> int:
    """How many partitions a daemon was assigned last."""
    assigned = daemon.log("kafka.assigned")
    return len(assigned[-1]["partitions"]) if assigned else 0
