"""Learning: projects and environments that events name before anybody has defined them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

import structlog

from alertd.errors import StoreError
from alertd.model.workspace import LearntProject, Project
from alertd.resources.change import Change
from alertd.resources.entry import Entry
from alertd.resources.kinds import PROJECT, WORKSPACE
from alertd.runtime import wait_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from alertd.engine.plan import Plan
    from alertd.resources.snapshot import Snapshot

Place = tuple[str, str, str]
"""(workspace, project, environment)"""

PROJECTS_MAX: Final = 1000
"""Projects of one workspace; beyond it none is learnt."""
ENVIRONMENTS_MAX: Final = 100
"""Environments of one project; beyond it none is learnt."""
SEEN_MAX: Final = 100_000
"""Places that are remembered as known, so that most events cost one look; emptied when full."""
PAUSE_SECONDS: Final = 1.0
"""How long new places are collected before they are learnt together."""
_log = structlog.get_logger("alertd.resources")


def learnt(snapshot: Snapshot, seen: Collection[Place]) -> Change:
    """Say what is new among places: projects to make, environments to add. What the configuration holds stays as it is."""
    made: dict[tuple[str, str], Entry] = {}
    for workspace, project, environment in seen:
        if not project or snapshot.get((WORKSPACE.word, workspace, workspace)) is None:
            continue
        entry = made.get((workspace, project)) or snapshot.get((PROJECT.word, workspace, project))
        if entry is None:
            count = len(snapshot.entries(PROJECT.word, workspace)) + sum(key[0] == workspace for key in made)
            if count >= PROJECTS_MAX:
                continue
            entry = made[workspace, project] = Entry(PROJECT.word, workspace, project, LearntProject(name=project), 1)
        own = cast("Project", entry.model).environments
        if entry.origin is None and environment and environment not in own and len(own) < ENVIRONMENTS_MAX:
            fields = entry.model.model_dump(exclude_unset=True) | {"environments": (*own, environment)}
            version = entry.version if (workspace, project) in made else entry.version + 1
            made[workspace, project] = replace(entry, model=LearntProject.model_validate(fields), version=version)
    return Change(list(made.values()))


def takes_places(change: Change) -> bool:
    """Tell whether projects or environments may have gone with a change that somebody made."""
    kinds = (PROJECT.word, WORKSPACE.word)
    return any(noted.key[0] in kinds and noted.action != "created" for noted in change.noted)


class Learner:
    """The service that learns: `see` what was stored; what is new is learnt a moment later, all of it together.

    When `changed` gives another number, nothing passes for known any more: it may have been deleted.
    """

    name = "learner"

    def __init__(
        self, learn: Callable[[Collection[Place]], Awaitable[None]], changed: Callable[[], int] = lambda: 0
    ) -> None:
        self._learn = learn
        self._changed = changed
        self._known_at = 0
        self._known: set[Place] = set()
        self._fresh: set[Place] = set()
        self._next = asyncio.Event()
        self._last = asyncio.Event()
        self._last.set()
        self._news = asyncio.Event()
        self._stopping = asyncio.Event()

    def see(self, plans: Sequence[Plan]) -> None:
        """Look at what was stored."""
        known, changed = self._known, self._changed()
        if changed != self._known_at:
            self._known_at = changed
            known.clear()
        for plan in plans:
            event = plan.event
            place = (event.workspace, event.project, event.environment)
            if place not in known and not event.is_simulated:
                if len(known) >= SEEN_MAX:
                    known.clear()
                known.add(place)
                if event.project:
                    self._fresh.add(place)
                    self._news.set()

    async def caught_up(self) -> None:
        """Wait until what was seen before now is learnt, or cannot be."""
        pending = [self._last, *([self._next] if self._fresh else [])]
        for done in pending:
            await done.wait()

    async def run(self) -> None:
        """Learn until stopped, and once more then: what was seen in the last pause."""
        try:
            while not self._stopping.is_set():
                await self._news.wait()
                self._news.clear()
                await self._learn_fresh()
                await wait_event(self._stopping, PAUSE_SECONDS)
            await self._learn_fresh()
        finally:
            self._last.set()
            self._next.set()

    async def _learn_fresh(self) -> None:
        seen, self._fresh = self._fresh, set()
        self._last, self._next = self._next, asyncio.Event()
        if seen:
            await self._learn_all(seen)
        self._last.set()

    async def _learn_all(self, seen: set[Place]) -> None:
        try:
            await self._learn(seen)
        except StoreError as error:  # told again by a later event, when it is seen anew
            _log.warning("learning.put_off", places=len(seen), error=str(error))
            self._known -= seen

    def stop(self) -> None:
        """End after what is fresh is learnt."""
        self._stopping.set()
        self._news.set()
