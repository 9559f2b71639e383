"""Whether an event would be seen where the daemon runs: what a destination of the type `console` would print. Nothing is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import orjson

from alertd.engine.explain import explain
from alertd.engine.refusal import refusals
from alertd.model.workspace import DEFAULT
from alertd.sources.base import Context
from alertd.sources.native import decode_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.engine.ruleset import Ruleset
    from alertd.engine.state import EngineState
    from alertd.model.destination import Destination
    from alertd.resources.snapshot import Snapshot


def is_printed(given: Mapping[str, Any], ruleset: Ruleset, state: EngineState, snapshot: Snapshot, now_ms: int) -> bool:
    """Whether an event, sent now to the workspace `default`, would be delivered to standard output. Raises DecodeError."""
    events = decode_json(orjson.dumps(given), Context(DEFAULT, now_ms, frozenset(ruleset.workspaces)))
    if refusals(ruleset, events, single=True):
        return False
    plan = explain(ruleset, state, events[0], now_ms)[0].plan
    return any(_is_console(ruleset, snapshot, each.destination_id) for each in plan.deliveries)


def _is_console(ruleset: Ruleset, snapshot: Snapshot, destination_id: int) -> bool:
    entry = snapshot.get(ruleset.names[destination_id])
    return entry is not None and cast("Destination", entry.model).type == "console"
