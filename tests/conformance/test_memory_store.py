"""The store in memory keeps every promise of the suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alertd.store.memory import MemoryStore
from tests.conformance.follow_suite import FollowSuite
from tests.conformance.forgetting_suite import ForgettingSuite
from tests.conformance.history_suite import HistorySuite
from tests.conformance.issue_suite import IssueSuite
from tests.conformance.replay_suite import ReplaySuite
from tests.conformance.resource_suite import ResourceSuite
from tests.conformance.store_suite import StoreSuite

if TYPE_CHECKING:
    from tests.conformance.store_maker import StillClock


class TestMemoryStore(StoreSuite, HistorySuite, ResourceSuite, IssueSuite, ForgettingSuite, FollowSuite, ReplaySuite):
    """Every test of the suite."""

    @pytest.fixture
    async def store(self, clock: StillClock) -> MemoryStore:
        """Open a fresh store."""
        return MemoryStore(clock)
