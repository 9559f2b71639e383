"""What a broker that fails or hangs may do to positions: hold nobody up for ever, and move nothing to the wrong place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from alertd.intake.kafka import positions as module
from alertd.intake.kafka.options import KafkaOptions
from alertd.intake.kafka.positions import Positions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DEADLINE = 60
PLACE = TopicPartition("t", 0)


class Consumer:
    """A consumer whose group is at 5; a test takes methods away. `did` is what was asked of it and of the pipeline."""

    def __init__(self, did: list[str]) -> None:
        self.did = did

    async def committed(self, place: TopicPartition) -> int:
        """Say how far the group is."""
        return 5

    async def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Say where the partitions begin."""
        return dict.fromkeys(places, 100)

    async def commit(self, ahead: dict[TopicPartition, int]) -> None:
        """Take note."""
        self.did.append(f"commit {ahead[PLACE]}")

    def assignment(self) -> set[TopicPartition]:
        """One partition."""
        return {PLACE}

    def seek(self, place: TopicPartition, offset: int) -> None:
        """Take note."""
        self.did.append(f"seek {offset}")


class Pipeline:
    """As much of a pipeline as positions ask for."""

    def __init__(self, did: list[str]) -> None:
        self.did = did
        self.positions: dict[tuple[str, int], int] = {}

    async def revoke(self, partitions: list[tuple[str, int]]) -> None:
        """Take note."""
        self.did.append("revoke")

    def assign(self, partition: tuple[str, int], offset: int) -> None:
        """Take note."""
        self.did.append(f"assign {offset}")


class Store:
    """Keeps positions."""

    def __init__(self, did: list[str]) -> None:
        self.did = did

    async def set_position(self, partition: tuple[str, int], offset: int) -> None:
        """Take note."""
        self.did.append(f"store {offset}")


@pytest.fixture(autouse=True)
async def deadline(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """No test waits for longer; a callback gives up after a twentieth of a second."""
    monkeypatch.setattr(module, "CALLBACK_SECONDS", 0.05)
    async with asyncio.timeout(DEADLINE):
        yield


def made() -> tuple[Any, Any, Any]:
    """Make positions of one partition with their consumer and pipeline."""
    did: list[str] = []
    pipeline: Any = Pipeline(did)
    store: Any = Store(did)
    options = KafkaOptions(("127.0.0.1:1",), {}, session_timeout_seconds=0.05)
    positions, consumer = Positions(options, pipeline, store), Consumer(did)
    positions.watch(consumer)
    return positions, consumer, pipeline


async def for_ever(*_: object) -> Any:
    """Hang."""
    await asyncio.Event().wait()


async def fail(*_: object) -> Any:
    """Fail as a client does whose broker is gone."""
    raise KafkaConnectionError


@pytest.mark.parametrize(("answer", "error"), [(for_ever, TimeoutError), (fail, KafkaConnectionError)])
@pytest.mark.parametrize("question", ["committed", "beginning_offsets"])
async def test_positions_that_cannot_be_found_out_end_the_consumer(
    question: str, answer: Any, error: type[Exception]
) -> None:
    """Within the time after which the group would put us out; nothing is read from a place that nobody knows."""
    positions, consumer, _ = made()
    if question == "beginning_offsets":
        consumer.committed = lambda place: asyncio.sleep(0, None)
    setattr(consumer, question, answer)
    await positions.on_partitions_assigned([PLACE])
    assert isinstance(positions.broken, error)
    assert not positions.settled
    assert consumer.did == []


@pytest.mark.parametrize("hanging", ["commit", "revoke"])
async def test_who_hangs_does_not_hold_up_the_group(hanging: str) -> None:
    """Partitions are let go all the same, for which the other members wait."""
    positions, consumer, pipeline = made()
    await positions.on_partitions_assigned([PLACE])
    assert positions.settled
    pipeline.positions["t", 0] = 9
    setattr({"commit": consumer, "revoke": pipeline}[hanging], hanging, for_ever)
    await positions.on_partitions_revoked([PLACE])
    assert not positions.settled
    assert consumer.did[2:] == {"commit": ["revoke"], "revoke": ["commit 9"]}[hanging]


async def test_a_lost_position_moves_when_nothing_older_can_land() -> None:
    """What was read before is given up first, and the store knows the new place before the consumer goes there."""
    positions, consumer, _ = made()
    await positions.on_partitions_assigned([PLACE])
    del consumer.did[:]
    await positions.mend({PLACE: 5})
    assert consumer.did == ["revoke", "store 100", "assign 100", "seek 100"]


async def test_a_partition_that_changed_hands_meanwhile_is_left_alone() -> None:
    """Its new assignment has put it where it belongs."""
    positions, consumer, _ = made()
    await positions.on_partitions_assigned([PLACE])
    begins = consumer.beginning_offsets

    async def ask(places: list[TopicPartition]) -> Any:
        await positions.on_partitions_revoked([PLACE])
        del consumer.did[:]
        return await begins(places)

    consumer.beginning_offsets = ask
    await positions.mend({PLACE: 5})
    assert consumer.did == ["store 100"]
