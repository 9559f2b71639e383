"""The layout of compiled rules: what stands where, so that the rules after them take over what did not change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from alertd.engine.rules import CompiledChannel
from alertd.engine.scope import ScopeIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from alertd.engine.rules import CompiledDerived, CompiledMetric, CompiledSubscription
    from alertd.model.workspace import Workspace


NameKey = tuple[str, str, str]
"""(kind, workspace, name)"""


@dataclass(slots=True)
class Listeners:
    """Who listens to one channel."""

    subscriptions: list[CompiledSubscription] = field(default_factory=list)
    derived: list[CompiledDerived] = field(default_factory=list)
    metrics: list[CompiledMetric] = field(default_factory=list)

    def channel(self, number: int, environments: Iterable[str] = ()) -> CompiledChannel:
        """Make the channel."""
        seen = frozenset(environments)
        index = ScopeIndex(self.subscriptions, seen) if self.subscriptions else None
        heard = tuple(self.subscriptions), tuple(self.derived), tuple(self.metrics)
        return CompiledChannel(number, seen, *heard, index)


NOBODY: Final = Listeners()
"""Who listens to a channel that nothing names."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Of which workspace rules were made, and how.

    Shapes: `subscriptions` are compiled in the workspace's order; `groups` are the types of each group; `listeners` are
    by the name of a channel; the patterns of the workspace's channel `n` stand from `places[n]` to `places[n + 1]`.
    """

    workspace: Workspace
    subscriptions: Sequence[CompiledSubscription]
    groups: Mapping[str, tuple[str, ...]]
    listeners: Mapping[str, Listeners]
    places: Sequence[int]

    def heard_by(self, name: str) -> Listeners:
        """Say who listens to a channel."""
        return self.listeners.get(name, NOBODY)
