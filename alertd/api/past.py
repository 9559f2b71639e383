"""Rulesets of the past, compiled again from the store, to explain what they decided; the last few are remembered."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import structlog

from alertd.engine.document import ruleset_of
from alertd.errors import AlertdError

if TYPE_CHECKING:
    from alertd.engine.ruleset import Ruleset
    from alertd.store.base import Store

KEPT: Final = 4
"""How many rulesets of the past are remembered."""

_log = structlog.get_logger("alertd.api")


class PastRulesets:
    """Finds the ruleset of a revision."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._compiled: OrderedDict[int, Ruleset | None] = OrderedDict()
        self._lock = asyncio.Lock()

    async def at(self, revision: int, now: Ruleset) -> Ruleset | None:
        """The ruleset of a revision: `now`'s own, or an earlier one; None when it is not kept or not readable any more."""
        if revision == now.revision:
            return now
        async with self._lock:
            if revision not in self._compiled:
                self._compiled[revision] = await self._compile(revision)
                if len(self._compiled) > KEPT:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end(revision)
            return self._compiled[revision]

    async def _compile(self, revision: int) -> Ruleset | None:
        document = await self._store.revision(revision)
        if document is None:
            return None
        numbers = {key: number for number, key in (await self._store.names()).items()}
        try:
            return await asyncio.to_thread(ruleset_of, document, revision, numbers)
        except (AlertdError, ValueError, KeyError) as error:
            _log.warning("revision.unreadable", revision=revision, error=str(error))
            return None
