"""The layout of compiled rules: what stands where, so that the rules after them take over what did not change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alertd.engine.channel import NOBODY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alertd.engine.channel import CompiledChannel, Listeners
    from alertd.engine.compiled import CompiledSubscription
    from alertd.matching.pattern import Pattern
    from alertd.model.workspace import Workspace


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
