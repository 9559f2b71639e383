"""The Kafka intake as a service: it keeps a consumer alive, and makes another when one breaks or stalls."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

import structlog
from aiokafka.errors import KafkaError

from alertd.intake.kafka.reasons import Reasons
from alertd.intake.kafka.session import PositionLostError, Session, StalledError
from alertd.runtime import wait_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.metrics import Metrics

RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses before another consumer is made; the last one repeats; each is cut by up to a half at random."""
STEADY_SECONDS: Final = 60.0
"""A consumer that ran so long starts the pauses anew."""

_log = structlog.get_logger("alertd.kafka")


class KafkaIntake:
    """The supervisor of consumers. `connected` is true while one runs."""

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

    async def run(self) -> None:
        """Consume until stopped. Raises PositionLostError when a position is lost and the setting says stop."""
        failures = 0
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            try:
                await self._one()
            except (KafkaError, StalledError, OSError, KeyError, TimeoutError) as error:
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
                await session.run()
        finally:
            self.connected.clear()
            self._metrics.kafka_connected.set(0)
            self._session = None
            await session.close()

    async def _start(self, session: Session) -> None:
        """Start a consumer, giving up when a stop is asked meanwhile."""
        with Reasons() as reasons:
            starting = asyncio.create_task(session.start())
            stopping = asyncio.create_task(self._stopping.wait())
            try:
                await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if starting.done():
                    starting.result()
            except (KafkaError, OSError, KeyError) as error:
                raise OSError(reasons.explain(error)) from error
            finally:
                stopping.cancel()
                if not starting.done():
                    starting.cancel()
                    await asyncio.wait({starting}, timeout=1)

    async def _pause(self, failures: int, error: BaseException) -> None:
        self._metrics.kafka_rebuilds.inc()
        seconds = RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1] * random.uniform(0.5, 1)  # noqa: S311 - jitter
        _log.error("kafka.consumer_lost", error=str(error) or type(error).__name__, retry_seconds=round(seconds, 1))
        await wait_event(self._stopping, seconds)


__all__ = ["KafkaIntake", "PositionLostError"]
