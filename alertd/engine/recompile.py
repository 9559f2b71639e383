"""Compiling again after channels alone have changed: those that did are compiled, all else is taken over. Pure."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from alertd.engine.derivation import check_derivations
from alertd.engine.layout import Laid
from alertd.engine.patterns import patterns_of
from alertd.model.span import span_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alertd.engine.rules import WorkspaceRules
    from alertd.model.ids import NameKey
    from alertd.model.workspace import Workspace

_compiled_of: Final = attrgetter(
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
"""Gives what of a workspace, besides its channels, is compiled."""


def only_channels_changed(before: Workspace, now: Workspace) -> bool:
    """Whether rules of `now` differ from those of `before` in nothing but channels."""
    return bool(_compiled_of(before) == _compiled_of(now))  # what is the same object is not looked into


def with_channels(before: WorkspaceRules, now: Workspace, ids: Mapping[NameKey, int]) -> WorkspaceRules:
    """Give the rules of a workspace that differs from that of the rules `before` in its channels alone.

    What was selected for events is still known when nobody listens to what has changed: no answer can be another.
    Raises RulesetTooLargeError, DerivationError.
    """
    layout = before.layout
    span = span_of(layout.workspace.channels, now.channels)
    if span.empty:
        return before
    start, old_stop, new_stop = span
    first, last = layout.places[start], layout.places[old_stop]
    laid, places = Laid(first), [*layout.places[:start]]
    for channel in now.channels[start:new_stop]:
        compiled = layout.heard_by(channel.name).channel(ids["channel", now.name, channel.name], channel.environments)
        places.append(laid.end)
        laid.put(compiled, patterns_of(channel, layout.groups))
    places += [place + laid.end - last for place in layout.places[old_stop:]]
    filled = _filled(places[start : new_stop + 1]) - _filled(layout.places[start : old_stop + 1])
    rules = copy(before)
    rules.index = before.index.replaced(first, last, laid.patterns)
    rules.channels = (*before.channels[:first], *laid.channels, *before.channels[last:])
    rules.channel_count = before.channel_count + filled
    rules.layout = replace(layout, workspace=now, places=places)
    changed = (*before.channels[first:last], *laid.channels)
    if any(channel.subscriptions or channel.derived or channel.metrics for channel in changed):
        rules.forget_scopes()
    if any(channel.derived for channel in changed):
        check_derivations(rules)
    return rules


def _filled(places: Sequence[int]) -> int:
    """How many channels have patterns, of those that stand from place to place."""
    return sum(place < following for place, following in pairwise(places))
