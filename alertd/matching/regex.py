r"""The text of a regular expression: its tokens, and what is refused before RE2 sees it.

It knows where each construct begins, so that every refusal names a position. It is not a regex engine, and it does not
judge what RE2 judges well itself: `explain` only gives RE2's own errors a place and plain words.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import NamedTuple

from alertd.errors import PatternError

LINEAR = "is not supported: patterns use RE2, which guarantees linear time"


class Token(NamedTuple):
    """One construct of a regex, or a run of plain characters; `kind` names it as `_TOKEN` does, `start` is 0-based."""

    kind: str
    text: str
    start: int


def tokenize(pattern: str) -> list[Token]:
    """Cut a regex into constructs; nothing is lost, whatever the text is."""
    return [Token(found.lastgroup or "", found.group(), found.start()) for found in _TOKEN.finditer(pattern)]


def refuse_unsupported(pattern: str) -> None:
    """Raise PatternError at the first construct that RE2 lacks, or reads otherwise than its author means."""
    tokens = tokenize(pattern)
    for token, following in zip_longest(tokens, tokens[1:]):
        reason = _refusal(token, following)
        if reason is not None:
            raise PatternError(pattern, reason, token.start)


def explain(pattern: str, complaint: str) -> PatternError:
    """Turn RE2's own words, such as `missing ]: [a`, into an error with a reason and a position."""
    words, _, fragment = complaint.partition(": ")
    reason = _PLAIN_WORDS.get(words, words).format(fragment)
    return PatternError(pattern, reason, _locate(pattern, words, fragment))


_TOKEN = re.compile(
    r"""
      (?P<quote> \\Q .*? (?: \\E | \Z ) )
    | (?P<escape> \\ (?: x\{ [^}]* \} | x[0-9A-Fa-f]{2} | [pP]\{ [^}]* \} | [pP]. | 0[0-7]{0,2} | [0-7]{3}
                       | [1-9][0-9]? | . ) )
    | (?P<set> \[ \^? \]? (?: \[:\^?\w+:\] | \\. | [^\]\\] )* \] )
    | (?P<open> \( (?: \? (?: P?<\w+> | P[=>] | <[=!] | [A-Za-z^-]+[:)] | . )? )? )
    | (?P<close> \) )
    | (?P<repeat> (?: [*+?] | \{ \d+ (?: , \d* )? \} ) \?? )
    | (?P<upto> \{ , \d* \} )
    | (?P<either> \| )
    | (?P<plain> [\w:/-]+ (?! [*+?{] ) | . )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)

_GROUPS = (
    ("(?=", f"look-ahead (?=…) {LINEAR}"),
    ("(?!", f"negative look-ahead (?!…) {LINEAR}"),
    ("(?<=", f"look-behind (?<=…) {LINEAR}"),
    ("(?<!", f"negative look-behind (?<!…) {LINEAR}"),
    ("(?>", f"atomic group (?>…) {LINEAR}"),
    ("(?(", f"conditional (?(…)…) {LINEAR}"),
    ("(?P=", f"back-reference (?P=…) {LINEAR}"),
    ("(?#", "comment (?#…) is not supported by RE2: leave it out"),
)

_ESCAPES = {
    r"\Z": r"\Z is not supported by RE2: a pattern matches the whole type anyway; \z is RE2's name for its end",
    r"\k": rf"back-reference \k {LINEAR}",
    r"\g": rf"back-reference \g {LINEAR}",
}

_PLAIN_WORDS = {
    "missing )": "unclosed group (",
    "unexpected )": "unmatched )",
    "missing ]": "unclosed class [",
    "trailing \\": "a backslash at the end escapes nothing",
    "no argument for repetition operator": "nothing to repeat before {}",
    "bad repetition operator": "repeats cannot be stacked: {}",
    "invalid repetition size": "repeat {} is out of bounds: at most 1000 in all, and the lesser number first",
    "invalid escape sequence": "unknown escape {}",
    "invalid character class range": "invalid class or range {}",
    "invalid perl operator": "unknown group {}…)",
    "invalid named capture group": "malformed group name {}",
    "pattern too large - compile failed": "the pattern is too large",
}

_FLAGS = frozenset("imsU")
_OCTAL_DIGITS = 3


def _refusal(token: Token, following: Token | None) -> str | None:
    match token.kind:
        case "open":
            return _refused_group(token.text)
        case "escape":
            return _refused_escape(token.text)
        case "upto":
            return f"RE2 takes {token.text} as plain text: write {{0{token.text[1:]}"
        case "repeat" if following is not None and following.kind == "repeat" and following.text[0] == "+":
            return f"possessive repeat {token.text}+ {LINEAR}"
    return None


def _refused_group(text: str) -> str | None:
    for beginning, reason in _GROUPS:
        if text.startswith(beginning):
            return reason
    if text[-1] in ":)" and text[:2] == "(?":
        unknown = [flag for flag in text[2:-1] if flag != "-" and flag not in _FLAGS]
        if unknown:
            return f"flag {unknown[0]} is not supported: RE2 has i, m, s and U"
    return None


def _refused_escape(text: str) -> str | None:
    digits = text[1:]
    if digits[0] in "123456789" and len(digits) < _OCTAL_DIGITS:
        return f"back-reference {text} {LINEAR}"
    return _ESCAPES.get(text)


def _locate(pattern: str, words: str, fragment: str) -> int | None:
    tokens = tokenize(pattern)
    match words:
        case "missing )" | "unexpected )":
            return _unbalanced(tokens)
        case "missing ]":
            return next((token.start for token in tokens if token == ("plain", "[", token.start)), None)
        case "trailing \\":
            return len(pattern) - 1
        case "pattern too large - compile failed":
            return None
    return _find(pattern, tokens, fragment)


def _unbalanced(tokens: list[Token]) -> int | None:
    opened: list[int] = []
    for token in tokens:
        if token.kind == "close":
            if not opened:
                return token.start
            opened.pop()
        elif token.kind == "open" and not token.text.endswith(")"):
            opened.append(token.start)
    return opened[-1] if opened else None


def _find(pattern: str, tokens: list[Token], fragment: str) -> int | None:
    """Prefer a token that begins with the fragment over a look-alike inside a quote or a class."""
    for token in tokens:
        if pattern.startswith(fragment, token.start):
            return token.start
    found = pattern.find(fragment)
    return None if found < 0 else found
