"""What formats of others need to know of an alert's surroundings: the numbers and titles behind names."""

from __future__ import annotations

from typing import Protocol


class Directory(Protocol):
    """Looks up what is configured now. Names that are unknown, or known no more, are answered as best as can be."""

    async def catch_up(self) -> None:
        """Wait until projects that events have just named for the first time are known, or cannot be."""

    def project_number(self, workspace: str, project: str) -> int:
        """Give a project's number, the one in its DSN; 0: unknown."""

    def project_title(self, workspace: str, project: str) -> str:
        """Give a project's title; its name when it has none."""

    def subscription_number(self, workspace: str, subscription: str) -> int:
        """Give a number that a subscription keeps as long as it has its name; 0: unknown."""

    def subscription_title(self, workspace: str, subscription: str) -> str:
        """Give a subscription's title; its name when it has none."""


class EmptyDirectory:
    """Knows nothing: for previews, and for tests."""

    async def catch_up(self) -> None:
        """At once: nothing will be known."""

    def project_number(self, workspace: str, project: str) -> int:
        """Unknown."""
        return 0

    def project_title(self, workspace: str, project: str) -> str:
        """Its name."""
        return project

    def subscription_number(self, workspace: str, subscription: str) -> int:
        """Unknown."""
        return 0

    def subscription_title(self, workspace: str, subscription: str) -> str:
        """Its name."""
        return subscription
