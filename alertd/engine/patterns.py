"""The patterns of a channel: what it chooses, compiled. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.matching.pattern import PatternKind, compile_pattern
from alertd.model.channel import ChannelKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from alertd.matching.pattern import Pattern
    from alertd.model.channel import Channel


def patterns_of(channel: Channel, known_groups: Mapping[str, tuple[str, ...]]) -> list[Pattern]:
    """Compile what a channel chooses: one pattern, or a literal for each type of its list or group."""
    if channel.kind is ChannelKind.LIST:
        return literals(channel.types)
    pattern = channel.pattern or ""
    if channel.kind is ChannelKind.GROUP:
        return literals(known_groups.get(pattern, ()))
    return [compile_pattern(PatternKind(channel.kind), pattern)]


def literals(types: Iterable[str]) -> list[Pattern]:
    """Compile types as patterns, each once."""
    return [compile_pattern(PatternKind.LITERAL, name) for name in dict.fromkeys(types)]
