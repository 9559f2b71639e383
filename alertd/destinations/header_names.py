"""The names of a request's headers: which a destination may set. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

FRAMING: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that say where a request ends, whom it is for and what becomes of its connection: the sender's alone."""

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
"""A header's name, or a method (RFC 9110, 5.6.2)."""


@lru_cache(maxsize=1024)
def check_names(names: tuple[str, ...]) -> None:
    """Raise ValueError, without repeating it, when a name is none, or is the sender's to set."""
    for name in names:
        if not TOKEN.fullmatch(name):
            raise ValueError("a header's name has characters that HTTP does not allow there")
        if name.lower() in FRAMING:
            raise ValueError(f"the header {name.lower()} is set by the sender alone")
