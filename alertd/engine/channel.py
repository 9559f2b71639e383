"""Compiled channels, and who listens to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from alertd.engine.compiled import set_of
from alertd.engine.scope import FEW, ScopeIndex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.engine.compiled import CompiledDerived, CompiledMetric, CompiledSubscription


@dataclass(frozen=True, slots=True)
class CompiledChannel:
    """A channel's number, the environments that it sees (empty: all), and everything that listens to it.

    The types that a derived type or a metric alert names itself are a channel too, without a number (0). `index` finds
    the subscriptions where they are more than a few.
    """

    id: int
    environments: frozenset[str]
    subscriptions: tuple[CompiledSubscription, ...] = ()
    derived: tuple[CompiledDerived, ...] = ()
    metrics: tuple[CompiledMetric, ...] = ()
    index: ScopeIndex | None = None


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


NOBODY: Final = Listeners()
"""Who listens to a channel that nothing names."""
