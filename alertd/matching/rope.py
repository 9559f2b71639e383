"""A rope: indexes laid end to end, which answer as one index of all their patterns would.

A changed ruleset shares with the one before it every index that still has something to say: what was compiled stays
compiled, and what was looked up is remembered. A change costs what it adds. New patterns become an index of their own,
which takes in its left neighbour as long as that is no larger, so that many small additions are few indexes in the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from alertd.matching.index import DEFAULT_MAX_MEM_BYTES, RulesetTooLargeError, compile_index
from alertd.matching.shard import Memory
from alertd.model.span import span_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from alertd.matching.index import Index
    from alertd.matching.pattern import Pattern

PIECES_MAX: Final = 24
"""Of more pieces one index is compiled instead."""

SMALL_CACHE_ENTRIES: Final = 1024
"""Types whose answer an index remembers that was added to others."""

SHARED_BYTES: Final = DEFAULT_MAX_MEM_BYTES * 3 // 4
"""Indexes that need more than this together become one, which alone says whether the patterns fit."""


class Piece(NamedTuple):
    """The patterns of an index from `start` to `stop`; the others of it are gone, and not heard."""

    of: Index
    start: int
    stop: int

    @property
    def size(self) -> int:
        """How many patterns it has."""
        return self.stop - self.start


class Rope:
    """Gives for a type the positions of all patterns that match it. Immutable, but for what its indexes remember."""

    __slots__ = ("_pieces", "_whole", "patterns")

    def __init__(self, patterns: tuple[Pattern, ...], pieces: tuple[Piece, ...]) -> None:
        self.patterns = patterns
        self._pieces = pieces
        self._whole = pieces[0].of if len(pieces) == 1 and len(pieces[0].of) == len(patterns) else None

    def lookup(self, type: str) -> tuple[int, ...]:  # noqa: A002 - an event's type is called type everywhere
        """Give the positions of all patterns that match the whole type, ascending; from one thread at a time."""
        if self._whole is not None:
            return self._whole.lookup(type)
        return _join(self._pieces, (piece.of.lookup(type) for piece in self._pieces))

    def find(self, type: str) -> tuple[int, ...]:  # noqa: A002 - the same
        """Answer as `lookup` does, slowly, from any thread."""
        return _join(self._pieces, (piece.of.find(type) for piece in self._pieces))

    @property
    def indexes(self) -> Iterable[Index]:
        """The indexes that it is made of, each once."""
        return _indexes(self._pieces)

    def changed(self, patterns: tuple[Pattern, ...]) -> Rope:
        """Give the rope of other patterns; what both have in common stays. Raises RulesetTooLargeError."""
        start, stop, new_stop = span_of(self.patterns, patterns)
        return self.replaced(start, stop, patterns[start:new_stop])

    def replaced(self, start: int, stop: int, given: Sequence[Pattern]) -> Rope:
        """Give a rope with `given` in the place of the patterns from `start` to `stop`. Raises RulesetTooLargeError."""
        if start == stop and not given:
            return self
        patterns = (*self.patterns[:start], *given, *self.patterns[stop:])
        left, right = _cut(self._pieces, 0, start), _cut(self._pieces, stop, len(self.patterns))
        first = start
        if given:
            while left and left[-1].size <= start + len(given) - first:
                first -= left.pop().size
        try:
            middle = _compile(patterns[first : start + len(given)], len(patterns), [*left, *right])
        except RulesetTooLargeError:
            return compile_rope(patterns)
        pieces = (*left, *middle, *right)
        if len(pieces) > PIECES_MAX or _memory_bytes(pieces) > SHARED_BYTES:
            return compile_rope(patterns)
        return Rope(patterns, pieces)


def compile_rope(patterns: Sequence[Pattern]) -> Rope:
    """Compile patterns into one index; raises RulesetTooLargeError."""
    own = tuple(patterns)
    return Rope(own, (Piece(compile_index(own), 0, len(own)),))


def _compile(patterns: tuple[Pattern, ...], of: int, beside: Iterable[Piece]) -> list[Piece]:
    """Compile a part of `of` patterns within the memory that other pieces leave."""
    if not patterns:
        return []
    memory = Memory(DEFAULT_MAX_MEM_BYTES, of, _memory_bytes(beside))
    index = compile_index(patterns, cache_entries=SMALL_CACHE_ENTRIES, memory=memory)
    return [Piece(index, 0, len(patterns))]


def _cut(pieces: Iterable[Piece], start: int, stop: int) -> list[Piece]:
    """Give what of pieces lies between two positions of their rope."""
    found, at = [], 0
    for index, first, last in pieces:
        begin, end = max(first, first + start - at), min(last, first + stop - at)
        if begin < end:
            found.append(Piece(index, begin, end))
        at += last - first
    return found


def _join(pieces: Iterable[Piece], answers: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    found: list[int] = []
    at = 0
    for (_, start, stop), answer in zip(pieces, answers, strict=True):
        if answer:
            shift = at - start
            found += [position + shift for position in answer if start <= position < stop]
        at += stop - start
    return tuple(found)


def _indexes(pieces: Iterable[Piece]) -> Iterable[Index]:
    return {id(piece.of): piece.of for piece in pieces}.values()


def _memory_bytes(pieces: Iterable[Piece]) -> int:
    return sum(index.memory_bytes for index in _indexes(pieces))
