"""A set of TCP ports, as it is written in settings: numbers and ranges, such as `80, 443, 1024-65535`. Pure."""

from __future__ import annotations

import re
from typing import Final

from typing_extensions import override

PORT_MAX: Final = 65535
HTTP_PORTS: Final = "80, 443, 1024-65535"
"""Where public servers are spoken HTTP with unless `egress.ports` says otherwise: no service of another protocol that is
below 1024, such as SMTP, can be made to read a request."""

_ENTRY: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)


class Ports:
    """Holds ports. Raises ValueError that names the first bad entry."""

    __slots__ = ("_ranges", "_text")

    def __init__(self, text: str) -> None:
        self._ranges = tuple(_range(entry.strip()) for entry in text.split(","))
        self._text = ", ".join(f"{low}" if low == high else f"{low}-{high}" for low, high in self._ranges)

    def __contains__(self, port: int) -> bool:
        """Whether a port is one of them."""
        return any(low <= port <= high for low, high in self._ranges)

    @override
    def __str__(self) -> str:
        return self._text


def checked_ports(text: str) -> str:
    """Return a setting in its plain form. Raises ValueError."""
    return str(Ports(text))


def _range(entry: str) -> tuple[int, int]:
    found = _ENTRY.fullmatch(entry)
    low = int(found[1]) if found else 0
    high = int(found[2] or low) if found else 0
    if not 1 <= low <= high <= PORT_MAX:
        raise ValueError(f"TCP ports and ranges of them, such as {HTTP_PORTS} (not {entry[:20]!r})")
    return low, high
