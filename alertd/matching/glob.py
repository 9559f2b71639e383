r"""Globs over event types: segments are split by `.` and `:`.

| glob | matches |
|---|---|
| `*` alone | every type |
| `.*` or `:*` at the end | one segment or none: `agent.*` is `agent` and `agent.paused`, not `agent.a.b` |
| `*` elsewhere | any characters within one segment, also none |
| `**` | anything, separators too, also nothing |
| `?` | one character that is not a separator, as a shell's `?` is never a `/` |
| `{a,b}` | either, as if the glob was written once for each; may be nested |
| `[abc]`, `[a-z]` | one of these characters |
| `[!abc]`, `[^abc]` | one character that is neither one of these nor a separator |
| `\` and a character | that character: `agent\.*` has no optional segment |

It translates to RE2 and does not match anything itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import re2

from alertd.errors import PatternError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ALTERNATIVES = 256
"""Globs that one pattern's braces may stand for: a bound, because `{a,b}{a,b}…` doubles with every pair."""

MAX_NESTING = 16
"""Braces within braces."""


def glob_to_re2(pattern: str) -> str:
    """Translate a glob; what it gives has to match the whole type."""
    branches = _Reader(pattern).read()
    sources = dict.fromkeys(_source(_with_joined_stars(branch)) for branch in branches)
    return "|".join(sources)


_Branch = list[str]
"""One glob without braces: bare wildcards and separators as written, classes and all else escaped for RE2."""

_ONE = "[^.:]"
_WILDCARDS = {"*": f"{_ONE}*", "**": ".*", "?": _ONE, ".": r"\.", ":": ":"}

_PLAIN = re.compile(r"\w+")
"""Characters that stand for themselves in globs and in RE2."""


def _with_joined_stars(branch: _Branch) -> _Branch:
    """Join stars that are neighbours, also those that only become so where braces are written out."""
    pieces: _Branch = []
    for piece in branch:
        if piece == "*" and pieces and pieces[-1] in {"*", "**"}:
            pieces[-1] = "**"
        else:
            pieces.append(piece)
    return pieces


def _source(branch: _Branch) -> str:
    if branch == ["*"]:
        return ".*"
    if branch[-2:] in ([".", "*"], [":", "*"]):
        return f"{_joined(branch[:-2])}(?:{_joined(branch[-2:])})?"
    return _joined(branch)


def _joined(branch: _Branch) -> str:
    return "".join(_WILDCARDS.get(piece, piece) for piece in branch)


def _product(lefts: list[_Branch], rights: list[_Branch]) -> list[_Branch]:
    if len(rights) > 1:
        return [left + right for left in lefts for right in rights]
    for left in lefts:
        left.extend(rights[0])
    return lefts


@dataclass(slots=True)
class _Reader:
    """Reads one glob from left to right; `at` is the next character, `depth` how many braces are open there."""

    pattern: str
    at: int = 0
    depth: int = 0

    def read(self) -> list[_Branch]:
        branches = self._sequence(ends="}")
        if self.at < len(self.pattern):
            raise self._error("unmatched }", self.at)
        return branches

    def _sequence(self, ends: str) -> list[_Branch]:
        """Read up to one of the characters in `ends`, or to the end."""
        branches: list[_Branch] = [[]]
        while self.at < len(self.pattern) and self.pattern[self.at] not in ends:
            start = self.at
            item = self._item()
            self._bound(len(branches) * len(item), start)
            branches = _product(branches, item)
        return branches

    def _item(self) -> list[_Branch]:
        if (plain := _PLAIN.match(self.pattern, self.at)) is not None:
            self.at = plain.end()
            return [[plain[0]]]
        character = self.pattern[self.at]
        match character:
            case "{":
                return self._braces()
            case "[":
                return [[self._class()]]
            case "]":
                raise self._error("unmatched ]", self.at)
            case "\\":
                return [[self._escape()]]
        self.at += 1
        return [[character if character in _WILDCARDS else re2.escape(character)]]

    def _braces(self) -> list[_Branch]:
        opened = self.at
        self._descend()
        branches: list[_Branch] = []
        while self.at == opened or self.pattern[self.at] == ",":
            self.at += 1
            branches += self._sequence(ends=",}")
            self._bound(len(branches), opened)
            if self.at == len(self.pattern):
                raise self._error("unclosed {", opened)
        self.at += 1
        self.depth -= 1
        if branches == [[]]:
            raise self._error(r"empty braces {} stand for nothing: write \{\} for the text itself", opened)
        return branches

    def _escape(self) -> str:
        if self.at + 1 == len(self.pattern):
            raise self._error("a backslash at the end escapes nothing", self.at)
        self.at += 2
        return str(re2.escape(self.pattern[self.at - 1]))

    def _class(self) -> str:
        opened = self.at
        self.at += 1
        negated = self.pattern[self.at : self.at + 1] in {"!", "^"}
        self.at += negated
        members = "".join(self._ranges(opened))
        self.at += 1
        return f"[^.:{members}]" if negated else f"[{members}]"

    def _ranges(self, opened: int) -> Iterator[str]:
        """Read the members of a class up to its `]`; a `]` right at the beginning is a member."""
        first = self.at
        while self.at == first or self.pattern[self.at : self.at + 1] != "]":
            start = self.at
            low = self._member(opened)
            high = low
            if self.pattern[self.at : self.at + 1] == "-" and self.pattern[self.at + 1 : self.at + 2] not in {"]", ""}:
                self.at += 1
                high = self._member(opened)
            if high < low:
                raise self._error(f"invalid range {low}-{high}: the lesser character goes first", start)
            yield f"{re2.escape(low)}-{re2.escape(high)}"

    def _member(self, opened: int) -> str:
        if self.pattern.startswith("[:", self.at) and ":]" in self.pattern[self.at + 2 :]:
            raise self._error("named classes such as [:alpha:] are not supported: write the range, [a-zA-Z]", self.at)
        self.at += self.pattern[self.at : self.at + 1] == "\\"
        if self.at >= len(self.pattern):
            raise self._error("unclosed [", opened)
        self.at += 1
        return self.pattern[self.at - 1]

    def _descend(self) -> None:
        if self.depth == MAX_NESTING:
            raise self._error(f"braces are nested more than {MAX_NESTING} deep", self.at)
        self.depth += 1

    def _bound(self, alternatives: int, start: int) -> None:
        if alternatives > MAX_ALTERNATIVES:
            raise self._error(f"the braces stand for more than {MAX_ALTERNATIVES} globs", start)

    def _error(self, reason: str, position: int) -> PatternError:
        return PatternError(self.pattern, reason, position)
