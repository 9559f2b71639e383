"""What many errors have in common: the frames of a stack trace, and all that is said of a crash. Nobody changes either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from alertd.model.compact import compact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Frames(list[dict[str, Any]]):
    """Frames that come again, with what was made of them.

    Shapes: `omitted` counts those that are left out; `is_cut` says whether anything was too much, a text or their number;
    `written` is their JSON; `places` are what grouping reads in them, None until it does; `crashes` are what came lately
    whose first stack trace they are, and `tries` counts how often something was to become one.
    """

    __slots__ = ("crashes", "is_cut", "omitted", "places", "tries", "written")

    def __init__(self, frames: Iterable[dict[str, Any]], omitted: int = 0, *, is_cut: bool = False) -> None:
        super().__init__(frames)
        self.omitted = omitted
        self.is_cut = is_cut
        self.written = compact(orjson.dumps(list(self)))
        self.places: list[str] | None = None
        self.crashes: tuple[Crash, ...] = ()
        self.tries = 0


class Crash(dict[str, Any]):
    """`data.exception` of an error that came before, in whose text it stood between `head` and `tail`.

    Shapes: `head` is what stands before the frames of its first stack trace, `tail` what stands behind them; `trimmed` is
    what was cut of it; `written` is its JSON; `title` is what an event is called for it (empty: nothing), and `fingerprint`
    that of an event which has none of its own, where it follows from this alone; both None until somebody looks.
    """

    __slots__ = ("fingerprint", "head", "tail", "title", "trimmed", "written")

    def __init__(self, exception: Mapping[str, Any], trimmed: Iterable[str], head: bytes, tail: bytes) -> None:
        super().__init__(exception)
        self.trimmed = frozenset(trimmed)
        self.head = head
        self.tail = tail
        self.written = compact(write(dict(self)))
        self.title: str | None = None
        self.fingerprint: str | None = None

    @property
    def held_bytes(self) -> int:
        """How much memory its texts take."""
        return len(self.head) + len(self.tail) + len(self.written)


def write(body: dict[str, Any]) -> bytes:
    """Write an event's body as JSON, in which `Frames` and `Crash` are as they were written before."""
    return orjson.dumps(body, _written, orjson.OPT_PASSTHROUGH_SUBCLASS)


def _written(value: Any) -> orjson.Fragment:
    if type(value) is Frames or type(value) is Crash:
        return orjson.Fragment(value.written)
    raise TypeError
