"""A ruleset: all resources of all workspaces, compiled for deciding; immutable, swapped in one step.

Compiling is pure and slow (a set of 10,000 patterns takes tens of milliseconds), so it runs off the event loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alertd.engine.compile import NameKey, compile_workspace
from alertd.engine.derivation import check_derivations
from alertd.model.catalogue import derived_types
from alertd.model.channel import SYSTEM_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alertd.engine.rules import WorkspaceRules
    from alertd.model.workspace import Workspace

__all__ = ["NameKey", "Reach", "Ruleset", "compile_ruleset", "name_keys"]


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All workspaces; `revision` numbers it; `ids` are the numbers of what it holds.

    `names` gives every number that was ever made its name back, those of resources that are gone too.
    """

    revision: int
    workspaces: Mapping[str, WorkspaceRules]
    ids: Mapping[NameKey, int]
    names: Mapping[int, NameKey]

    @property
    def refuses(self) -> bool:
        """Whether any workspace refuses events whose data violates a schema."""
        return any(rules.refuses for rules in self.workspaces.values())

    @property
    def channel_count(self) -> int:
        """How many channels decide, the built-in ones included."""
        return sum(rules.channel_count for rules in self.workspaces.values())

    @property
    def fallbacks(self) -> int:
        """How many look-ups had to try each pattern alone."""
        return sum(rules.index.fallbacks for rules in self.workspaces.values())


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
    keys: list[NameKey] = []
    for workspace in workspaces:
        own = workspace.name
        keys.append(("workspace", own, own))
        keys += [("channel", own, name) for name in SYSTEM_CHANNELS]
        keys += [("channel", own, channel.name) for channel in workspace.channels]
        keys += [("destination", own, destination.name) for destination in workspace.destinations]
        keys += [("subscription", own, subscription.name) for subscription in workspace.subscriptions]
        keys += [("derived_type", own, derived.name) for derived in derived_types(workspace)]
        keys += [("metric_alert", own, metric.name) for metric in workspace.metric_alerts]
    return keys


def compile_ruleset(
    workspaces: Sequence[Workspace],
    ids: Mapping[NameKey, int],
    revision: int,
    names: Mapping[int, NameKey] | None = None,
    reach: Reach | None = None,
) -> Ruleset:
    """Compile workspaces whose names have the numbers `ids`; `names` adds those of the past.

    Raises PatternError (and its like from `compile_index`) for patterns, SchemaError for schemas, DerivationError for
    derived types that feed each other, KeyError never when references were checked.
    """
    rules = {}
    for workspace in workspaces:
        compiled = rules[workspace.name] = compile_workspace(workspace, ids)
        check_derivations(compiled)
        if reach is not None:
            _take_reach(workspace.name, compiled, reach)
    return Ruleset(revision, rules, ids, {**(names or {}), **{number: key for key, number in ids.items()}})


def _take_reach(workspace: str, compiled: WorkspaceRules, reach: Reach) -> None:
    numbers = compiled.destinations
    compiled.reach = {numbers[name]: projects for (own, name), projects in reach.projects.items() if own == workspace}
    compiled.needs_issue = frozenset(numbers[name] for own, name in reach.needs_issue if own == workspace)
