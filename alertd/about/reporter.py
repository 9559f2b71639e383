"""The reporter: turns what alertd notices about itself into events of its own, stored and routed like any other.

Only what somebody listens to becomes an event, so that a history without such a channel holds nothing but what was sent;
the log has all of it. Events are kept until they are stored: while the intake is full or the store cannot write, they wait and are tried again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson
import structlog

from alertd.clock import rfc3339
from alertd.engine.making import SOURCE
from alertd.errors import DecodeError, IntakeFullError, StoreUnavailableError
from alertd.model.workspace import DEFAULT
from alertd.runtime import wait_event
from alertd.sources.base import Context
from alertd.sources.native import decode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from alertd.clock import Clock
    from alertd.model.event import Event

WAITING_MAX: Final = 1000
"""Reports that wait to be stored; beyond it the oldest goes, and the log says so."""
MESSAGE_MAX: Final = 2000
"""Characters of a message that are kept."""
RETRY_SECONDS: Final = 1.0
"""How long to wait while nothing can be stored."""
_log = structlog.get_logger("alertd.about")


class Submit(Protocol):
    """The pipeline, as the reporter uses it."""

    async def __call__(self, events: list[Event], size: int, source: str) -> object:
        """Store events. Raises IntakeFullError, StoreUnavailableError."""


@dataclass(frozen=True, slots=True)
class Report:
    """One thing that alertd noticed about itself. `about` is the key: what it concerns."""

    type: str
    severity: str
    message: str
    about: str = ""
    workspace: str = DEFAULT
    data: dict[str, Any] = field(default_factory=dict)


class Reporter:
    """The service that stores reports. `heard` says whether anybody in a workspace listens to a type."""

    name = "reporter"

    def __init__(
        self,
        submit: Submit,
        clock: Clock,
        workspaces: Callable[[], Iterable[str]],
        heard: Callable[[str, str], bool] = lambda workspace, kind: True,
    ) -> None:
        self._submit = submit
        self._clock = clock
        self._workspaces = workspaces
        self._heard = heard
        self._waiting: deque[dict[str, Any]] = deque()
        self._news = asyncio.Event()
        self._stopping = asyncio.Event()

    def tell(self, report: Report) -> None:
        """Take a report; it is stored as soon as that can be, when anybody listens."""
        if not self._heard(report.workspace, report.type):
            _log.info(
                "about.only_logged",
                type=report.type,
                workspace=report.workspace,
                message=report.message,
                note="no channel of the workspace listens to this type, so it is in the log alone and no event was made",
            )
            return
        if len(self._waiting) >= WAITING_MAX:
            _log.warning("report.dropped", type=self._waiting.popleft()["type"])
        self._waiting.append(
            {
                "type": report.type,
                "workspace": report.workspace,
                "severity": report.severity,
                "source": SOURCE,
                "time": rfc3339(self._clock.now_ms()),
                "key": report.about or report.type,
                "message": report.message[:MESSAGE_MAX],
                "data": report.data,
            }
        )
        self._news.set()

    async def run(self) -> None:
        """Store what is told until stopped; then what is left is tried once more."""
        while not self._stopping.is_set():
            await self._news.wait()
            self._news.clear()
            while self._waiting and not self._stopping.is_set():
                if not await self._store():
                    await wait_event(self._stopping, RETRY_SECONDS)
        while self._waiting and await self._store():
            pass

    def stop(self) -> None:
        """End after what can be stored is stored."""
        self._stopping.set()
        self._news.set()

    async def _store(self) -> bool:
        """Store the oldest report; whether it is off the list."""
        written = self._waiting[0]
        raw = orjson.dumps(written)
        context = Context(DEFAULT, self._clock.now_ms(), frozenset(self._workspaces()), confined=False)
        try:
            await self._submit(decode_json(raw, context), len(raw), SOURCE)
        except (IntakeFullError, StoreUnavailableError):
            return False
        except DecodeError as error:  # its workspace is gone
            _log.warning("report.dropped", type=written["type"], error=str(error))
        if self._waiting and self._waiting[0] is written:
            self._waiting.popleft()
        return True
