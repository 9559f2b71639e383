"""The literal text with which every match of a pattern begins and ends: what the index sorts patterns by.

It is a lower bound, never a guess: where a construct is not plain text, the text stops there. `run:.*` begins with
`run:`, `[ab]_failed` ends with `_failed`, `(?i)run` is silent.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, NamedTuple

from alertd.matching.regex import Token, tokenize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEPT: Final = 32_768
"""Sources whose affixes the next index need not find again."""


class Affix(NamedTuple):
    """What one top-level alternative of a pattern begins and ends with; with `whole` it is nothing but `prefix`."""

    prefix: str
    suffix: str
    whole: bool


@lru_cache(maxsize=KEPT)
def affixes(source: str) -> tuple[Affix, ...]:
    """Give one affix for each alternative of an RE2 source; the pattern matches only where one of them fits."""
    tokens = tokenize(source)
    if any(_sets_flags(token) for token in tokens):
        return (Affix("", "", whole=False),)
    return tuple(_affix(branch) for branch in _alternatives(tokens))


_NOT_PLAIN = frozenset(".^$")
_BEGINS = frozenset({"^", r"\A"})
_ENDS = frozenset({"$", r"\z"})


def _affix(branch: list[Token]) -> Affix:
    tokens = _trimmed(branch)
    texts = [_literal(token, following) for token, following in zip_longest(tokens, tokens[1:])]
    prefix = "".join(_leading(texts))
    suffix = "".join(reversed(_leading(reversed(texts))))
    return Affix(prefix, suffix, whole=None not in texts)


def _leading(texts: Iterable[str | None]) -> list[str]:
    leading: list[str] = []
    for text in texts:
        if text is None:
            break
        leading.append(text)
    return leading


def _literal(token: Token, following: Token | None) -> str | None:
    """Give the text that a construct stands for, or None when that may differ."""
    if following is not None and following.kind in {"repeat", "upto"}:
        return None
    if token.kind == "plain" and token.text not in _NOT_PLAIN:
        return token.text
    if token.kind == "escape" and token.text.isascii() and not token.text[1].isalnum():
        return token.text[1]
    return None


def _trimmed(branch: list[Token]) -> list[Token]:
    """Leave out anchors at the ends, which say nothing in a pattern that has to match the whole type."""
    if branch and branch[-1].text in _ENDS:
        branch = branch[:-1]
    anchored = branch and branch[0].text in _BEGINS and not (branch[1:] and branch[1].kind == "repeat")
    return branch[1:] if anchored else branch


def _alternatives(tokens: list[Token]) -> Iterator[list[Token]]:
    depth = 0
    branch: list[Token] = []
    for token in tokens:
        depth += (token.kind == "open") - (token.kind == "close")
        if token.kind == "either" and depth == 0:
            yield branch
            branch = []
        else:
            branch.append(token)
    yield branch


def _sets_flags(token: Token) -> bool:
    return token.kind == "open" and token.text.endswith(")")
