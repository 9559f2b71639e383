"""Every store keeps what is promised about digests."""

from __future__ import annotations

from tests.conformance.digest_suite import DigestSuite
from tests.conformance.store_case import InFile, InMemory


class TestMemoryDigests(InMemory, DigestSuite):
    """In memory."""


class TestSqliteDigests(InFile, DigestSuite):
    """In a file."""
