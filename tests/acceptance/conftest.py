"""What acceptance tests share: a receiver of webhooks for each module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on loopback for all tests of the module; each uses hooks of its own."""
    async with Receiver() as made:
        yield made
