"""A few patterns in one `re2.Set`: the smallest thing that the index asks.

Matching with a Set that failed to compile ends the process, so none is ever kept: `compile_shard` either gives a shard
that has answered once, or raises. Every Set also holds a sentinel that matches everything; an answer without it means
that the engine gave up, and the patterns are asked one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import re2

from alertd.errors import AlertdError, PatternError
from alertd.matching.pattern import re2_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.matching.pattern import Pattern


class RulesetTooLargeError(AlertdError):
    """The patterns together need more memory than they may have."""

    def __init__(self, patterns: int, max_mem_bytes: int) -> None:
        self.patterns = patterns
        self.max_mem_bytes = max_mem_bytes
        super().__init__(f"{patterns} patterns do not fit into {max_mem_bytes} bytes: have fewer, or allow more memory")


@dataclass(frozen=True, slots=True)
class Member:
    """A pattern and its position in the ruleset."""

    position: int
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Shard:
    """Members and the Set that stands for all of them."""

    members: tuple[Member, ...]
    compiled: re2.Set

    def ask(self, encoded: bytes) -> list[int] | None:
        """Give the positions that match, in no order; None when the engine gave up."""
        found = self.compiled.Match(encoded)
        if not found or _SENTINEL not in found:
            return None
        members = self.members
        return [members[number - 1].position for number in found if number != _SENTINEL]

    def ask_each(self, type: str) -> list[int]:  # noqa: A002 - an event's type is called type everywhere
        """Give the same answer slowly, one pattern at a time."""
        return [member.position for member in self.members if member.pattern.matches(type)]


@dataclass(slots=True)
class Memory:
    """The memory that all Sets of one index may use together; `patterns` is how many have to share it."""

    max_bytes: int
    patterns: int
    used: int = 0

    def take(self, wanted: int) -> int:
        """Take a part for one Set; raises RulesetTooLargeError when there is not so much left."""
        if self.used + wanted > self.max_bytes:
            raise RulesetTooLargeError(self.patterns, self.max_bytes)
        self.used += wanted
        return wanted

    def share(self, patterns: int) -> int:
        """Give the fair part of so many patterns; much is kept back for those that need more, or are in many Sets."""
        fair = self.max_bytes // 2 * patterns // max(self.patterns, 1)
        rest = (self.max_bytes - self.used) // 8
        return max(min(fair, rest, _MOST_BYTES), min(_LEAST_BYTES, self.max_bytes))


def compile_shard(members: Sequence[Member], memory: Memory) -> Shard:
    """Compile a shard, with more memory as long as there is some and it needs it."""
    taken = memory.take(memory.share(len(members)))
    while True:
        compiled = _compile(members, taken)
        if compiled is not None:
            return Shard(tuple(members), compiled)
        taken += memory.take(taken)


_SENTINEL = 0
_EVERYTHING = "(?s:.*)"
_LEAST_BYTES = 1 << 16
_MOST_BYTES = 8 << 20


def _compile(members: Sequence[Member], max_mem_bytes: int) -> re2.Set | None:
    """Give a Set that has answered once, or None: one that could crash the process is dropped here."""
    compiled = re2.Set.FullMatchSet(re2_options(max_mem_bytes))
    compiled.Add(_EVERYTHING)
    for member in members:
        _add(compiled, member.pattern)
    try:
        compiled.Compile()
    except re2.error:
        return None
    return compiled if compiled.Match(b"") else None


def _add(compiled: re2.Set, pattern: Pattern) -> None:
    try:
        compiled.Add(pattern.source)
    except re2.error as error:
        raise PatternError(pattern.text, "RE2 refuses it in a set") from error
