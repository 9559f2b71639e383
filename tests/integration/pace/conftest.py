"""Simulated time with real sockets: hours of a provider's limits in seconds."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any

from typing_extensions import override

if TYPE_CHECKING:
    import pytest

LOOK_SECONDS = 60.0
"""How long bytes that are on their way may take in real time before the simulated one jumps on."""


class _Selector(selectors.DefaultSelector):
    loop: NetworkLoop

    @override
    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.loop.sockets_busy:
            ready = super().select(LOOK_SECONDS)
        if not ready and timeout is None:
            ready = super().select(5)
        elif not ready and timeout:
            self.loop.now += timeout
        return ready


class NetworkLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps where it would wait, but for bytes that are on their way (`sockets_busy`)."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sockets_busy = 0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    @override
    def time(self) -> float:
        return self.now


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, type[NetworkLoop]]:
    """Loops whose time jumps."""
    return {"simulated": NetworkLoop}
