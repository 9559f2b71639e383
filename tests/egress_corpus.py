"""The corpus of addresses that deliveries may and may not go to: `tests/data/egress.yml`, read once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE: Final = Path(__file__).parent / "data" / "egress.yml"


class Entry(NamedTuple):
    """One URL or address. `says` is a part of the reason for which it is refused."""

    text: str
    refused: bool
    says: str
    about: str


def urls(verdict: Literal["refused", "allowed"]) -> list[Entry]:
    """Give the URLs with one verdict."""
    return [each for each in _entries("urls") if each.refused == (verdict == "refused")]


def addresses(verdict: Literal["refused", "allowed"]) -> list[Entry]:
    """Give the addresses with one verdict."""
    return [each for each in _entries("addresses") if each.refused == (verdict == "refused")]


@cache
def _entries(part: str) -> tuple[Entry, ...]:
    return tuple(_read(part))


def _read(part: str) -> Iterator[Entry]:
    for group in yaml.safe_load(FILE.read_text("utf-8"))[part]:
        for text in group["list"]:
            yield Entry(text, group["verdict"] == "refused", group.get("says", ""), group["about"])
