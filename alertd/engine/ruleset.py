"""A ruleset: all resources of all workspaces, compiled for deciding; immutable, swapped in one step.

Compiling is pure and slow (a set of 10,000 patterns takes tens of milliseconds), so it runs off the event loop.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alertd.engine.compile import compile_workspace
from alertd.model.catalogue import derived_types
from alertd.model.channel import SYSTEM_CHANNELS
from alertd.model.ids import NameKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from alertd.engine.rules import WorkspaceRules
    from alertd.matching.index import Index
    from alertd.model.workspace import Workspace

__all__ = ["NameKey", "Reach", "Ruleset", "compile_ruleset", "name_keys"]


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All workspaces; `revision` numbers it; `ids` are the numbers of what it holds.

    `names` gives every number that was ever made its name back, those of resources that are gone too; `refuses` says
    whether any workspace refuses events whose data violates a schema.
    """

    revision: int
    workspaces: Mapping[str, WorkspaceRules]
    ids: Mapping[NameKey, int]
    names: Mapping[int, NameKey]
    refuses: bool

    @property
    def channel_count(self) -> int:
        """How many channels decide, the built-in ones included."""
        return sum(rules.channel_count for rules in self.workspaces.values())

    @property
    def indexes(self) -> Iterator[Index]:
        """What all patterns are matched with."""
        return (index for rules in self.workspaces.values() for index in rules.index.indexes)


@dataclass(frozen=True, slots=True)
class Reach:
    """What the engine cannot see in a destination's settings, by (workspace, destination).

    Shapes: `projects` are those in which a destination that writes to people reaches any (absent: everywhere);
    `needs_issue` are those whose format cannot do without an issue.
    """

    projects: Mapping[tuple[str, str], frozenset[str]]
    needs_issue: frozenset[tuple[str, str]] = frozenset()


def name_keys(workspaces: Sequence[Workspace]) -> list[NameKey]:
    """List every name that a ruleset of these workspaces needs a number for."""
    return [(kind, own.name, name) for own in workspaces for kind, names in _named(own) for name in names]


def _named(workspace: Workspace) -> Iterator[tuple[str, Iterator[str]]]:
    yield "workspace", iter((workspace.name,))
    yield "channel", iter(SYSTEM_CHANNELS)
    yield "channel", (each.name for each in workspace.channels)
    yield "destination", (each.name for each in workspace.destinations)
    yield "subscription", (each.name for each in workspace.subscriptions)
    yield "derived_type", (each.name for each in derived_types(workspace))
    yield "metric_alert", (each.name for each in workspace.metric_alerts)


def compile_ruleset(
    workspaces: Sequence[Workspace],
    ids: Mapping[NameKey, int],
    revision: int,
    names: Mapping[int, NameKey] | None = None,
    reach: Reach | None = None,
    before: Ruleset | None = None,
) -> Ruleset:
    """Compile workspaces whose names have the numbers `ids`; `names` are all that there ever were (None: only these).

    From the ruleset `before`, whose names had the same numbers, is taken over what did not change.

    Raises PatternError (and its like from `compile_rope`) for patterns, SchemaError for schemas, DerivationError for
    derived types that feed each other, KeyError never when references were checked.
    """
    rules = {}
    for workspace in workspaces:
        known = None if before is None else before.workspaces.get(workspace.name)
        compiled = compile_workspace(workspace, ids, known)
        rules[workspace.name] = compiled if reach is None else _with_reach(workspace.name, compiled, reach)
    every = names if names is not None else {number: key for key, number in ids.items()}
    return Ruleset(revision, rules, ids, every, refuses=any(compiled.refuses for compiled in rules.values()))


def _with_reach(workspace: str, compiled: WorkspaceRules, reach: Reach) -> WorkspaceRules:
    numbers = compiled.destinations
    own = {numbers[name]: projects for (home, name), projects in reach.projects.items() if home == workspace}
    needs_issue = frozenset(numbers[name] for home, name in reach.needs_issue if home == workspace)
    if (own, needs_issue) == (compiled.reach, compiled.needs_issue):
        return compiled
    compiled = copy(compiled)
    compiled.reach, compiled.needs_issue = own, needs_issue
    compiled.forget_scopes()
    return compiled
