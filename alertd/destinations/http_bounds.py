"""The bounds that every sender of HTTP keeps, each with its unit."""

from __future__ import annotations

from typing import Final

CONNECT_SECONDS: Final = 5.0
"""Most that resolving, connecting and the TLS handshake may take together (less when the whole time-out is less)."""

KEEPALIVE_SECONDS: Final = 4.0
"""How long an idle connection is kept: node, uvicorn and Apache close theirs after 5 s, others later."""

DNS_CACHE_SECONDS: Final = 10
"""How long a name's checked addresses are used again for new connections."""

LINE_BYTES_MAX: Final = 8190
"""Bytes in an answer's status line, and in one of its headers."""

HEADERS_MAX: Final = 128
"""Headers in an answer."""

URLS_MAX: Final = 10_000
"""URLs whose parsed and checked form is remembered."""

USER_AGENT: Final = "alertd"
