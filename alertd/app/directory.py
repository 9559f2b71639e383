"""The directory that destinations look things up in: the numbers and titles of what is configured now."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from alertd.app.compiling import same

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from alertd.engine.ruleset import NameKey
    from alertd.model.workspace import Workspace

LEARNING_SECONDS: Final = 5.0
"""So long an alert of a new project waits for the project's number, and then goes without."""


async def _at_once() -> None:
    """Nobody learns."""


class LiveDirectory:
    """Answers for the rules that were taken last; destinations stay open over a change of them.

    `learnt` waits for whoever learns projects from events.
    """

    def __init__(self) -> None:
        self.learnt: Callable[[], Awaitable[object]] = _at_once
        self._ids: Mapping[NameKey, int] = {}
        self._titles: dict[NameKey, str] = {}
        self._seen: Sequence[object] = ()

    def take(self, workspaces: Sequence[Workspace], ids: Mapping[NameKey, int]) -> None:
        """Answer from these from now on."""
        self._ids = ids
        seen = [part for own in workspaces for part in (own.name, own.projects, own.subscriptions)]
        if same(self._seen, seen):
            return
        self._seen = seen
        self._titles = {
            (kind, workspace.name, each.name): each.title
            for workspace in workspaces
            for kind, resources in (("project", workspace.projects), ("subscription", workspace.subscriptions))
            for each in resources
            if each.title
        }

    async def catch_up(self) -> None:
        """Wait for what is being learnt, for a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEARNING_SECONDS):
                await self.learnt()

    def project_number(self, workspace: str, project: str) -> int:
        """Give a project's number; 0: unknown."""
        return self._ids.get(("project", workspace, project), 0)

    def project_title(self, workspace: str, project: str) -> str:
        """Give a project's title; its name when it has none."""
        return self._titles.get(("project", workspace, project), project)

    def subscription_number(self, workspace: str, subscription: str) -> int:
        """Give a subscription's number; 0: unknown."""
        return self._ids.get(("subscription", workspace, subscription), 0)

    def subscription_title(self, workspace: str, subscription: str) -> str:
        """Give a subscription's title; its name when it has none."""
        return self._titles.get(("subscription", workspace, subscription), subscription)
