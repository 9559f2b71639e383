"""The problems of one body: every bad place, the first thousand of them in full, and the error that they amount to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alertd.errors import DecodeError, NotJsonError, Problem, TooLargeError
from alertd.sources.base import ForbiddenWorkspaceError

if TYPE_CHECKING:
    from collections.abc import Callable

LISTED_MAX: Final = 1000
"""Greatest number of problems that an error lists, one for each event that a body may have; it says how many more there are."""
POINTER_NAME_MAX: Final = 128
"""Greatest length of a field's name inside a pointer, in characters; a longer one is cut and ends in `…`."""


class Problems:
    """Collects what is wrong with one body, so that a sender mends all of it at once."""

    def __init__(self) -> None:
        self._listed: list[tuple[Problem, type[DecodeError]]] = []
        self._kinds: set[type[DecodeError]] = set()
        self._rest = 0

    def __len__(self) -> int:
        return len(self._listed) + self._rest

    @property
    def full(self) -> bool:
        """Whether further problems will only be counted, so that their details need not be made."""
        return len(self._listed) >= LISTED_MAX

    def add(self, pointer: str, detail: str, kind: type[DecodeError] = DecodeError) -> None:
        """Note one bad place; `kind` is the error that it would be on its own."""
        self._kinds.add(kind)
        if self.full:
            self._rest += 1
        else:
            self._listed.append((Problem(pointer, detail), kind))

    def count(self, more: int) -> None:
        """Note bad places whose details nobody will read."""
        self._kinds.add(DecodeError)
        self._rest += more

    def adopt(self, others: Problems, place: Callable[[str], str]) -> None:
        """Note what another decoder found, at the places that this one calls by other names."""
        for problem, kind in others._listed:
            self.add(place(problem.pointer), problem.detail, kind)
        self._rest += others._rest
        self._kinds |= others._kinds

    def error(self) -> DecodeError:
        """Return the error for all of them: what cannot be read at all weighs most, then what is forbidden, then the fields."""
        listed = [problem for problem, _ in self._listed]
        if self._rest:
            listed.append(Problem("", f"{self._rest} more problems are not listed"))
        for kind in (NotJsonError, ForbiddenWorkspaceError):
            if kind in self._kinds:
                return kind(listed)
        return (TooLargeError if self._kinds == {TooLargeError} else DecodeError)(listed)

    def check(self) -> None:
        """Raise the error if there is any problem."""
        if self._listed or self._rest:
            raise self.error()


def step(pointer: str, name: str) -> str:
    """Extend an RFC 6901 pointer by a member's name."""
    if len(name) > POINTER_NAME_MAX:
        name = name[:POINTER_NAME_MAX] + "…"
    return f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
