"""The layout of compiled rules: what stands where, so that the rules after them take over what did not change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from alertd.engine.rules import CompiledChannel
from alertd.engine.scope import FEW, ScopeIndex

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alertd.engine.rules import CompiledDerived, CompiledMetric, CompiledSubscription
    from alertd.matching.pattern import Pattern
    from alertd.model.workspace import Workspace


@dataclass(slots=True)
class Listeners:
    """Who listens to one channel."""

    subscriptions: list[CompiledSubscription] = field(default_factory=list)
    derived: list[CompiledDerived] = field(default_factory=list)
    metrics: list[CompiledMetric] = field(default_factory=list)

    def channel(self, number: int, environments: Sequence[str] = ()) -> CompiledChannel:
        """Make the channel."""
        seen = set_of(environments)
        index = ScopeIndex(self.subscriptions, seen) if len(self.subscriptions) > FEW else None
        heard = tuple(self.subscriptions), tuple(self.derived), tuple(self.metrics)
        return CompiledChannel(number, seen, *heard, index)


def set_of(names: Sequence[str]) -> frozenset[str]:
    """Make a set; an empty one is always the same, since there are very many and each would take 216 bytes."""
    return frozenset(names) if names else _NONE


_NONE: Final[frozenset[str]] = frozenset()
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


class Laid:
    """Channels side by side, each at the positions of its patterns, from the position `first` on."""

    def __init__(self, first: int = 0) -> None:
        self._first = first
        self.patterns: list[Pattern] = []
        self.channels: list[CompiledChannel] = []

    @property
    def end(self) -> int:
        """The position behind the last pattern: where the next channel will stand."""
        return self._first + len(self.patterns)

    def put(self, channel: CompiledChannel, patterns: Sequence[Pattern]) -> None:
        """Put a channel at the positions of its patterns."""
        self.patterns += patterns
        self.channels += [channel] * len(patterns)
