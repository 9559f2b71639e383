"""Whom the system trusts, as a TLS context: more than a hundred certificates, for which the loop would stand still."""

from __future__ import annotations

import ssl
from functools import partial

from alertd.destinations.own_thread import in_own_thread


async def system_trust(*protocols: str) -> ssl.SSLContext:
    """Read it anew; `protocols` are offered to servers (ALPN)."""
    return await in_own_thread(partial(_read, protocols), "system-trust")


def _read(protocols: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if protocols:
        context.set_alpn_protocols(protocols)
    return context
