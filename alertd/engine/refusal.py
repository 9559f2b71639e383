"""The refusal of events whose data violates the schema of their type, where a workspace asks for it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alertd.engine.ruleset import Ruleset
    from alertd.model.event import Event


def refusals(ruleset: Ruleset, events: Sequence[Event], *, single: bool) -> list[Problem]:
    """Say why events are refused; pointers begin with an event's index, unless it is the `single` one of its body."""
    if not ruleset.refuses:
        return []
    return [
        Problem(problem.pointer if single else f"/{index}{problem.pointer}", problem.detail)
        for index, event in enumerate(events)
        for problem in _refusal(ruleset, event)
    ]


def _refusal(ruleset: Ruleset, event: Event) -> Iterator[Problem]:
    rules = ruleset.workspaces.get(event.workspace)
    schema = rules.schemas.get(event.type) if rules is not None and rules.refuses else None
    if schema is not None:
        for violation in schema.violations(event.body.get("data")):
            yield Problem(violation.pointer, f"violates the schema of {event.type}: {violation.detail}")
