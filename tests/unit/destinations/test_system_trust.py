"""Reading whom the system trusts."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import threading
from typing import Any

import pytest

from alertd.destinations.system_trust import system_trust, trusting_nobody

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


async def test_contexts_made_within_trust_nobody() -> None:
    """Those of this thread; another one's trust the system, and afterwards all do, also after an error."""
    with trusting_nobody():
        own, other = ssl.create_default_context(), await system_trust()
    assert own.get_ca_certs() == []
    assert (own.verify_mode, own.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert other.cert_store_stats() == ssl.create_default_context().cert_store_stats() != own.cert_store_stats()
    with pytest.raises(ZeroDivisionError), trusting_nobody():
        _ = 1 / 0
    assert ssl.create_default_context().cert_store_stats() == other.cert_store_stats()


def test_the_library_reads_no_certificates_for_the_daemon() -> None:
    """Its contexts are made when aiohttp is imported: tried in a process that has not imported it yet."""
    program = (
        "from alertd.destinations.system_trust import load_aiohttp\nload_aiohttp()\nimport aiohttp.connector as made\n"
        "print(len(made._SSL_CONTEXT_VERIFIED.get_ca_certs()), made._SSL_CONTEXT_VERIFIED.verify_mode.name)"
    )
    said = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=120
    )
    assert said.stdout.split() == ["0", "CERT_REQUIRED"]


def test_two_threads_at_once_leave_all_as_it_was() -> None:
    """The second waits for the first: neither takes what the other put there for what was there before."""
    before, inside, go_on = ssl.create_default_context, threading.Event(), threading.Event()

    def distrust() -> None:
        with trusting_nobody():
            inside.set()
            assert go_on.wait(DEADLINE_SECONDS)

    first, second = threading.Thread(target=distrust), threading.Thread(target=distrust)
    first.start()
    assert inside.wait(DEADLINE_SECONDS)
    second.start()
    go_on.set()
    for each in (first, second):
        each.join(DEADLINE_SECONDS)
    assert ssl.create_default_context is before
