r"""An envelope of Sentry's SDKs: a line of headers, then items, each a line of headers and a payload.

    Envelope = Headers { "\n" Item } [ "\n" ]
    Item     = Headers "\n" Payload

Headers are JSON objects on one line. A payload has `length` bytes, after which only a newline or the end may follow;
without a `length` it goes up to the next newline or the end. Nothing is copied: payloads are views of the body, and
what is skipped is never looked at. Places in errors: `/header`, `/items/3`, `/items/3/payload`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from alertd.errors import NotJsonError, Problem, TooLargeError
from alertd.sources.explain import found
from alertd.sources.sentry_fields import event_id_of
from alertd.sources.sentry_json import load_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.sources.base import Context

HEADER_MAX_BYTES: Final = 16 * 1024
"""Greatest length of a line of headers."""
ITEMS_MAX: Final = 1000
"""Greatest number of items in an envelope."""


@dataclass(slots=True)
class Item:
    """One item. Shapes: `index` from 0; `type` is any text, `payload` a view of the body.

    Not frozen only because freezing costs a microsecond an item; nobody changes one.
    """

    index: int
    type: str
    payload: memoryview

    @property
    def pointer(self) -> str:
        """Where errors say it is."""
        return f"/items/{self.index}"


class Envelope:
    """An envelope whose first line has been read; `header` holds it."""

    def __init__(self, body: bytes, context: Context) -> None:
        """Read the first line. Errors: `NotJsonError`, `TooLargeError` for a line beyond its bound."""
        self._body = body
        self._view = memoryview(body)
        self._context = context
        self.header, self._start = self._headers(0, "/header")

    @property
    def event_id(self) -> str | None:
        """The id that the header gives, None when it gives none. Raises `NotJsonError` for one that is none."""
        given = self.header.get("event_id")
        if given is None:
            return None
        event_id = event_id_of(given)
        if event_id is None:
            raise _malformed("/header/event_id", f"expected a UUID, found {found(given)}")
        return event_id

    @property
    def dsn(self) -> str | None:
        """The DSN that the header gives, None when it gives none. Raises `NotJsonError` for one that is no text."""
        given = self.header.get("dsn")
        if given is None or isinstance(given, str):
            return given
        raise _malformed("/header/dsn", f"expected a DSN, found {found(given)}")

    def items(self) -> Iterator[Item]:
        """Read item after item. Errors: `NotJsonError` where the framing is broken, `TooLargeError` beyond a bound."""
        place, end = self._start, len(self._body)
        index = 0
        while place < end:
            if index == ITEMS_MAX:
                raise TooLargeError([Problem("/items", f"more than {ITEMS_MAX} items in one envelope")])
            pointer = f"/items/{index}"
            headers, place = self._headers(place, pointer)
            kind = headers.get("type")
            if not isinstance(kind, str):
                problem = "is required" if kind is None else f"expected a text, found {found(kind)}"
                raise _malformed(f"{pointer}/type", problem)
            if place > end:
                raise _malformed(f"{pointer}/payload", "the envelope ends before it")
            start, stop = place, self._payload_end(place, headers.get("length"), pointer)
            place = stop + 1
            yield Item(index, kind, self._view[start:stop])
            index += 1

    def _headers(self, place: int, pointer: str) -> tuple[dict[str, Any], int]:
        """Read a line of headers; return it and where the next line begins, beyond the end when there is none."""
        stop = self._body.find(b"\n", place)
        if stop < 0:
            stop = len(self._body)
        if stop - place > HEADER_MAX_BYTES:
            raise TooLargeError([Problem(pointer, f"the line of headers has more than {HEADER_MAX_BYTES} bytes")])
        return load_object(self._view[place:stop], pointer, self._context), stop + 1

    def _payload_end(self, place: int, length: Any, pointer: str) -> int:
        end = len(self._body)
        if length is None:
            stop = self._body.find(b"\n", place)
            return end if stop < 0 else stop
        if type(length) is not int or length < 0:
            raise _malformed(f"{pointer}/length", f"expected a number of bytes, found {found(length)}")
        stop = place + length
        if stop > end:
            raise _malformed(f"{pointer}/payload", f"{length} bytes are announced, {end - place} are there")
        if stop < end and self._body[stop] != ord("\n"):
            raise _malformed(f"{pointer}/payload", f"expected a newline after its {length} bytes, or the end")
        return stop


def _malformed(pointer: str, detail: str) -> NotJsonError:
    return NotJsonError([Problem(pointer, detail)])
