"""A media type: what a `Content-Type` says, as far as a decoder cares."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

_UTF_8: Final = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})
_RECENT = 256


class MediaType(NamedTuple):
    """The type without its parameters, in small letters and empty when absent; and whether its charset is UTF-8."""

    name: str
    is_utf8: bool

    @property
    def is_json(self) -> bool:
        """Whether it is JSON or a format on top of it (`application/problem+json`)."""
        return self.name.endswith(("/json", "+json"))

    @property
    def is_text(self) -> bool:
        """Whether it is made for people's eyes, at least at need."""
        return self.is_utf8 and (
            self.name.startswith("text/")
            or self.name.endswith(("/xml", "+xml"))
            or self.name == "application/x-www-form-urlencoded"
        )


@lru_cache(_RECENT)
def media_type(text: str | None) -> MediaType:
    """Read a `Content-Type`; never fails, whatever the text."""
    name, *parameters = (text or "").lower().split(";")
    charset = ""
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "charset":
            charset = value.strip().strip('"')
    return MediaType(name.strip(), charset in _UTF_8)
