"""The frames of a stack trace that many events have: one list for all of them, which nobody changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable


class Frames(list[dict[str, Any]]):
    """Frames that come again, with what was made of them.

    Shapes: `omitted` counts those that are left out; `is_cut` says whether anything was too much, a text or their number;
    `written` is their JSON; `places` are what grouping reads in them, None until it does.
    """

    __slots__ = ("is_cut", "omitted", "places", "written")

    def __init__(self, frames: Iterable[dict[str, Any]], omitted: int = 0, *, is_cut: bool = False) -> None:
        super().__init__(frames)
        self.omitted = omitted
        self.is_cut = is_cut
        self.written = orjson.dumps(list(self))
        self.places: list[str] | None = None


def write(body: dict[str, Any]) -> bytes:
    """Write an event's body as JSON, in which `Frames` are as they were written before."""
    return orjson.dumps(body, _written, orjson.OPT_PASSTHROUGH_SUBCLASS)


def _written(value: Any) -> orjson.Fragment:
    if type(value) is Frames:
        return orjson.Fragment(value.written)
    raise TypeError
