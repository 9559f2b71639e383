"""Packing of rulesets: each as what differs, line by line, from an earlier one, its base, or whole when that is no less.

The change of one resource among thousands costs some hundred bytes, and the time that it takes to find it: lines that are
the same object are not looked at.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import orjson
import zstandard

from alertd.model.span import span_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.store.resource import RulesetDocument

BASE_REVISIONS: Final = 200
"""After so many revisions a new base is written."""
BASE_SHARE: Final = 4
"""A new base is written when what differs takes more than one part in so many of the base."""
DOCUMENT_BYTES_MAX: Final = 1 << 28
_LEVEL: Final = 3


class Base:
    """A ruleset that stands for itself; `packed_bytes` is what it takes."""

    def __init__(self, document: RulesetDocument, packed_bytes: int) -> None:
        self.revision = document.revision
        self.lines = document.lines
        self.packed_bytes = packed_bytes

    @cached_property
    def places(self) -> dict[bytes, int]:
        """Where each line stands."""
        return {line: number for number, line in enumerate(self.lines)}


@dataclass(frozen=True, slots=True)
class Packed:
    """A ruleset as it is written; without a base it is one itself."""

    document: RulesetDocument
    base: int | None
    data: bytes = field(repr=False)


class Packer:
    """Packs one ruleset after the other. `kept` tells it which was written."""

    def __init__(self) -> None:
        self._base: Base | None = None

    async def pack(self, document: RulesetDocument) -> Packed:
        """Pack a ruleset: a whole one, which takes its time, in another thread."""
        base = self._base
        if base is not None and base.revision < document.revision <= base.revision + BASE_REVISIONS:
            data = zstandard.compress(orjson.dumps(difference(document.lines, base)), _LEVEL)
            if len(data) * BASE_SHARE < base.packed_bytes:
                return Packed(document, base.revision, data)
        return Packed(document, None, await asyncio.to_thread(_whole, document.lines))

    def kept(self, packed: Packed) -> None:
        """Pack the next ones against this, if it is a base."""
        if packed.base is None:
            self._base = Base(packed.document, len(packed.data))


def _whole(lines: Sequence[bytes]) -> bytes:
    return zstandard.compress(b"\n".join(lines), _LEVEL)


def unpack(data: bytes, base: bytes | None) -> bytes:
    """Give a document back; `base` is its base as it is written (None: it has none)."""
    plain = zstandard.decompress(data, DOCUMENT_BYTES_MAX)
    if base is None:
        return plain
    lines = unpack(base, None).split(b"\n")
    parts: list[bytes] = []
    for part in orjson.loads(plain):
        parts += [part.encode()] if isinstance(part, str) else lines[part[0] : part[0] + part[1]]
    return b"\n".join(parts)


def difference(lines: Sequence[bytes], base: Base) -> list[str | list[int]]:
    """Say a document line by line: runs of lines of the base, `[first, count]`, and lines of its own."""
    start, base_stop, stop = span_of(base.lines, lines)
    said: list[str | list[int]] = [[0, start]] if start else []
    if start < stop and start < base_stop:
        said += _runs(lines[start:stop], base.places)
    else:
        said += [line.decode() for line in lines[start:stop]]
    left = len(base.lines) - base_stop
    return [*said, [base_stop, left]] if left else said


def _runs(lines: Sequence[bytes], places: dict[bytes, int]) -> list[str | list[int]]:
    said: list[str | list[int]] = []
    run = [-1, 0]
    for line in lines:
        number = places.get(line)
        if number is None:
            said.append(line.decode())
            run = [-1, 0]
        elif number == run[0] + run[1]:
            run[1] += 1
        else:
            run = [number, 1]
            said.append(run)
    return said
