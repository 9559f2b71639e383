"""Tears a client of Kafka out at once: aiokafka offers no end that does not wait for brokers which may be gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from alertd.runtime import look_away

if TYPE_CHECKING:
    from collections.abc import Iterable

_log = structlog.get_logger("alertd.kafka")


def tear(client: Any, tasks: Iterable[object]) -> set[asyncio.Future[Any]]:
    """Cancel those of these that are tasks and close a client's connections; return what is still ending."""
    torn: set[asyncio.Future[Any]] = {task for task in tasks if isinstance(task, asyncio.Task) and not task.done()}
    for task in torn:
        task.add_done_callback(look_away)
        task.cancel()
    for connection in list(client._conns.values()):  # noqa: SLF001 - what this module is for
        try:
            closing = connection.close()
        except Exception as error:  # noqa: BLE001 - one that was cut while it was made: the others are closed all the same
            _log.warning("kafka.close_failed", error=str(error) or type(error).__name__)
        else:
            if closing is not None and not closing.done():
                torn.add(closing)
    return torn
