"""The recollection passes the service suite."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from alertd.clock import SystemClock
from alertd.delivery.recollection import Recollection
from tests.conformance.service_suite import DEADLINE, ServiceSuite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from alertd.delivery.lane import Lane
    from alertd.runtime import Service
    from alertd.store.base import Filter


class TestRecollection(ServiceSuite):
    """A recollection with more lanes than it comes to the end of."""

    looked: asyncio.Event
    broken: bool

    async def delivery_ids(self, which: Filter) -> tuple[list[int], int | None]:
        """Find nothing, or break."""
        await asyncio.sleep(0)
        if self.broken:
            raise OSError("the reader is gone")
        self.looked.set()
        return [], None

    async def attempts_of(self, delivery_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
        """Find nothing."""
        return {}

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield a recollection that has much to look at."""
        self.looked, self.broken = asyncio.Event(), False
        spec = SimpleNamespace(workspace="default", name="d0")
        lane = SimpleNamespace(spec=spec, last_success_ms=None, last_failure_ms=None, last_error="")
        yield Recollection(self, SystemClock(), lambda: [cast("Lane", lane)] * 100_000)

    @override
    async def make_busy(self, service: Service) -> None:
        """Wait for a look."""
        async with asyncio.timeout(DEADLINE):
            await self.looked.wait()

    @override
    async def make_fail(self, service: Service) -> None:
        """Break what is read."""
        self.broken = True
