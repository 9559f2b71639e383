"""The compiling of workspaces: their names get numbers, their rules become what decides, and what explains it later."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from operator import is_
from typing import TYPE_CHECKING, Protocol

from alertd.app.numbers import Numbers
from alertd.app.reach import reach_of
from alertd.engine.document import Documents
from alertd.engine.ruleset import compile_ruleset
from alertd.store.resource import RulesetDocument

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alertd.destinations.mail_server import MailServer
    from alertd.engine.ruleset import NameKey, Reach, Ruleset
    from alertd.model.workspace import Workspace
    from alertd.store.base import NameStore, RevisionStore

    class CompilingStore(NameStore, RevisionStore, Protocol):
        """What compiling keeps: the numbers of names, and every ruleset that decided."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """Workspaces that are ready to decide; `document` explains later what they decided."""

    workspaces: Sequence[Workspace]
    ruleset: Ruleset
    document: RulesetDocument = field(repr=False)


class Compiling:
    """Compiles one set of workspaces after the other; what did not change is taken over. One at a time."""

    def __init__(self, store: CompilingStore) -> None:
        self._store = store
        self._numbers = Numbers(store)
        self._documents = Documents()
        self._revision: int | None = None
        self._before: Ruleset | None = None
        self._reached: tuple[MailServer, Sequence[object], Reach] | None = None

    async def compile(self, workspaces: Sequence[Workspace], mail: MailServer) -> Compiled:
        """Compile off the event loop. Raises as `compile_ruleset`, and StoreUnavailableError."""
        if self._revision is None:
            self._revision = int(await self._store.get_meta("revision") or 0)
        ids, names = await self._numbers.of(workspaces), await self._store.names()
        self._revision += 1
        return await asyncio.to_thread(self._compile, workspaces, ids, names, mail, self._revision)

    async def keep(self, compiled: Compiled) -> None:
        """Keep what explains decisions, before there are any. Raises StoreUnavailableError."""
        await self._store.keep_revision(compiled.document)

    def _compile(
        self,
        workspaces: Sequence[Workspace],
        ids: Mapping[NameKey, int],
        names: Mapping[int, NameKey],
        mail: MailServer,
        revision: int,
    ) -> Compiled:
        reach = self._reach(workspaces, mail)
        ruleset = compile_ruleset(workspaces, ids, revision, names, reach, self._before)
        self._before = ruleset
        return Compiled(workspaces, ruleset, RulesetDocument(revision, self._documents.write(workspaces)))

    def _reach(self, workspaces: Sequence[Workspace], mail: MailServer) -> Reach:
        """Say who is reached; asked again only when destinations or people have changed."""
        seen = [part for each in workspaces for part in (each.name, each.destinations, each.projects, each.owner)]
        known = self._reached
        if known is None or known[0] != mail or not same(known[1], seen):
            self._reached = known = (mail, seen, reach_of(workspaces, mail))
        return known[2]


def same(one: Sequence[object], other: Sequence[object]) -> bool:
    """Whether two sequences hold the same objects."""
    return len(one) == len(other) and all(map(is_, one, other))
