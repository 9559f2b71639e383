"""What systemd is told: readiness, reloads, the stop, a status line, and signs of life.

A tiny client of the protocol of sd_notify(3). Without `NOTIFY_SOCKET` in the environment it says nothing to nobody.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import socket
from typing import TYPE_CHECKING, Final, TypeAlias

import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from structlog.typing import FilteringBoundLogger

    from alertd.clock import Clock

    Liveness: TypeAlias = Callable[[], bool | Awaitable[bool]]

log: FilteringBoundLogger = structlog.get_logger("alertd.systemd")

_SEND_SECONDS: Final = 0.5


class Notifier:
    """Tells the service manager what the daemon is doing; a failure to tell is logged and harms nothing."""

    def __init__(self, address: str | None, clock: Clock) -> None:
        self._address = address
        self._clock = clock

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], clock: Clock) -> Notifier:
        """Find the manager's socket in `NOTIFY_SOCKET`."""
        return cls(environ.get("NOTIFY_SOCKET") or None, clock)

    @property
    def enabled(self) -> bool:
        """Whether there is a manager to tell."""
        return self._address is not None

    def ready(self, status: str = "") -> None:
        """Say that start or reload is complete."""
        self._send("READY=1", *_status(status))

    def reloading(self) -> None:
        """Say that a reload began; `ready` must follow."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={int(self._clock.monotonic() * 1_000_000)}")

    def stopping(self, status: str = "") -> None:
        """Say that the stop began."""
        self._send("STOPPING=1", *_status(status))

    def status(self, status: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send(*_status(status))

    def alive(self) -> None:
        """Give a sign of life to the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._address is None or not lines:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
                manager.settimeout(_SEND_SECONDS)
                manager.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            log.warning("systemd.notify_failed", lines=lines, error=str(error))


class Watchdog:
    """A service that gives signs of life while, and only while, a liveness check says that there is life.

    The check runs on the event loop and is given a quarter of the watchdog's time; one that hangs, raises or answers no
    gives no sign, and then systemd restarts the daemon. A loop that is stuck gives none either.
    """

    name = "systemd-watchdog"

    def __init__(self, notifier: Notifier, check: Liveness, watchdog_seconds: float) -> None:
        self._notifier = notifier
        self._check = check
        self._interval = watchdog_seconds / 2
        self._patience = watchdog_seconds / 4
        self._stopping = asyncio.Event()
        self._healthy = True

    async def run(self) -> None:
        """Give signs at half the watchdog's time until stopped."""
        while not self._stopping.is_set():
            await self._beat()
            try:
                async with asyncio.timeout(self._interval):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Give no further signs."""
        self._stopping.set()

    async def _beat(self) -> None:
        reason = await self._diagnose()
        if not reason:
            self._notifier.alive()
        if self._healthy != (not reason):
            self._healthy = not reason
            if reason:
                log.error("watchdog.withheld", reason=reason)
            else:
                log.info("watchdog.resumed")

    async def _diagnose(self) -> str:
        """Say why there is no life, or nothing."""
        try:
            async with asyncio.timeout(self._patience):
                answer = self._check()
                lives = await answer if inspect.isawaitable(answer) else answer
        except TimeoutError:
            return f"the liveness check did not answer within {self._patience:g} s"
        except Exception as error:  # noqa: BLE001 - whatever a check raises means that it did not say yes
            return f"the liveness check failed: {type(error).__name__}: {error}"
        return "" if lives else "the liveness check said no"


def watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """Read how often systemd wants a sign of life from this process; None when it does not."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 1_000_000


def _status(status: str) -> tuple[str, ...]:
    return ("STATUS=" + " ".join(status.split()),) if status else ()
