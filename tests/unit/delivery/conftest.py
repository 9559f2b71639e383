"""Simulated time for everything in this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.delivery.world import SimulatedLoop, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, type[SimulatedLoop]]:
    """Loops whose time jumps where they would wait."""
    return {"simulated": SimulatedLoop}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A dispatcher in its world, stopped at the end."""
    made = World()
    yield made
    await made.stop()
