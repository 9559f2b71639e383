"""Reading whom the system trusts."""

from __future__ import annotations

import asyncio
import ssl
import threading
from typing import TYPE_CHECKING, Any

from alertd.destinations.system_trust import system_trust

if TYPE_CHECKING:
    import pytest

DEADLINE_SECONDS = 60


async def test_who_is_trusted() -> None:
    """Servers must have a certificate that the system trusts, and it must be theirs."""
    context = await system_trust("http/1.1")
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert await system_trust() is not context


async def test_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is read the loop goes on; and it is read even when all threads of the loop are taken."""
    loop, gate, reading, true = (
        asyncio.get_running_loop(),
        threading.Event(),
        asyncio.Event(),
        ssl.create_default_context,
    )

    def slow(*given: Any, **named: Any) -> ssl.SSLContext:
        loop.call_soon_threadsafe(reading.set)
        assert gate.wait(DEADLINE_SECONDS)
        return true(*given, **named)

    monkeypatch.setattr(ssl, "create_default_context", slow)
    taken = [loop.run_in_executor(None, gate.wait, DEADLINE_SECONDS) for _ in range(64)]
    task = asyncio.ensure_future(system_trust())
    async with asyncio.timeout(DEADLINE_SECONDS):
        await reading.wait()
        gate.set()
        assert isinstance(await task, ssl.SSLContext)
        await asyncio.gather(*taken)
