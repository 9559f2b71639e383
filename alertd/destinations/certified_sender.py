"""A sender with certificates of a destination's own: its connections are nobody else's, and new ones when files change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alertd.destinations.base import SendError
from alertd.destinations.tls_files import TlsIdentity

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from alertd.destinations.base import HttpAnswer, HttpRequest, Sender
    from alertd.destinations.tls_files import TlsFiles

PROTOCOLS: Final = ("http/1.1",)


class CertifiedSender:
    """Sends through a sender that `make` makes of a context; what is under way when files change ends on the one before."""

    def __init__(self, files: TlsFiles, make: Callable[[ssl.SSLContext], Sender]) -> None:
        self._identity = TlsIdentity(files, PROTOCOLS)
        self._make = make
        self._present: _Made | None = None

    async def send(self, request: HttpRequest, timeout_seconds: float) -> HttpAnswer:
        """Send and return the answer. Raises SendError, also when the files cannot be used: nothing was sent then."""
        made = await self._made()
        made.users += 1
        try:
            return await made.sender.send(request, timeout_seconds)
        finally:
            made.users -= 1
            await made.close_if_done()

    async def close(self) -> None:
        """Close all connections; what is still under way fails. Twice is fine."""
        made, self._present = self._present, None
        if made is not None:
            await made.sender.close()

    async def _made(self) -> _Made:
        try:
            context = await self._identity.context()
        except OSError as error:
            raise SendError(str(error)) from error
        before = self._present
        if before is not None and before.context is context:
            return before
        self._present = made = _Made(context, self._make(context))
        if before is not None:
            before.retired = True
            await before.close_if_done()
        return made


class _Made:
    """A sender, and how many requests are under way on it."""

    __slots__ = ("context", "retired", "sender", "users")

    def __init__(self, context: ssl.SSLContext, sender: Sender) -> None:
        self.context = context
        self.sender = sender
        self.users = 0
        self.retired = False

    async def close_if_done(self) -> None:
        """Close it when another took its place and nothing is under way on it."""
        if self.retired and not self.users:
            await self.sender.close()
