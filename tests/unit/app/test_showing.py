"""What is promised of an event before it is sent: whether it would be seen where the daemon runs."""

from __future__ import annotations

from typing import Any

import pytest

from alertd.app.showing import is_printed
from alertd.cli.welcome import EVENT
from alertd.engine.memory import EngineMemory, Overlay
from alertd.engine.ruleset import compile_ruleset, name_keys
from alertd.model.verdict import VerdictCode
from alertd.model.workspace import Workspace
from alertd.resources.snapshot import Snapshot, provisioned_entries

NOW = 1_800_000_000_000
CONSOLE = {"name": "here", "type": "console"}
ELSEWHERE = {"name": "there", "type": "null"}


def printed(
    *destinations: dict[str, Any], disabled: bool = False, more: dict[str, Any] | None = None, **subscription: Any
) -> bool:
    """Ask of the first screen's event, in a workspace with one subscription to these destinations."""
    given = {"name": "s", "channels": ["all"], "destinations": [each["name"] for each in destinations], **subscription}
    workspace = Workspace.model_validate(
        {
            "name": "default",
            "channels": [{"name": "all", "kind": "glob", "pattern": "*"}],
            "destinations": destinations,
            "subscriptions": [given] if destinations else [],
            **(more or {}),
        }
    )
    ids = {key: number for number, key in enumerate(name_keys([workspace]), 1)}
    ruleset = compile_ruleset([workspace], ids, 1)
    memory = EngineMemory()
    memory.use(ruleset)
    closed = {ids["destination", "default", "here"]: VerdictCode.DESTINATION_DISABLED} if disabled else {}
    snapshot = Snapshot(provisioned_entries([workspace], lambda *_: None), {})
    return is_printed(EVENT, ruleset, memory.state(Overlay(), closed), snapshot, NOW)


def test_a_console_that_takes_it_shows_it() -> None:
    """Alone, or beside others."""
    assert printed(CONSOLE)
    assert printed(ELSEWHERE, CONSOLE)


@pytest.mark.parametrize(
    "subscription",
    [
        {"min_severity": "critical"},
        {"matchers": ['team="payments"']},
        {"environments": ["prod"]},
        {"channels": ["deploy:failed"]},
        {"enabled": False},
    ],
)
def test_a_console_that_does_not_take_it_shows_nothing(subscription: dict[str, Any]) -> None:
    """Whatever of its subscription decides against the event."""
    assert not printed(CONSOLE, **subscription)


def test_what_goes_elsewhere_is_not_seen() -> None:
    """Another type of destination, none at all, or a console that is switched off."""
    assert not printed(ELSEWHERE)
    assert not printed()
    assert not printed(CONSOLE, disabled=True)


def test_what_would_be_refused_is_not_seen() -> None:
    """An event whose data violates the schema of its type, where such events are refused."""
    needs_data = {"name": "run:failed", "data_schema": {"type": "object", "required": ["run_id"]}}
    assert printed(CONSOLE, more={"event_types": [needs_data]})
    assert not printed(CONSOLE, more={"event_types": [needs_data], "schema_policy": "refuse"})
