"""Calls of aiokafka that may hang, or be cancelled from within, held to a bound; and the end of a consumer.

`consumer.stop()` raises CancelledError when the brokers are gone and hangs when they are frozen. A consumer that was left
half stopped would go on fetching, and its heartbeats would keep its partitions from everybody else: it is torn out.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog

from alertd.kafka_tear import tear
from alertd.runtime import look_away
from alertd.undo import OnFailure

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

TEAR_SECONDS: Final = 1.0
"""How long the torn tasks and connections of a consumer may take to end."""

_log = structlog.get_logger("alertd.kafka")


async def bounded(work: Coroutine[Any, Any, object], seconds: float, what: str) -> bool:
    """Run something in a task of its own for so long at most; say whether it ended well. Never raises by itself."""
    task = asyncio.create_task(work, name=f"kafka-{what}")
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.add_done_callback(look_away)
            task.cancel()
    if not task.done():
        _log.warning("kafka.gave_up", what=what, seconds=seconds)
        return False
    error: BaseException | None = asyncio.CancelledError() if task.cancelled() else task.exception()
    if error is not None:
        _log.warning("kafka.failed", what=what, error=str(error) or type(error).__name__)
    return error is None


async def dispose(consumer: Any, seconds: float) -> None:
    """Leave the group and close the connections; what has not ended by then is torn out. Never raises by itself."""
    with OnFailure(lambda: tear_out(consumer)):
        ended = await bounded(consumer.stop(), seconds, "stop")
    if not ended and (torn := tear_out(consumer)):
        await asyncio.wait(torn, timeout=TEAR_SECONDS)


def tear_out(consumer: Any) -> set[asyncio.Future[Any]]:
    """Cancel the tasks of a consumer and close its connections; return what is still ending.

    aiokafka offers nothing for this, so it looks inside, at what 0.14 has there.
    """
    consumer._closed = True  # noqa: SLF001 - see above
    return tear(consumer._client, _tasks(consumer))  # noqa: SLF001 - see above


def _tasks(consumer: Any) -> Iterator[Any]:
    coordinator, fetcher = getattr(consumer, "_coordinator", None), getattr(consumer, "_fetcher", None)
    for name in ("_coordination_task", "_heartbeat_task", "_commit_refresh_task"):
        yield getattr(coordinator, name, None)
    yield getattr(fetcher, "_fetch_task", None)
    yield from getattr(fetcher, "_pending_tasks", ())
    yield getattr(consumer._client, "_sync_task", None)  # noqa: SLF001 - see above


def poll_ended(consumer: Any) -> None:
    """Tell a consumer that a poll has ended which raised: it counts that as one that goes on.

    It would never again leave its group when nobody polls, so that another member could.
    """
    subscription = getattr(consumer, "_subscription", None)
    if subscription is not None:
        subscription._fetch_count = 0  # noqa: SLF001 - nothing else there is counts it
