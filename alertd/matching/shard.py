"""A few patterns in one `re2.Set`: the smallest thing that the index asks. A Set that a living shard has is not compiled again.

Matching with a Set that failed to compile ends the process, so none is ever kept: `compile_shard` either gives a shard
that has answered once, or raises. Every Set also holds a sentinel that matches everything; an answer without it means
that the engine gave up, and the patterns are asked one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

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
        super().__init__(f"{patterns} patterns do not fit into {max_mem_bytes} bytes: have fewer, or shorter ones")


@dataclass(frozen=True, slots=True)
class Member:
    """A pattern and its position in the ruleset."""

    position: int
    pattern: Pattern


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Compiled:
    """A Set that has answered once, and the memory that it was given in the end."""

    set: re2.Set
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Shard:
    """Members and the Set that stands for all of them; `origin` is what it shares with shards of the same patterns."""

    members: tuple[Member, ...]
    compiled: re2.Set
    origin: Compiled

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
        """Give the fair part of so many patterns; much is kept back for those that need more, or are in many Sets.

        It is a power of two, so that one pattern more or less seldom changes what the others get.
        """
        fair = self.max_bytes // 2 * patterns // max(self.patterns, 1)
        rest = (self.max_bytes - self.used) // 8
        return max(_power_of_two(min(fair, rest, _MOST_BYTES)), min(_LEAST_BYTES, self.max_bytes))


def compile_shard(members: Sequence[Member], memory: Memory) -> Shard:
    """Compile a shard, with more memory as long as there is some and it needs it."""
    first = memory.take(memory.share(len(members)))
    key = (first, tuple(member.pattern.source for member in members))
    known = _living.get(key)
    if known is None:
        known = _living[key] = _compile_within(members, first, memory)
    else:
        memory.take(known.max_bytes - first)
    return Shard(tuple(members), known.set, known)


_living: Final[WeakValueDictionary[tuple[int, tuple[str, ...]], Compiled]] = WeakValueDictionary()
"""What shards have now, by the memory that it began with and its sources: the same compiles to the same."""
_SENTINEL = 0
_EVERYTHING = "(?s:.*)"
_LEAST_BYTES = 1 << 16
_MOST_BYTES = 8 << 20


def _power_of_two(number: int) -> int:
    """Round down."""
    return 1 << (number.bit_length() - 1) if number > 0 else 0


def _compile_within(members: Sequence[Member], taken: int, memory: Memory) -> Compiled:
    while True:
        compiled = _compile(members, taken)
        if compiled is not None:
            return Compiled(compiled, taken)
        taken += memory.take(taken)


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
