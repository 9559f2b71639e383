"""The headers of an answer: read when asked for, which for most answers is never."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from multidict import CIMultiDict
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence


class Fields(Mapping[str, str]):
    """Names in any case, to values; where a name comes several times, the first.

    Bytes that are not UTF-8 stand as lone surrogates.
    """

    __slots__ = ("_raw", "_read")

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._raw = raw
        self._read: CIMultiDict[str] | None = None

    @override
    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(self._all()))

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _all(self) -> CIMultiDict[str]:
        if self._read is None:
            self._read = CIMultiDict((_text(name), _text(value)) for name, value in self._raw)
        return self._read


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
