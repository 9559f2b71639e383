"""The Kafka intake as a service: it keeps a consumer alive, and makes another when one breaks or stalls."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

import structlog

from alertd.intake.kafka.positions import PositionLostError
from alertd.intake.kafka.reasons import Reasons
from alertd.runtime import wait_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.intake.kafka.session import Session
    from alertd.metrics import Metrics
    from alertd.model.event import Bounds

RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses before another consumer is made; the last one repeats; each is cut by up to a half at random."""
STEADY_SECONDS: Final = 60.0
"""A consumer that ran so long starts the pauses anew."""
GRACE_SECONDS: Final = 0.5
"""What a start gets to finish when a stop is asked: aiokafka leaks a connection when it is cut at some moments."""
SLOW_START_SECONDS: Final = 10.0
"""A start that takes so long is told about, again and again."""

_log = structlog.get_logger("alertd.kafka")


class StartError(Exception):
    """No consumer could be started; the message says why."""


class KafkaIntake:
    """The supervisor of consumers. `connected` is set while one runs."""

    name = "kafka"

    def __init__(self, make_session: Callable[[], Session], metrics: Metrics) -> None:
        self._make_session = make_session
        self._metrics = metrics
        self._stopping = asyncio.Event()
        self._session: Session | None = None
        self.connected = asyncio.Event()

    def stop(self) -> None:
        """Ask to finish what is under way and to leave the group."""
        self._stopping.set()
        if self._session is not None:
            self._session.stop()

    def reconfigure(self, bounds: Bounds) -> None:
        """Use other bounds from the next records on; who makes sessions gives them to the next one."""
        if self._session is not None:
            self._session.bounds = bounds

    async def run(self) -> None:
        """Consume until stopped. Raises PositionLostError when a position is lost and the setting says stop."""
        failures = 0
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            try:
                await self._one()
            except PositionLostError:
                raise
            except Exception as error:  # noqa: BLE001 - a consumer may break in any way; it must not take the daemon along
                failures = 1 if loop.time() - began > STEADY_SECONDS else failures + 1
                await self._pause(failures, error)

    async def _one(self) -> None:
        """One consumer, from its start to its end."""
        session = self._session = self._make_session()
        try:
            await self._start(session)
            if not self._stopping.is_set():
                self.connected.set()
                self._metrics.kafka_connected.set(1)
                _log.info("kafka.connected")
                await session.run()
        finally:
            self.connected.clear()
            self._metrics.kafka_connected.set(0)
            self._session = None
            await session.close()

    async def _start(self, session: Session) -> None:
        """Start a consumer, giving up when a stop is asked meanwhile. Raises StartError with the reason."""
        with Reasons() as reasons:
            starting = asyncio.create_task(session.start(), name="kafka-start")
            stopping = asyncio.create_task(self._stopping.wait())
            try:
                while not (starting.done() or stopping.done()):
                    await asyncio.wait(
                        {starting, stopping}, timeout=SLOW_START_SECONDS, return_when=asyncio.FIRST_COMPLETED
                    )
                    if not (starting.done() or stopping.done()):
                        _log.warning("kafka.still_starting", missing_topics=session.missing_topics(), said=reasons.said)
                await asyncio.wait({starting}, timeout=GRACE_SECONDS)
            finally:
                stopping.cancel()
                if not starting.done():
                    starting.cancel()
                    await asyncio.wait({starting}, timeout=1)
        if starting.done() and not self._stopping.is_set():
            if starting.cancelled():
                raise StartError(f"cancelled from within ({reasons.said})")
            if (error := starting.exception()) is not None:
                raise StartError(reasons.explain(error, session.missing_topics())) from error

    async def _pause(self, failures: int, error: Exception) -> None:
        self._metrics.kafka_rebuilds.inc()
        seconds = RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1] * random.uniform(0.5, 1)  # noqa: S311 - jitter
        name = "kafka.cannot_connect" if isinstance(error, StartError) else "kafka.consumer_lost"
        _log.error(name, error=str(error) or type(error).__name__, retry_seconds=round(seconds, 1))
        await wait_event(self._stopping, seconds)
