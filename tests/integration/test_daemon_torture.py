"""The crash torture, short enough for every run of the tests; `make torture N=…` plays more rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.torture import PARTITIONS, torture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.broker import Broker
    from tests.kafka_fixtures import MakeTopic

ROUNDS = 20


@pytest.mark.timeout(600)
async def test_twenty_kills_lose_and_double_nothing(
    kafka: Broker, make_topic: MakeTopic, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Killed at random moments under load from Kafka and HTTP: all acknowledged is received, under one delivery id."""
    topic = await make_topic(PARTITIONS)
    report = await torture(tmp_path, kafka.bootstrap, topic, ROUNDS, seed=20)
    record_property("told", f"Crash torture: {', '.join(map(str.strip, report.lines()))}")
    assert not report.problems
    assert report.requests_cut > 0
    counts = (report.http_acknowledged, report.kafka_acknowledged, report.changes_acknowledged, report.reloads)
    assert min(*counts, report.envelopes_acknowledged, report.switched_off, report.in_both) > 0
    assert report.failures_answered > 0
