"""The query of a list: its filters, its page. What is not known is refused by name, never left out in silence."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from aiohttp import web

from alertd.api.operation import documented
from alertd.errors import InvalidError, Problem
from alertd.model import ids

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from multidict import MultiMapping


class Numbered(Protocol):
    """What a page is cut behind."""

    @property
    def id(self) -> int:
        """Its number."""


_Numbered = TypeVar("_Numbered", bound=Numbered)

LIMIT: Final = 50
"""Size of a page when nothing is asked for."""
LIMIT_MAX: Final = 200
"""Greatest size of a page."""
CURSOR: Final = "cur"
NAME_CURSOR: Final = "after_"
PAGE: Final = ("limit", "cursor")
"""What every list takes."""
FLAG: Final = ("true", "false")
"""What something that is true or false is called."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LAST_MS: Final = (1 << 43) - 1
"""The last millisecond that a number of ours can say."""


class Query:
    """Reads the parameters of one request; collects what is wrong, so that all of it is answered at once.

    Instead of a request its parameters may be given, with the `pointer` of where they stand.
    """

    def __init__(self, request: web.Request | MultiMapping[str], known: Sequence[str], pointer: str = "") -> None:
        self._given = request.query if isinstance(request, web.Request) else request
        self._pointer = pointer
        self._problems: list[Problem] = []
        for name in dict.fromkeys(self._given):
            if name not in known:
                self._refuse(name, f"is not known here; {_told(known)}")
            elif len(self._given.getall(name)) > 1:
                self._refuse(name, "is given more than once")

    def check(self) -> None:
        """Raise InvalidError if anything was wrong so far."""
        if self._problems:
            raise InvalidError(self._problems)

    def limit(self) -> int:
        """Size of the page."""
        text = self._given.get("limit")
        if text is None:
            return LIMIT
        number = int(text) if text.isascii() and text.isdigit() and len(text) < len("1000000") else 0
        if not 1 <= number <= LIMIT_MAX:
            self._refuse("limit", f"must be a whole number from 1 to {LIMIT_MAX}")
        return number

    def cursor(self) -> int | None:
        """Where the page continues: behind this number, in the list's own order."""
        return self._id("cursor", CURSOR, "is not a cursor that a list gave")

    def alert(self) -> int | None:
        """Number of the alert asked for."""
        return self._id("alert_id", ids.ALERT, "is not the id of an alert, such as alt_19c3f2a4b5600001")

    def digest(self) -> int | None:
        """Number of the digest asked for."""
        return self._id("digest_id", ids.DELIVERY, "is not the id of a delivery, such as dlv_19c3f2a4b5600001")

    def word(self, name: str, words: Collection[str]) -> str | None:
        """One of a closed set of words."""
        text = self._given.get(name)
        if text is not None and text not in words:
            self._refuse(name, f"must be one of {', '.join(words)}")
        return text

    def text(self, name: str) -> str | None:
        """Any text; one that nothing has ever been called finds nothing, and is no error."""
        text = self._given.get(name)
        if text is not None and not _sayable(text):
            self._refuse(name, "is not UTF-8")
            return None
        return text

    def words(self, name: str) -> str | None:
        """Any text but an empty one."""
        text = self.text(name)
        if text == "":
            self._refuse(name, "must not be empty")
        return text

    def name_cursor(self) -> str:
        """Return the name to continue behind, in a list that is ordered by name; empty at its beginning."""
        text = self._given.get("cursor")
        if text is None:
            return ""
        coded = text.removeprefix(NAME_CURSOR)
        try:
            name = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode()
        except ValueError:
            name = ""
        if not name or coded == text:
            self._refuse("cursor", "is no cursor of this list: give next_cursor back as it was")
        return name

    def time(self, name: str) -> int | None:
        """Milliseconds of an RFC 3339 time. A `+` of its offset that arrived as a space is taken for what it was."""
        text = self._given.get(name)
        milliseconds = _milliseconds(text.replace(" ", "+")) if text is not None else None
        if text is not None and milliseconds is None:
            self._refuse(name, "must be an RFC 3339 time with its offset, such as 2026-05-07T00:00:00Z")
        return milliseconds

    def flag(self, name: str) -> bool | None:
        """Return true or false."""
        text = self.word(name, FLAG)
        return None if text is None else text == "true"

    def _id(self, name: str, prefix: str, wrong: str) -> int | None:
        text = self._given.get(name)
        number = ids.parse_id(prefix, text) if text is not None else None
        if text is not None and number is None:
            self._refuse(name, wrong)
        return number

    def _refuse(self, name: str, detail: str) -> None:
        self._problems.append(Problem(f"{self._pointer}/{name.replace('~', '~0').replace('/', '~1')}", detail))


def _told(known: Sequence[str]) -> str:
    """Say which parameters there are."""
    if not known:
        return "there are no parameters"
    return f"known {'is' if len(known) == 1 else 'are'} {', '.join(known)}"


def refuse_unknown(request: web.Request) -> None:
    """Raise InvalidError for any parameter of a request whose operation has none."""
    if not documented(request).query:
        Query(request, ()).check()


def write_name_cursor(name: str) -> str:
    """Write the cursor behind a name."""
    return NAME_CURSOR + base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def write_cursor(number: int) -> str:
    """Write a cursor."""
    return ids.format_id(CURSOR, number)


def page_found(found: Sequence[_Numbered], limit: int, view: Callable[[_Numbered], dict[str, Any]]) -> dict[str, Any]:
    """Write a page of what a store found, newest first: one more than `limit` where there are more."""
    more = len(found) > limit
    return {
        "items": [view(each) for each in found[:limit]],
        "next_cursor": write_cursor(found[limit - 1].id) if more else None,
    }


def page_of(query: Query, items: Sequence[tuple[int, dict[str, Any]]]) -> dict[str, Any]:
    """Cut a page from a list that is in memory, ordered by its numbers. Raises InvalidError."""
    limit, behind = query.limit(), query.cursor()
    query.check()
    rest = [(number, item) for number, item in items if behind is None or number > behind]
    last = rest[limit - 1][0] if len(rest) > limit else None
    return {
        "items": [item for _, item in rest[:limit]],
        "next_cursor": None if last is None else write_cursor(last),
    }


def _milliseconds(text: str) -> int | None:
    if not _TIME.fullmatch(text):
        return None
    try:
        seconds = datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(0, round(seconds * 1000)), _LAST_MS)


def _sayable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
