"""A release: which of two is newer.

Compared are versions of the same package (`shop@1.2.3`): semantic ones (with what people make of them: `v1.2`, `1.2.3rc1`,
`1.2.3.post1`, `1.2.3-5-gabc1234`), dates (`2024.5.1`, `2024-05-01.3`, `20240501-1730`) and plain build numbers. What
cannot be compared so, such as a commit, is as new as the moment when its project first saw it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_RECENT: Final = 1024
_DATED: Final = re.compile(r"(\d{4})(?:([-._/]?)(\d\d)(?:\2(\d\d))?)(?!\d)(?:[-._T]?(\d{1,9}(?:[-._]\d{1,9}){0,4}))?Z?")
_STAMP: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(\d{4}|\d{6})")
_NUMBERS: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9}){1,4})(.*)", re.DOTALL)
_BUILD: Final = re.compile(r"(|[a-z]{1,16}[-_.]?)(\d{1,12})")
_DESCRIBED: Final = re.compile(r"-(\d{1,9})-g[0-9a-f]{4,40}")
_LATER: Final = re.compile(r"[-._]?(?:post|rev|r|p|patch|hotfix)[-._]?(\d{0,9})")
_TOKEN: Final = re.compile(r"\d{1,12}|[a-z]+")
_YEARS: Final = range(1990, 2100)
_MONTHS: Final = range(1, 13)
_DAYS: Final = range(1, 32)

_Tail = tuple[tuple[int, int, str], ...]
_BEFORE: Final = 0
_EXACT: Final = 1
_AFTER: Final = 2


class _Version(NamedTuple):
    """A version: versions of different kinds cannot be compared, others by what follows.

    `numbers` without trailing zeros; `stage` before, exactly or after the release that they name, and `tail` where.
    """

    kind: str
    numbers: tuple[int, ...]
    stage: int
    tail: _Tail
    build: int


def newer(release: str, than: str, seen: Mapping[str, int]) -> bool | None:
    """Whether a release is newer than another; None when nobody knows. `seen` says when each was first seen, in ms."""
    order = compare(release, than)
    if order is not None:
        return order > 0
    at, before = seen.get(release), seen.get(than)
    return None if at is None or before is None else at > before


def compare(one: str, other: str) -> int | None:
    """Compare by version: -1, 0 or 1; None when the two are no versions of one package."""
    if one == other:
        return 0
    package, version = _parse(one)
    other_package, other_version = _parse(other)
    if package and other_package and package != other_package:
        return None
    if version is None or other_version is None or version.kind != other_version.kind:
        return None
    mine, theirs = _order(version), _order(other_version)
    return (mine > theirs) - (mine < theirs)


def _order(version: _Version) -> tuple[tuple[int, ...], int, _Tail, int]:
    return version.numbers, version.stage, version.tail, version.build


@lru_cache(_RECENT)
def _parse(release: str) -> tuple[str, _Version | None]:
    package, _, text = release.strip().rpartition("@")
    return package, _version(text.lower())


def _version(text: str) -> _Version | None:
    plain, _, made = text.partition("+")
    build = int(made) if made.isascii() and made.isdigit() and len(made) <= 18 else -1  # noqa: PLR2004 - 63 bits
    plain = plain.removeprefix("release").lstrip("-_/").removeprefix("version").lstrip("-_/")
    if plain[1:2].isdigit():
        plain = plain.removeprefix("v")
    found = _date(plain)
    if found is not None:
        return _Version("date", found, _EXACT, (), build)
    numbers = _NUMBERS.fullmatch(plain)
    if numbers is not None:
        return _numbered(numbers[1], numbers[2], build)
    single = _BUILD.fullmatch(plain)
    return _Version(f"build {single[1]}", (int(single[2]),), _EXACT, (), build) if single is not None else None


def _date(text: str) -> tuple[int, ...] | None:
    found = _STAMP.fullmatch(text)
    if found is not None:
        return _real_date([int(part) for part in found.groups()])
    found = _DATED.fullmatch(text)
    if found is not None:
        year, _, month, day, rest = found.groups()
        return _real_date([int(part) for part in (year, month, day or 0, *re.findall(r"\d+", rest or ""))])
    if re.fullmatch(r"\d{4}(?:\.\d{1,9}){1,4}", text):
        return _real_date([int(part) for part in text.split(".")])
    return None


def _real_date(parts: list[int]) -> tuple[int, ...] | None:
    day = parts[2] if len(parts) > 2 else 0  # noqa: PLR2004 - year, month, day
    if parts[0] in _YEARS and parts[1] in _MONTHS and (day == 0 or day in _DAYS):
        return _trimmed(parts)
    return None


def _numbered(numbers: str, tail: str, build: int) -> _Version | None:
    parts = _trimmed([int(part) for part in numbers.split(".")])
    if not tail:
        return _Version("version", parts, _EXACT, (), build)
    later = _DESCRIBED.fullmatch(tail) or _LATER.fullmatch(tail)
    if later is not None:
        return _Version("version", parts, _AFTER, ((0, int(later[1] or 0), ""),), build)
    if tail[0] not in "-._" and not tail[0].isalpha():
        return None
    tokens = tuple((0, int(t), "") if t[0].isdigit() else (1, 0, t) for t in _TOKEN.findall(tail))
    return _Version("version", parts, _BEFORE, tokens, build)


def _trimmed(parts: list[int]) -> tuple[int, ...]:
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)
