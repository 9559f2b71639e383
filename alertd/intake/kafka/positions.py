"""Where each partition of one consumer goes on: sought when it is assigned, committed to the group, mended when lost.

The positions that count are those of the store. On assignment a partition starts at the greater of the stored position
and the group's commit, for another member with a store of its own may have gone further. The group's commit follows the
store, never leads it, and never goes back but when the broker itself has said that a position is out of range.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from alertd.errors import AlertdError
from alertd.intake.kafka.bounded import bounded
from alertd.intake.kafka.rivalry import Rivalry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from alertd.intake.kafka.options import KafkaOptions
    from alertd.pipeline import Pipeline
    from alertd.store.base import PipelineStore

CALLBACK_SECONDS: Final = 3.0
"""The bound of each step of giving partitions up."""

_log = structlog.get_logger("alertd.kafka")


class PositionLostError(AlertdError):
    """A position is out of range, and the setting says to stop."""


class Positions(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """The positions of one consumer.

    While not `settled`, the partitions are being given up or sought, and what the consumer hands out is of no use: it
    comes again from the right place. `generation` counts the changes. `paused` says that new partitions begin paused.
    `broken` is why positions could not be found out; such a consumer must go.
    """

    def __init__(self, options: KafkaOptions, pipeline: Pipeline, store: PipelineStore) -> None:
        self._options = options
        self._pipeline = pipeline
        self._store = store
        self._consumer: Any = None
        self._committed: dict[TopicPartition, int] = {}
        self._rivalry = Rivalry(options.instance_id)
        self.settled = False
        self.paused = False
        self.generation = 0
        self.broken: BaseException | None = None

    def watch(self, consumer: Any) -> None:
        """Take the consumer whose positions these are; before it is started."""
        self._consumer = consumer

    def stored(self, place: TopicPartition) -> int | None:
        """Return the store's position: the record after the last one that is done."""
        return self._pipeline.positions.get((place.topic, place.partition))

    # -- rebalances -----------------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Finish what is under way, tell the group how far it got, let go."""
        self.generation += 1
        self.settled = False
        await self.release(revoked)
        if self._committed:
            await bounded(self.commit(), CALLBACK_SECONDS, "commit")
            self._committed.clear()

    async def release(self, places: Iterable[TopicPartition]) -> None:
        """Take back what the pipeline has not begun of these partitions, and wait for what it has."""
        partitions = [(place.topic, place.partition) for place in places]
        if partitions:
            await bounded(self._pipeline.revoke(partitions), CALLBACK_SECONDS, "revoke")

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Start each partition where the store, or the group if it is further, has come to.

        No heartbeat is sent meanwhile, hence the bound.
        """
        self.generation += 1
        places = list(assigned)
        try:
            async with asyncio.timeout(self._options.session_timeout_seconds):
                groups, begins = await self._ask(places)
        except Exception as error:  # noqa: BLE001 - aiokafka would log it and go on with its own idea of the positions
            self.broken = error
            return
        for place in places:
            self._begin(place, groups[place], begins)
        self.settled = True
        _log.info("kafka.assigned", partitions=sorted(f"{p.topic}/{p.partition}" for p in places))

    async def _ask(self, places: list[TopicPartition]) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        """Find out the group's commits (-1: none), and the beginnings where neither store nor group knows a position."""
        found = await asyncio.gather(*(self._consumer.committed(place) for place in places))
        groups = {place: -1 if offset is None else offset for place, offset in zip(places, found, strict=True)}
        fresh = [place for place in places if groups[place] < 0 and self.stored(place) is None]
        return groups, await self._consumer.beginning_offsets(fresh) if fresh else {}

    def _begin(self, place: TopicPartition, group: int, begins: Mapping[TopicPartition, int]) -> None:
        start = max(group, -1 if (stored := self.stored(place)) is None else stored)
        if start < 0:
            start = begins[place]
        self._move(place, start)
        self._committed[place] = group
        if self.paused:
            self._consumer.pause(place)

    def _move(self, place: TopicPartition, offset: int) -> None:
        self._pipeline.assign((place.topic, place.partition), offset)
        self._consumer.seek(place, offset)

    # -- the group's commit ---------------------------------------------------------------------------------------

    async def commit(self) -> None:
        """Let the group's commit follow the store."""
        ahead: dict[TopicPartition, int] = {}
        for place in self._consumer.assignment():
            stored = self.stored(place)
            if stored is not None and place in self._committed and stored > self._committed[place]:
                ahead[place] = stored
        if not ahead:
            return
        try:
            await self._consumer.commit(ahead)
        except (IllegalStateError, KafkaError) as error:
            _log.info("kafka.commit_put_off", error=str(error) or type(error).__name__)
            if isinstance(error, CommitFailedError):
                self._rivalry.refused(asyncio.get_running_loop().time())
            return
        for place, offset in ahead.items():
            if place in self._committed:
                self._committed[place] = max(self._committed[place], offset)

    # -- positions that the broker no longer has ------------------------------------------------------------------

    async def mend(self, lost: Mapping[TopicPartition, int]) -> None:
        """Do as `offset_reset` says where the broker no longer (or not yet) has the record that comes next.

        Raises PositionLostError, KafkaError and StoreUnavailableError.
        """
        for place, offset in lost.items():
            rule = self._options.offset_reset
            found = {"topic": place.topic, "partition": place.partition, "position": offset, "offset_reset": rule}
            if rule == "stop":
                _log.critical("kafka.position_lost", **found)
                raise PositionLostError(
                    f"{place.topic}/{place.partition}: the broker has no record at position {offset}; "
                    "records were lost, or the topic was made anew; set intake.kafka.offset_reset to go on"
                )
            generation = self.generation
            await self._pipeline.revoke([(place.topic, place.partition)])  # nothing older may land after the move
            ask = self._consumer.beginning_offsets if rule == "earliest" else self._consumer.end_offsets
            start = (await ask([place]))[place]
            await self._store.set_position((place.topic, place.partition), start)
            if generation != self.generation:
                return
            self._move(place, start)
            self._committed[place] = -1
            _log.error("kafka.position_lost", **found, goes_on_at=start)
