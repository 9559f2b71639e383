"""The heartbeat: a request to a URL of the operator's every so often, while events are really being stored.

A dead man's switch on the other side alarms when it stays out. It stays out when the store cannot write, when events wait
and none is committed, or when the process is gone.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from alertd.destinations.base import HttpRequest, SendError
from alertd.runtime import wait_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from alertd.destinations.base import Sender

_log = structlog.get_logger("alertd.about")


@dataclass(frozen=True, slots=True)
class Beat:
    """Where the heartbeat goes, how often, and how long one may take; in seconds."""

    url: str
    method: str
    interval_seconds: float
    timeout_seconds: float


class Heartbeat:
    """The service that beats. `alive` says whether events are being stored; `beat` None means: not at all."""

    name = "heartbeat"

    def __init__(self, sender: Callable[[], Sender], alive: Callable[[], Awaitable[bool]], beat: Beat | None) -> None:
        self._sender = sender
        self._alive = alive
        self.beat = beat
        self._ok = True
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Beat until stopped; what is configured may change meanwhile."""
        while not self._stopping.is_set():
            beat = self.beat
            if beat is not None:
                await self._once(beat)
            await wait_event(self._stopping, beat.interval_seconds if beat else 1.0)

    def stop(self) -> None:
        """Beat no more."""
        self._stopping.set()

    async def _once(self, beat: Beat) -> None:
        if not await self._alive():
            _log.warning("heartbeat.withheld", reason="events are not being stored")
            return
        try:
            answer = await self._sender().send(HttpRequest(beat.url, b"", {}, beat.method), beat.timeout_seconds)
            error = "" if answer.status < 300 else f"returned {answer.status}"  # noqa: PLR2004 - success
        except SendError as failure:
            error = str(failure)
        if error and self._ok:
            _log.warning("heartbeat.failed", error=error)
        elif not error and not self._ok:
            _log.info("heartbeat.recovered")
        self._ok = not error
