"""All patterns of a ruleset at once: which of them match a type.

An index is a value: a changed ruleset is a new index, which may be compiled in another thread and swapped in. What it
finds it remembers, within a bound; the memory is not locked, so one index is asked from one thread at a time.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from alertd.matching.affix import Affix, affixes
from alertd.matching.pattern import SYSTEM_PREFIX, Pattern, PatternKind
from alertd.matching.shard import Member, Memory, RulesetTooLargeError
from alertd.matching.tree import Entry, Tree, compile_tree, entry_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from alertd.matching.shard import Shard

__all__ = ["DEFAULT_CACHE_ENTRIES", "DEFAULT_MAX_MEM_BYTES", "Index", "RulesetTooLargeError", "compile_index"]

DEFAULT_MAX_MEM_BYTES = 256 << 20
"""What the engine may use at most for all patterns together; a real ruleset needs a small part of it."""

DEFAULT_CACHE_ENTRIES = 8192
"""Types whose answer is remembered."""


def compile_index(
    patterns: Sequence[Pattern],
    *,
    max_mem_bytes: int = DEFAULT_MAX_MEM_BYTES,
    cache_entries: int = DEFAULT_CACHE_ENTRIES,
    memory: Memory | None = None,
) -> Index:
    """Compile patterns into an index; raises RulesetTooLargeError when they need more memory than allowed.

    `memory` is what it shares with other indexes (None: `max_mem_bytes` of its own).
    """
    shared = memory or Memory(max_mem_bytes, len(patterns))
    used = shared.used
    always: list[int] = []
    literals: defaultdict[str, list[int]] = defaultdict(list)
    entries: list[Entry] = []
    for position, pattern in enumerate(patterns):
        if pattern.source == _EVERYTHING:
            always.append(position)
            continue
        for affix in _affixes(pattern):
            if affix.whole:
                literals[affix.prefix].append(position)
            else:
                entries.append(entry_of(affix, Member(position, pattern)))
    tree = compile_tree(entries, shared)
    return Index(patterns, always, literals, tree, cache_entries, shared.used - used)


class Index:
    """Gives for a type the positions of all patterns that match it; `fallbacks` counts the times the engine gave up.

    `memory_bytes` is what it took of the memory that it was compiled within.
    """

    __slots__ = (
        "__weakref__",
        "_always",
        "_literals",
        "_older",
        "_patterns",
        "_recent",
        "_room",
        "_size",
        "_tree",
        "fallbacks",
        "memory_bytes",
    )

    def __init__(
        self,
        patterns: Sequence[Pattern],
        always: Sequence[int],
        literals: Mapping[str, Sequence[int]],
        tree: Tree,
        cache_entries: int,
        memory_bytes: int,
    ) -> None:
        self.fallbacks = 0
        self.memory_bytes = memory_bytes
        self._patterns = tuple(patterns)
        self._always = tuple(always)
        self._literals = dict(literals)
        self._tree = tree
        self._size = self._room = max(cache_entries // 2, 1)
        self._recent: dict[str, tuple[int, ...]] = {}
        self._older: dict[str, tuple[int, ...]] = {}

    def __len__(self) -> int:
        """How many patterns it has."""
        return len(self._patterns)

    def lookup(self, type: str) -> tuple[int, ...]:  # noqa: A002 - an event's type is called type everywhere
        """Give the positions of all patterns that match the whole type, ascending."""
        found = self._recent.get(type)
        return self._remember(type) if found is None else found

    def _remember(self, text: str) -> tuple[int, ...]:
        """Answer what is not in the recent half of the cache; a full half becomes the older one, which is forgotten.

        An answer that names many patterns takes the room of several.
        """
        found = self._older.get(text)
        if found is None:
            found = self.find(text)
        if self._room <= 0:
            self._older, self._recent, self._room = self._recent, {}, self._size
        self._recent[text] = found
        self._room -= 1 + len(found) // _POSITIONS_PER_ENTRY
        return found

    def find(self, text: str) -> tuple[int, ...]:
        """Answer as `lookup` does, without its memory: this may be asked from any thread."""
        try:
            encoded = text.encode()
        except UnicodeEncodeError:
            return ()
        found = [*self._always, *self._literals.get(text, ())]
        for shard in self._shards(text):
            found += self._ask(shard, text, encoded)
        if text.startswith(SYSTEM_PREFIX):
            found = [position for position in found if self._patterns[position].sees_system_types]
        return tuple(sorted(set(found)))

    def _shards(self, text: str) -> Iterable[Shard]:
        shards, trees = self._tree.at(text)
        if not trees:
            return shards
        turned = text[::-1]
        return [*shards, *(shard for tree in trees for shard in tree.at(turned).shards)]

    def _ask(self, shard: Shard, text: str, encoded: bytes) -> list[int]:
        found = shard.ask(encoded)
        if found is None:
            self.fallbacks += 1
            return shard.ask_each(text)
        return found


_EVERYTHING = ".*"
_POSITIONS_PER_ENTRY = 64


def _affixes(pattern: Pattern) -> Iterator[Affix]:
    if pattern.kind is PatternKind.LITERAL:
        return iter([Affix(pattern.text, pattern.text, whole=True)])
    return iter(affixes(pattern.source))
