"""The bytes of a request. Pure.

What does not change from one request to the next (the URL's target, the headers' names, the sender's own headers) is put
into pieces of text when it is first seen, checked once, and used again with the values between them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alertd.destinations.header_names import check_names
from alertd.destinations.http_bounds import USER_AGENT

if TYPE_CHECKING:
    from yarl import URL

    from alertd.destinations.base import HttpRequest

FORMS_MAX: Final = 64
"""Forms that are remembered for one URL."""

OWN: Final = {
    "accept": "Accept: */*",
    "accept-encoding": "Accept-Encoding: identity",
    "user-agent": f"User-Agent: {USER_AGENT}",
    "content-type": "Content-Type: application/octet-stream",
}
"""Headers of the sender's own, where the request names none."""


class Writer:
    """Writes requests to one URL."""

    __slots__ = ("_forms", "_host", "_target")

    def __init__(self, url: URL) -> None:
        self._target = url.raw_path_qs
        self._host = url.host_port_subcomponent
        self._forms: dict[tuple[str, ...], list[str]] = {}

    def write(self, request: HttpRequest) -> bytes:
        """Write the whole request. Raises ValueError, without repeating it, when HTTP cannot carry it."""
        headers, body = request.headers, request.body
        names = (request.method, *headers)
        text = (self._forms.get(names) or self._form(names)).copy()
        values = "".join(headers.values())
        if "\r" in values or "\n" in values or "\0" in values:
            raise ValueError("a header's value has a line break, or a zero byte")
        text[1::2] = *headers.values(), str(len(body))
        return "".join(text).encode() + body

    def _form(self, names: tuple[str, ...]) -> list[str]:
        """Give the text of such requests, in pieces with an empty place between any two, for the values and the length."""
        check_names(names)
        method, *own = names
        if method == "CONNECT":
            raise ValueError("CONNECT asks for a tunnel")
        given = {name.lower() for name in own}
        lines = [f"{method} {self._target} HTTP/1.1", f"Host: {self._host}"]
        lines += [line for name, line in OWN.items() if name not in given]
        first, *others = (f"{name}: " for name in (*own, "Content-Length"))
        form = ["\r\n".join((*lines, first))]
        for name in others:
            form += "", f"\r\n{name}"
        form += "", "\r\n\r\n"
        if len(self._forms) >= FORMS_MAX:
            self._forms.clear()
        self._forms[names] = form
        return form
