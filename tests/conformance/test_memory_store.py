"""The store in memory keeps every promise of the suite."""

from __future__ import annotations

from tests.conformance.follow_suite import FollowSuite
from tests.conformance.forgetting_suite import ForgettingSuite
from tests.conformance.history_suite import HistorySuite
from tests.conformance.issue_suite import IssueSuite
from tests.conformance.replay_suite import ReplaySuite
from tests.conformance.resource_suite import ResourceSuite
from tests.conformance.store_case import InMemory
from tests.conformance.store_suite import StoreSuite


class TestMemoryStore(
    InMemory, StoreSuite, HistorySuite, ResourceSuite, IssueSuite, ForgettingSuite, FollowSuite, ReplaySuite
):
    """Every test of the suite."""
