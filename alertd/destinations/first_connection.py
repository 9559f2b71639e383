"""The connection that is made first where a host has several addresses."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from aiohappyeyeballs import start_connection

if TYPE_CHECKING:
    from collections.abc import Sequence

NEXT_ADDRESS_SECONDS: Final = 0.25
"""How long an address of several may take before the next one is tried beside it (RFC 8305)."""


async def first_connection(addresses: Sequence[str], port: int) -> socket.socket:
    """Connect to one of these addresses and to no other. Raises OSError, and under uvloop RuntimeError."""
    infos = [_info(address, port) for address in addresses]
    return await start_connection(infos, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS)


def _info(address: str, port: int) -> tuple[int, int, int, str, tuple[str, int]]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))
