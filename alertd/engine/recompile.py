"""Compiling again after channels alone have changed: those that did are compiled, all else is taken over. Pure."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from alertd.engine.derivation import check_derivations
from alertd.engine.patterns import patterns_of
from alertd.model.span import span_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alertd.engine.layout import Layout, NameKey
    from alertd.engine.rules import CompiledChannel, WorkspaceRules
    from alertd.matching.pattern import Pattern
    from alertd.model.channel import Channel
    from alertd.model.workspace import Workspace

_COMPILED: Final = (
    "name",
    "catalogues",
    "event_types",
    "destinations",
    "subscriptions",
    "derived_types",
    "metric_alerts",
    "schema_policy",
    "learnt_types_max",
    "incidents",
)
"""What of a workspace, besides its channels, is compiled."""


def only_channels_changed(before: Workspace, now: Workspace) -> bool:
    """Whether rules of `now` differ from those of `before` in nothing but channels."""
    return all(_same(getattr(before, name), getattr(now, name)) for name in _COMPILED)


def with_channels(before: WorkspaceRules, layout: Layout, now: Workspace, ids: Mapping[NameKey, int]) -> WorkspaceRules:
    """Give the rules of a workspace that differs from the layout's in its channels alone.

    What was selected for events is still known when nobody listens to what has changed: no answer can be another.
    Raises RulesetTooLargeError, DerivationError.
    """
    start, old_stop, new_stop = span_of(layout.workspace.channels, now.channels)
    if start == old_stop == new_stop:
        return before
    first, last = layout.places[start], layout.places[old_stop]
    made = _Part(first)
    for channel in now.channels[start:new_stop]:
        number = ids["channel", now.name, channel.name]
        made.add(layout.heard_by(channel.name).channel(number, channel.environments), channel, layout)
    changed = (*before.channels[first:last], *made.channels)
    rules = copy(before)
    rules.index = before.index.replaced(first, last, made.patterns)
    rules.channels = (*before.channels[:first], *made.channels, *before.channels[last:])
    rules.channel_count = before.channel_count + made.count - _filled(layout.places[start : old_stop + 1])
    places = [*layout.places[:start], *made.places, *_shifted(layout.places[old_stop:], made.at - last)]
    rules.layout = replace(layout, workspace=now, places=places)
    if any(channel.subscriptions or channel.derived or channel.metrics for channel in changed):
        rules.forget_scopes()
    if any(channel.derived for channel in changed):
        check_derivations(rules)
    return rules


class _Part:
    """The changed part of the channels, laid out from position `at` on; `count` are those that have patterns."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0
        self.places: list[int] = []
        self.channels: list[CompiledChannel] = []
        self.patterns: list[Pattern] = []

    def add(self, compiled: CompiledChannel, channel: Channel, layout: Layout) -> None:
        """Put a channel at the positions of its patterns."""
        own = patterns_of(channel, layout.groups)
        self.places.append(self.at)
        self.patterns += own
        self.channels += [compiled] * len(own)
        self.at += len(own)
        self.count += bool(own)


def _filled(places: Sequence[int]) -> int:
    """How many channels have patterns, of those that stand from place to place."""
    return sum(place < following for place, following in pairwise(places))


def _same(one: object, other: object) -> bool:
    return one is other or one == other


def _shifted(places: Sequence[int], shift: int) -> Sequence[int]:
    return [place + shift for place in places] if shift else places
