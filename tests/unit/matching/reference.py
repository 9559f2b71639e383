"""A second opinion on patterns, slow and written without a look at the translator; not a test itself.

Globs are matched by recursion over characters, regexes of the few constructs that the strategies use by `re`.
"""

from __future__ import annotations

import re
from functools import cache

from hypothesis import strategies as st

from alertd.matching.pattern import PatternKind

SEPARATORS = ".:"

Written = tuple[PatternKind, str]


def matches(written: Written, text: str) -> bool:
    """Say whether a pattern matches the whole of a text."""
    kind, pattern = written
    if text.startswith("alertd.") and pattern[:6] != "alertd":
        return False
    if kind == PatternKind.LITERAL:
        return pattern == text
    if kind == PatternKind.GLOB:
        return any(_glob_matches(glob, text) for glob in expand(pattern))
    return re.fullmatch(pattern, text, re.DOTALL | re.ASCII) is not None


def positions(written: list[Written], text: str) -> tuple[int, ...]:
    """Give the answer of a loop over all patterns: where those stand that match."""
    return tuple(position for position, one in enumerate(written) if matches(one, text))


def expand(glob: str) -> list[str]:
    """Write a glob with braces out as globs without."""
    begin = _first_brace(glob)
    if begin is None:
        return [glob]
    parts, end = _brace_parts(glob, begin)
    return [written for part in parts for written in expand(glob[:begin] + part + glob[end:])]


def _first_brace(glob: str) -> int | None:
    at = 0
    while at < len(glob):
        if glob[at] == "{":
            return at
        at = _skip(glob, at)
    return None


def _brace_parts(glob: str, begin: int) -> tuple[list[str], int]:
    parts, depth, at, start = [], 0, begin + 1, begin + 1
    while depth > 0 or glob[at] != "}":
        if glob[at] == "," and depth == 0:
            parts.append(glob[start:at])
            start = at + 1
        depth += {"{": 1, "}": -1}.get(glob[at], 0)
        at = _skip(glob, at)
    return [*parts, glob[start:at]], at + 1


def _skip(glob: str, at: int) -> int:
    if glob[at] == "\\":
        return at + 2
    return _class_end(glob, at) if glob[at] == "[" else at + 1


def _class_end(glob: str, at: int) -> int:
    at += 1
    at += glob[at] in "!^"
    first = at
    while glob[at] != "]" or at == first:
        at += 2 if glob[at] == "\\" else 1
    return at + 1


def _glob_matches(glob: str, text: str) -> bool:
    if glob == "*":
        return True
    if _has_optional_end(glob):
        return _walk(glob[:-2], text) or _walk(glob, text)
    return _walk(glob, text)


def _has_optional_end(glob: str) -> bool:
    backslashes = len(glob[:-2]) - len(glob[:-2].rstrip("\\"))
    return glob[-2:] in {".*", ":*"} and backslashes % 2 == 0


@cache
def _walk(glob: str, text: str) -> bool:
    if not glob:
        return not text
    if glob[0] == "*":
        rest = glob.lstrip("*")
        anything = len(glob) - len(rest) > 1
        return _walk(rest, text) or bool(text and (anything or text[0] not in SEPARATORS) and _walk(glob, text[1:]))
    if not text:
        return False
    end = _skip(glob, 0)
    return _one(glob[:end], text[0]) and _walk(glob[end:], text[1:])


def _one(piece: str, character: str) -> bool:
    if piece == "?":
        return character not in SEPARATORS
    if piece[0] == "\\":
        return character == piece[1]
    if piece[0] == "[":
        return _in_class(piece[1:-1], character)
    return character == piece


def _in_class(members: str, character: str) -> bool:
    if members[0] in "!^":
        return character not in SEPARATORS and not _in_class(members[1:], character)
    if len(members) >= 3 and members[1] == "-":
        return members[0] <= character <= members[2] or (len(members) > 3 and _in_class(members[3:], character))
    return character == members[0] or (len(members) > 1 and _in_class(members[1:], character))


LETTERS = "ab_-.:"
PLAIN = st.text(LETTERS, min_size=1, max_size=4)
WORDS = st.sampled_from(["run:", "agent.", "app_", "alertd", "alertd.", "failed", ":", "."])
TYPES = st.one_of(
    st.lists(st.one_of(WORDS, PLAIN), max_size=5).map("".join),
    st.text(LETTERS, max_size=12),
    st.text([chr(code) for code in range(0x20, 0x7F)], max_size=20),
    st.text(LETTERS, min_size=200, max_size=256),
    st.text([chr(code) for code in range(0x20, 0x7F)], max_size=12).map(lambda text: "alertd." + text),
)

CLASSES = st.sampled_from(["[ab]", "[!ab]", "[^a]", "[a-z]", "[.:]", "[!a-z_]", "[]a]", "[-a]", "[a-]", "[!]]"])
ESCAPES = st.sampled_from([r"\*", r"\.", r"\:", r"\{", r"\\", r"\?", r"\[", r"\a"])
WILDCARDS = st.sampled_from(["*", "**", "?", ".*", ":*", ".**"])


def _braces(globs: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    chosen = st.lists(globs, min_size=1, max_size=3).filter(lambda parts: parts != [""])
    return chosen.map(lambda parts: "{" + ",".join(parts) + "}")


def _sequences(pieces: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(pieces, max_size=4).map("".join)


SIMPLE = st.one_of(WORDS, PLAIN, WILDCARDS, CLASSES, ESCAPES)
ONCE = _braces(_sequences(SIMPLE))
NESTED = _sequences(st.one_of(SIMPLE, ONCE, _braces(_sequences(st.one_of(SIMPLE, ONCE)))))
GLOBS = NESTED.filter(lambda glob: len(expand(glob)) <= 100)

REGEX_PIECES = st.sampled_from(
    [
        "run:",
        "app_",
        r"\.",
        ".",
        "a",
        "b?",
        "a*",
        "_+",
        ".*",
        "[ab]",
        "[^a]",
        "(a|b_)",
        "(?:x|)",
        r"\w",
        "a{2}",
        "b{1,}",
    ]
)
REGEXES = st.lists(
    st.one_of(REGEX_PIECES, st.sampled_from(["|", "alertd", "failed", "^a", "b$"])), min_size=1, max_size=6
).map("".join)

WRITTEN: st.SearchStrategy[Written] = st.one_of(
    st.tuples(st.just(PatternKind.LITERAL), TYPES),
    st.tuples(st.just(PatternKind.GLOB), GLOBS),
    st.tuples(st.just(PatternKind.REGEX), REGEXES),
)
