"""What the audit log says of destinations that the daemon disabled by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from alertd.errors import StoreUnavailableError
from alertd.resources.gone import GoneLog

if TYPE_CHECKING:
    from alertd.resources.change import Noted


class Lines:
    """A log that cannot be written as often as `failures` says."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.written: list[tuple[str, Noted]] = []
        self.news = asyncio.Event()

    async def note(self, actor: str, noted: Noted) -> None:
        """Take a line."""
        if self.failures:
            self.failures -= 1
            raise StoreUnavailableError("disk full")
        self.written.append((actor, noted))
        self.news.set()


async def test_the_daemon_is_named_with_the_reason() -> None:
    """One line for each destination, in order, while the daemon runs."""
    lines = Lines()
    log = GoneLog(lines.note)
    running = asyncio.create_task(log.run())
    log.tell("default", "ops", "gone: returned 410")
    async with asyncio.timeout(60):
        await lines.news.wait()
    log.tell("shop", "mail", "gone: returned 410")
    log.stop()
    await running
    assert [(actor, noted.action, noted.key) for actor, noted in lines.written] == [
        ("alertd", "disabled", ("destination", "default", "ops")),
        ("alertd", "disabled", ("destination", "shop", "mail")),
    ]
    assert {str(noted.after) for _, noted in lines.written} == {"{'reason': 'gone: returned 410'}"}


async def test_a_line_waits_for_the_store() -> None:
    """None is lost while the disk is full, nor when the daemon stops meanwhile."""
    lines = Lines(failures=2)
    log = GoneLog(lines.note)
    log.tell("default", "ops", "gone: returned 410")
    log.stop()
    async with asyncio.timeout(60):
        await log.run()
    assert len(lines.written) == 1
