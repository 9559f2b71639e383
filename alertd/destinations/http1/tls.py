"""A connection under TLS: the ssl module between the bytes of the loop and those of HTTP.

The module works on memory here, not on the loop's own TLS transport: that one asks OpenSSL for more after each piece,
and the exception that says "nothing more" costs more than the cipher. It also leaves it to us to know when the last byte
of a request was handed to the system.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Final

from typing_extensions import override

from alertd.destinations.http1.connection import Connection

if TYPE_CHECKING:
    import socket

    from alertd.destinations.http1.connection import Keeper
    from alertd.destinations.http1.patrol import Patrol

RECORD_BYTES: Final = 16 * 1024
"""Most that one record of TLS holds."""


class TlsConnection(Connection):
    """A connection to one origin, proven to be `host` by its certificate."""

    __slots__ = ("_cipher", "_incoming", "_outgoing", "_shaken")
    talks_first: ClassVar[bool] = True  # tickets, with which a later handshake would be shorter

    def __init__(
        self, pool: Keeper, patrol: Patrol, sock: socket.socket, *, context: ssl.SSLContext, host: str
    ) -> None:
        super().__init__(pool, patrol, sock)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._cipher = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._shaken: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    @override
    async def ready(self) -> None:
        """Wait for the end of the handshake. Raises ssl.SSLError or OSError."""
        if (error := await self._shaken) is not None:
            raise error

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        super().connection_made(transport)
        self._write = self._encrypt
        self._shake_hands()

    @override
    def data_received(self, data: bytes) -> None:
        """Go on with the handshake, or decipher."""
        self._incoming.write(data)
        if self._shaken.done():
            self._decipher()
        else:
            self._shake_hands()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Take note of the end."""
        self._shook(exc or ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the connection was closed"))
        super().connection_lost(exc)

    def _shake_hands(self) -> None:
        try:
            self._cipher.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as error:
            self._flush()  # the alert that tells the server why
            self._shook(error)
            self._close()
            return
        self._flush()
        self._shook(None)
        if self._incoming.pending:
            self._decipher()

    def _shook(self, error: Exception | None) -> None:
        if not self._shaken.done():
            self._shaken.set_result(error)

    def _encrypt(self, data: bytes) -> None:
        try:
            sent = self._cipher.write(data)
            while sent < len(data):
                sent += self._cipher.write(memoryview(data)[sent:])
        except ssl.SSLError as error:
            self._lost(error)
            self._close()
            return
        self._transport.write(self._outgoing.read())

    def _decipher(self) -> None:
        """Read record after record, and ask for no more than there is."""
        cipher, incoming = self._cipher, self._incoming
        try:
            while self._alive:
                piece = cipher.read(RECORD_BYTES)
                if not piece:
                    self.eof_received()
                    return
                super().data_received(piece)
                if not incoming.pending and not cipher.pending():
                    break
        except ssl.SSLWantReadError:
            pass  # half a record, or one that was for TLS itself
        except ssl.SSLError as error:
            self._lost(error)
            self._close()
        if self._outgoing.pending:
            self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending and not self._transport.is_closing():
            self._transport.write(self._outgoing.read())

    @override
    def _close(self) -> None:
        """Say good-bye, if that can be done at once."""
        if self._alive and self._shaken.done() and not self._stuck:
            with suppress(ssl.SSLError):
                self._cipher.unwrap()
            self._flush()
        super()._close()
