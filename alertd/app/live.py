"""What makes resources live: compiled off the event loop, then handed to the lanes and the pipeline in one step."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alertd.engine.derivation import DerivationError
from alertd.errors import InvalidError, Problem
from alertd.matching.index import RulesetTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alertd.app.rules import Rules
    from alertd.config.settings import Config
    from alertd.delivery.dispatcher import Dispatcher
    from alertd.engine.ruleset import Ruleset
    from alertd.model.workspace import Workspace
    from alertd.pipeline import Pipeline
    from alertd.resources.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Compiled:
    """A snapshot that is ready to decide."""

    workspaces: Sequence[Workspace]
    ruleset: Ruleset


class LiveRules:
    """The `Live` of the registry. `connect` it to what decides and delivers before anything is applied."""

    def __init__(self, rules: Rules, config: Callable[[], Config]) -> None:
        self._rules = rules
        self._config = config
        self._parts: tuple[Dispatcher, Pipeline] | None = None

    def connect(self, dispatcher: Dispatcher, pipeline: Pipeline) -> None:
        """Hand what is applied to these from now on."""
        self._parts = (dispatcher, pipeline)

    async def prepare(self, snapshot: Snapshot, config: Config | None = None) -> Compiled:
        """Compile, for a configuration to be (None: the present one). Raises InvalidError when they do not fit together."""
        workspaces = await asyncio.to_thread(snapshot.workspaces)
        there = {workspace.name for workspace in workspaces}
        known = self._parts[1].ruleset.workspaces if self._parts else ()
        try:
            mail = (config or self._config()).mail
            ruleset = await self._rules.compile(workspaces, mail, [name for name in known if name not in there])
        except RulesetTooLargeError as error:
            raise InvalidError([Problem("/pattern", str(error))]) from error
        except DerivationError as error:
            raise InvalidError([Problem("/type", str(error))]) from error
        return Compiled(workspaces, ruleset)

    async def apply(self, prepared: Compiled) -> None:
        """Decide with it from the next event on.

        Lanes first: an event must never be planned for a destination that has none, or it would pass for a removed one.
        """
        if self._parts is None:
            raise AssertionError("connect comes first")
        dispatcher, pipeline = self._parts
        rules, ruleset = self._rules, prepared.ruleset
        await dispatcher.apply(rules.lanes(self._config(), prepared.workspaces, ruleset), rules.naming(ruleset))
        await pipeline.swap(ruleset)
