"""One compiled pattern over event types: a literal, a glob or an RE2 regex.

A pattern always matches the whole type, in the case that it is written in. Types that begin with `alertd.` are about
alertd itself: only a pattern whose own text begins with `alertd` matches them, so that a catch-all never does.
This is not the index: to match many patterns at once see `alertd.matching.index`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import re2

from alertd.errors import PatternError
from alertd.matching.glob import glob_to_re2
from alertd.matching.regex import explain, refuse_unsupported


class PatternKind(StrEnum):
    """How a pattern is read: the kinds of channels that have one."""

    LITERAL = "literal"
    GLOB = "glob"
    REGEX = "regex"


SYSTEM_PREFIX = "alertd."
"""How types about alertd itself begin."""

MAX_PATTERN_BYTES = 1 << 20
"""Memory that RE2 may spend on one pattern; one that needs more is refused."""

PATTERNS_KEPT = 32_768
"""Compiled patterns that the next ruleset need not compile again."""

_COMPILED_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that is known to compile: `text` as it was written, `source` the RE2 that must match the whole type."""

    kind: PatternKind
    text: str
    source: str

    def matches(self, type: str) -> bool:  # noqa: A002 - an event's type is called type everywhere
        """Say whether the whole type matches; one that is not valid Unicode never does."""
        if type.startswith(SYSTEM_PREFIX) and not self.sees_system_types:
            return False
        if self.kind is PatternKind.LITERAL:
            return type == self.text
        return is_unicode(type) and _compiled(self.source).fullmatch(type) is not None

    @property
    def sees_system_types(self) -> bool:
        """Whether it may match types that begin with `alertd.` at all."""
        return self.text.startswith("alertd")


@lru_cache(maxsize=PATTERNS_KEPT)
def compile_pattern(kind: PatternKind, pattern: str) -> Pattern:
    """Check and translate a pattern; raises PatternError with the reason, and the position where there is one."""
    source = translate(kind, pattern)
    try:
        _compiled(source)
    except re2.error as error:
        raise explain(pattern, error.args[0].decode(errors="replace")) from error
    return Pattern(PatternKind(kind), pattern, source)


def translate(kind: PatternKind, pattern: str) -> str:
    """Give the RE2 source of a pattern, to be matched as a whole and with `.` standing for newlines too."""
    _refuse_invalid_unicode(pattern)
    match PatternKind(kind):
        case PatternKind.LITERAL:
            return str(re2.escape(pattern))
        case PatternKind.GLOB:
            return glob_to_re2(pattern)
        case PatternKind.REGEX:
            refuse_unsupported(pattern)
            return pattern


def re2_options(max_mem_bytes: int) -> re2.Options:
    """Give the options that all patterns are compiled with: `.` is any character, and errors are not logged."""
    options = re2.Options()
    options.dot_nl = True
    options.never_capture = True
    options.log_errors = False
    options.max_mem = max_mem_bytes
    return options


def is_unicode(text: str) -> bool:
    """Say whether the text can be encoded; a lone surrogate cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


@lru_cache(maxsize=_COMPILED_KEPT)
def _compiled(source: str) -> re2._Regexp:
    return re2._Regexp(source, re2_options(MAX_PATTERN_BYTES))  # noqa: SLF001 - re2.compile has a cache of its own


def _refuse_invalid_unicode(pattern: str) -> None:
    try:
        pattern.encode()
    except UnicodeEncodeError as error:
        raise PatternError(pattern, "a lone surrogate is not valid Unicode", error.start) from error
