"""What is done when something ends half-way: what it holds is given back, and the error goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class OnFailure:
    """Does something when the block that it opens is left by an exception, a cancellation included; nothing otherwise.

    The exception goes on as it is. An error of `undo` goes on in its place, with it as its context.
    """

    __slots__ = ("_undo",)

    def __init__(self, undo: Callable[[], object]) -> None:
        self._undo = undo

    def __enter__(self) -> None:
        """Hold it ready."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do it when there is an error."""
        if error is not None:
            self._undo()
