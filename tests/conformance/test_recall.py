"""Both stores keep what destinations remember."""

from __future__ import annotations

from tests.conformance.recall_suite import RecallSuite
from tests.conformance.store_case import InFile, InMemory


class TestMemory(InMemory, RecallSuite):
    """In memory."""


class TestSqlite(InFile, RecallSuite):
    """In a file."""
