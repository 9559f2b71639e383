"""Patterns sorted by the literal text that their matches begin with, in shards of bounded size.

The texts that begin with one prefix lie side by side when sorted, so the line of all texts falls into stretches, each
with the few shards that can match there: a look-up is one bisection. What shares a prefix and is still too much for
one shard is sorted once more by how its matches end, in a tree of its own over reversed texts.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import groupby, takewhile
from typing import TYPE_CHECKING, NamedTuple

from alertd.matching.shard import Member, Memory, Shard, compile_shard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alertd.matching.affix import Affix

PACK_PATTERNS = 48
"""Patterns with their own longer prefixes in one shard, at most."""

CARRIED_PATTERNS = 16
"""Patterns with a shorter prefix that are compiled into each such shard, at most; more get shards of their own."""

LOOSE_PATTERNS = 256
"""Patterns in one shard, at most, that no text tells apart: each such shard is asked, and a greater one is slow."""

SORTED_CHARACTERS = 64
"""How much of a prefix or suffix is looked at, at most."""


class Entry(NamedTuple):
    """A member under the text that its matches begin with, and the reversed text that they end with."""

    prefix: str
    reversed_suffix: str
    member: Member


class Stretch(NamedTuple):
    """What can match in one stretch: shards, and trees that go by the reversed text."""

    shards: tuple[Shard, ...] = ()
    trees: tuple[Tree, ...] = ()

    def plus(self, other: Stretch) -> Stretch:
        """Give both together."""
        return Stretch(self.shards + other.shards, self.trees + other.trees)


@dataclass(slots=True)
class Tree:
    """Stretch `n` reaches from `borders[n]` up to the next border."""

    borders: list[str] = field(default_factory=lambda: [""])
    stretches: list[Stretch] = field(default_factory=lambda: [Stretch()])

    def at(self, text: str) -> Stretch:
        """Give the stretch that a text lies in."""
        return self.stretches[bisect_right(self.borders, text) - 1]

    def mark(self, border: str | None, stretch: Stretch) -> None:
        """Let a stretch begin at a border, which must not lie before the last one; None is the end of the line."""
        if border is None:
            return
        if self.borders[-1] == border:
            self.stretches[-1] = stretch
        else:
            self.borders.append(border)
            self.stretches.append(stretch)


def entry_of(affix: Affix, member: Member) -> Entry:
    """File a member under what its matches begin and end with."""
    return Entry(affix.prefix[:SORTED_CHARACTERS], affix.suffix[::-1][:SORTED_CHARACTERS], member)


def compile_tree(entries: Sequence[Entry], memory: Memory) -> Tree:
    """Sort entries into shards, compiled within the memory; raises RulesetTooLargeError."""
    return _Builder(memory, Tree(), by_suffix=True).build(entries)


@dataclass(frozen=True, slots=True)
class _Builder:
    memory: Memory
    tree: Tree
    by_suffix: bool

    def build(self, entries: Sequence[Entry]) -> Tree:
        if entries:
            ordered = sorted(entries, key=_prefix)
            self._grow(ordered, Stretch(), [])
            self.tree.mark(_after(_common(ordered)), Stretch())
        return self.tree

    def _grow(self, entries: list[Entry], around: Stretch, carried: list[Entry]) -> None:
        """Mark the stretches of sorted entries.

        Entries whose prefix is shorter match here too: `around` has those that got shards, `carried` the few that go
        into each shard further down, so that most texts ask one shard only.
        """
        common = _common(entries)
        own = [entry for entry in entries if entry.prefix == common]
        here, carried = self._settle(common, around, carried + own)
        between = here.plus(self._shards(carried))
        self.tree.mark(common, between)
        for pack in _packs(entries[len(own) :], len(common)):
            self.tree.mark(self._pack(pack, len(common) + 1, here, carried), between)

    def _pack(self, pack: list[Entry], depth: int, around: Stretch, carried: list[Entry]) -> str | None:
        """Mark the stretches of a pack, and give the border where they end."""
        if len(pack) > PACK_PATTERNS:
            self._grow(pack, around, carried)
            return _after(_common(pack))
        self.tree.mark(pack[0].prefix[:depth], around.plus(self._shards(pack + carried)))
        return _after(pack[-1].prefix[:depth])

    def _settle(self, common: str, around: Stretch, open_: list[Entry]) -> tuple[Stretch, list[Entry]]:
        """Give shards to entries that are too many to carry on, or that match anywhere."""
        if not open_ or (common and len(open_) <= CARRIED_PATTERNS):
            return around, open_
        return around.plus(self._own(open_)), []

    def _own(self, entries: list[Entry]) -> Stretch:
        """Give what matches entries that their prefix does not tell apart."""
        if len(entries) <= PACK_PATTERNS or not self.by_suffix:
            return self._shards(entries)
        turned = [Entry(entry.reversed_suffix, "", entry.member) for entry in entries]
        return Stretch(trees=(_Builder(self.memory, Tree(), by_suffix=False).build(turned),))

    def _shards(self, entries: list[Entry]) -> Stretch:
        members = list({entry.member.position: entry.member for entry in entries}.values())
        cuts = range(0, len(members), LOOSE_PATTERNS)
        return Stretch(tuple(compile_shard(members[cut : cut + LOOSE_PATTERNS], self.memory) for cut in cuts))


def _common(entries: list[Entry]) -> str:
    """Give the longest prefix that all of some sorted entries share."""
    first, last = entries[0].prefix, entries[-1].prefix
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return first[: sum(1 for _ in same)]


def _packs(entries: list[Entry], depth: int) -> Iterator[list[Entry]]:
    """Cut sorted entries where the character at `depth` changes, and join neighbours that fit into one shard."""
    pack: list[Entry] = []
    for _, group in groupby(entries, key=lambda entry: entry.prefix[depth]):
        branch = list(group)
        if pack and len(pack) + len(branch) > PACK_PATTERNS:
            yield pack
            pack = []
        pack += branch
    if pack:
        yield pack


def _after(prefix: str) -> str | None:
    """Give the least text that sorts after every text with this prefix; None when there is none."""
    stem = prefix.rstrip(_LAST)
    return stem[:-1] + chr(ord(stem[-1]) + 1) if stem else None


def _prefix(entry: Entry) -> str:
    return entry.prefix


_LAST = chr(0x10FFFF)
