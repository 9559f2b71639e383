"""The patterns of a channel: what it chooses, compiled. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from alertd.matching.pattern import PatternKind, compile_pattern
from alertd.model.channel import ChannelKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from alertd.matching.pattern import Pattern
    from alertd.model.channel import Channel

PATTERNS_KEPT: Final = 32_768
"""Compiled patterns that the next ruleset need not compile again."""


def patterns_of(channel: Channel, known_groups: Mapping[str, tuple[str, ...]]) -> list[Pattern]:
    """Compile what a channel chooses: one pattern, or a literal for each type of its list or group."""
    if channel.kind is ChannelKind.LIST:
        return literals(channel.types)
    pattern = channel.pattern or ""
    if channel.kind is ChannelKind.GROUP:
        return literals(known_groups.get(pattern, ()))
    return [_pattern(PatternKind(channel.kind), pattern)]


@lru_cache(maxsize=PATTERNS_KEPT)
def _pattern(kind: PatternKind, text: str) -> Pattern:
    return compile_pattern(kind, text)


def literals(types: Iterable[str]) -> list[Pattern]:
    """Compile types as patterns, each once."""
    return [_pattern(PatternKind.LITERAL, name) for name in dict.fromkeys(types)]
