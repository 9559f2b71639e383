"""Where in a template something is: jinja2 knows the line alone, so the column is found beside it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from jinja2 import TemplateSyntaxError
from jinja2.lexer import TokenStream, ignore_if_empty, ignored_tokens
from jinja2.parser import Parser

from alertd.destinations.template_language import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2 import nodes
    from jinja2.lexer import Token

_SKIPPED: Final = ignored_tokens | {"linestatement_begin", "linestatement_end", "raw_begin", "raw_end"}
_PLACE: Final = "_alertd_place"


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column, both from 1."""

    line: int
    column: int


def parse(source: str) -> nodes.Template:
    """Read a template. Raises TemplateSyntaxError, whose place `failed_at` tells."""
    places: list[Place] = []
    end = 0
    try:
        for offset, kind, text in _pieces(source):
            end = offset + len(text)
            if kind not in _SKIPPED and (text or kind not in ignore_if_empty):
                places.append(_place(source, offset))
    except TemplateSyntaxError as error:
        setattr(error, _PLACE, _place(source, end))
        raise
    taken = 0

    def counted(stream: TokenStream) -> Iterator[Token]:
        nonlocal taken
        for token in stream:
            taken += 1
            yield token

    parser = Parser(ENVIRONMENT, source)
    parser.stream = TokenStream(counted(parser.stream), None, None)
    try:
        return parser.parse()
    except TemplateSyntaxError as error:
        known = places[taken - 1] if 0 < taken <= len(places) else _place(source, len(source))
        setattr(error, _PLACE, known if known.line == error.lineno else Place(error.lineno, 1))
        raise


def failed_at(error: Exception) -> Place:
    """Say where reading failed."""
    found: Place | None = getattr(error, _PLACE, None)
    return found or Place(getattr(error, "lineno", None) or 1, 1)


def column_of(source: str, line: int, hint: str) -> int:
    """Give the column of a word in a line, from 1; where it is not found, that of the line's first character."""
    lines = source.splitlines()
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    whole = rf"\b{re.escape(hint)}\b" if hint.isidentifier() else re.escape(hint)
    found = re.search(whole, text) if hint else None
    return found.start() + 1 if found else len(text) - len(text.lstrip()) + 1


def _pieces(source: str) -> Iterator[tuple[int, str, str]]:
    """Cut a template into its tokens, each with its offset."""
    offset = 0
    for _, kind, text in ENVIRONMENT.lexer.tokeniter(source, None):
        at = source.find(text, offset) if text else offset
        offset = at if at >= 0 else offset
        yield offset, kind, text
        offset += len(text)


def _place(source: str, offset: int) -> Place:
    before = source[:offset]
    return Place(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)
