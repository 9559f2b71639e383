"""How long a mail server may take: the reply to a whole letter is waited for longer than any other.

A server that looks into a letter does so between its final dot and its reply, and whoever does not wait for that sends the
letter again though it may have arrived (RFC 5321, 4.5.3.2, asks for ten minutes).
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE: Final = 6
"""How many times as long as an attempt may take the reply to a whole letter is waited for."""


@contextmanager
def patience(bound: asyncio.Timeout, seconds: float) -> Iterator[None]:
    """Wait for so many seconds, whatever is left until `bound`; what was left before is left afterwards."""
    loop, deadline = asyncio.get_running_loop(), bound.when()
    began = loop.time()
    bound.reschedule(began + seconds)
    try:
        yield
    finally:
        if deadline is not None and not bound.expired():
            bound.reschedule(deadline + loop.time() - began)
