"""How much of bodies may be on its way into memory at once: who sends slowly must not fill it with many at a time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from alertd.errors import IntakeFullError

if TYPE_CHECKING:
    from collections.abc import Iterator

READING_BYTES_MAX: Final = 128 * 1024 * 1024
"""Bytes of bodies that are being read. One that was there in full when its turn came is none of them."""


class Reading:
    """The room for bodies that are still arriving, in bytes."""

    def __init__(self, bound: int = READING_BYTES_MAX) -> None:
        self._bound = bound
        self._taken = 0

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Hold room for so many bytes as long as the context lasts; one body alone always finds some.

        Raises IntakeFullError when there is not enough.
        """
        if self._taken and self._taken + size > self._bound:
            raise IntakeFullError
        self._taken += size
        try:
            yield
        finally:
            self._taken -= size
