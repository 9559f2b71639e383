"""What makes resources live: compiled off the event loop, then handed to the lanes and the pipeline in one step."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from alertd.engine.derivation import DerivationError
from alertd.errors import InvalidError, Problem
from alertd.matching.index import RulesetTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.app.compiling import Compiled
    from alertd.app.rules import Rules
    from alertd.config.settings import Config
    from alertd.delivery.dispatcher import Dispatcher
    from alertd.pipeline import Pipeline
    from alertd.resources.snapshot import Snapshot
    from alertd.store.resource import RulesetDocument


REST_FACTOR: Final = 10
"""While events wait, changes rest for so many times as long as the last ones took (milliseconds, by one or by many) ..."""
REST_MAX_SECONDS: Final = 0.25
"""... but never longer than this."""


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
        workspaces = snapshot.workspaces() if snapshot.assembled else await asyncio.to_thread(snapshot.workspaces)
        try:
            return await self._rules.compiling.compile(workspaces, (config or self._config()).mail)
        except RulesetTooLargeError as error:
            raise InvalidError([Problem("/pattern", str(error))]) from error
        except DerivationError as error:
            raise InvalidError([Problem("/type", str(error))]) from error

    def document(self, prepared: Compiled) -> RulesetDocument:
        """Give what explains its decisions: it must be kept before there are any."""
        return prepared.document

    async def prepare_alone(self, snapshot: Snapshot, config: Config | None = None) -> Compiled:
        """Prepare what comes with no change, and so is kept at once. Raises as `prepare`, and StoreUnavailableError."""
        prepared = await self.prepare(snapshot, config)
        await self._rules.compiling.keep(prepared)
        return prepared

    async def apply(self, prepared: Compiled) -> None:
        """Decide with it from the next event on.

        Lanes first: an event must never be planned for a destination that has none, or it would pass for a removed one.
        """
        if self._parts is None:
            raise AssertionError("connect comes first")
        dispatcher, pipeline = self._parts
        rules, ruleset, config = self._rules, prepared.ruleset, self._config()
        dispatcher.log_successes(on=config.log.level == "debug")
        lanes, naming = rules.lanes(config, prepared), rules.naming(ruleset)
        if lanes is None:
            dispatcher.rename(naming)
        else:
            await dispatcher.apply(lanes, naming)
        await pipeline.swap(ruleset)

    async def give_way(self, took_seconds: float) -> None:
        """Rest when events wait for their commit: changes that come fast must not hold up an alert."""
        if self._parts is not None and self._parts[1].queued_events:
            await asyncio.sleep(min(REST_MAX_SECONDS, took_seconds * REST_FACTOR))
