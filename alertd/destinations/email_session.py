"""One conversation with an SMTP server: greeting, privacy, login, and a transaction for each letter.

It says exactly where it ended: by a reply, or without one; and in that case whether a letter had been handed over in
full, so that it may have arrived.
"""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, ClassVar, Final

import aiosmtplib

from alertd.destinations.answers import one_line
from alertd.destinations.base import SendError
from alertd.destinations.email_replies import RefusedError, Reply, Step
from alertd.destinations.faults import unconnected
from alertd.destinations.mail_server import bare_reason
from alertd.destinations.system_trust import system_trust
from alertd.undo import OnFailure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from contextlib import AbstractContextManager

    from aiosmtplib import SMTPResponse

    from alertd.destinations.base import Connect
    from alertd.destinations.mail_server import MailServer

PORTS: Final = frozenset({25, 465, 587, 2525})
"""Where SMTP is spoken; a server elsewhere must be named in `egress.allow`."""
QUIT_SECONDS: Final = 1.0
"""How long a server may take to say good-bye."""

_GO_ON: Final = 354
_DOT: Final = re.compile(rb"(?m)^\.")


class Session:
    """Speaks to one server. `context` proves who it is (None: the system's certificates)."""

    _trusted: ClassVar[ssl.SSLContext | None] = None

    def __init__(self, server: MailServer, connect: Connect, context: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._connect = connect
        self._context = context
        self._client: aiosmtplib.SMTP | None = None
        self.handed_over = False
        """Whether a letter was handed over in full and not answered yet."""

    async def open(self) -> None:
        """Connect, become private, log in. Raises SendError, RefusedError."""
        server = self._server
        context = self._context or await self._system()
        sock = await self._connect(server.host or "", server.effective_port, PORTS)
        with OnFailure(sock.close):  # nobody else does while the client has not taken it
            self._refuse_bare(sock)
            self._client = self._made(sock, context)
            await self._replied(Step.GREETING, self._client.connect())
        await self._replied(Step.HELLO, self._client.ehlo())
        if server.tls == "starttls":
            await self._become_private()
        if server.username is not None:
            password = server.password.get_secret_value() if server.password else ""
            await self._replied(Step.LOGIN, self._client.login(server.username, password))

    async def send(
        self,
        sender: str,
        recipients: Sequence[str],
        letter: bytes,
        answering: AbstractContextManager[None] | None = None,
    ) -> tuple[Reply, dict[str, Reply]]:
        """Hand over one letter; return the reply to it, and those of the recipients that were refused.

        Where all were refused, the first of these is the reply. `answering` surrounds the wait for the reply to a whole
        letter. Raises SendError, RefusedError.
        """
        client = self._open_client()
        refused: dict[str, Reply] = {}
        await self._replied(Step.SENDER, client.mail(sender))
        for address in recipients:
            try:
                await self._replied(Step.RECIPIENT, client.rcpt(address))
            except RefusedError as error:
                if not client.is_connected:
                    raise
                refused[address] = error.reply
        if len(refused) == len(recipients):
            await self._replied(Step.SENDER, client.rset())
            return next(iter(refused.values())), refused
        return await self._content(client, letter, answering or nullcontext()), refused

    async def reset(self) -> None:
        """Forget a transaction that was refused, for the next one. Raises SendError, RefusedError."""
        await self._replied(Step.SENDER, self._open_client().rset())

    @property
    def goes_on(self) -> bool:
        """Whether the server is still there for another letter."""
        return self._client is not None and self._client.is_connected

    async def close(self) -> None:
        """Say good-bye, if that can be done soon, and close: everything is said, so nothing can fail any more."""
        if self._client is not None and self._client.is_connected:
            with suppress(aiosmtplib.SMTPException, OSError):
                await self._client.quit(timeout=QUIT_SECONDS)
        self.abort()

    def abort(self) -> None:
        """Close at once. Twice is fine."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    # -- parts ----------------------------------------------------------------------------------------------------

    @classmethod
    async def _system(cls) -> ssl.SSLContext:
        """Trust whom the system trusts; read once."""
        cls._trusted = cls._trusted or await system_trust()
        return cls._trusted

    def _open_client(self) -> aiosmtplib.SMTP:
        if self._client is None:
            raise SendError("the connection is closed")
        return self._client

    def _made(self, sock: socket.socket, context: ssl.SSLContext) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=(self._server.host or "").rstrip("."),
            sock=sock,
            use_tls=self._server.tls == "tls",
            start_tls=False,
            tls_context=context,
            local_hostname=_own_name(sock),
            timeout=None,
        )

    def _refuse_bare(self, sock: socket.socket) -> None:
        peer = str(sock.getpeername()[0])
        if self._server.tls == "none" and (reason := bare_reason(peer)):
            raise SendError(f"egress refused: {reason}", refused=True)

    async def _become_private(self) -> None:
        client = self._open_client()
        if not client.supports_extension("starttls"):
            raise SendError("the server does not offer STARTTLS, and nothing is sent without it")
        await self._replied(Step.STARTTLS, client.starttls())
        await self._replied(Step.HELLO, client.ehlo())

    async def _content(self, client: aiosmtplib.SMTP, letter: bytes, answering: AbstractContextManager[None]) -> Reply:
        began = await self._replied(Step.CONTENT, client.execute_command(b"DATA"))
        if began.code != _GO_ON or client.protocol is None:
            raise SendError(f"the answer is not SMTP ({began.detail})")
        protocol = client.protocol
        ended = letter if letter.endswith(b"\r\n") else letter + b"\r\n"
        self.handed_over = True
        protocol.write(_DOT.sub(b"..", ended) + b".\r\n")
        with answering:
            reply = await self._replied(Step.CONTENT, protocol.read_response())
        self.handed_over = False
        return reply

    async def _replied(self, step: Step, asked: Awaitable[SMTPResponse]) -> Reply:
        """Wait for a reply that lets go on. Raises RefusedError for any other, SendError when there is none."""
        try:
            response = await asked
        except aiosmtplib.SMTPResponseException as error:
            if error.code <= 0:  # the library's way to say that what came is no reply
                raise SendError(f"the answer is not SMTP ({step.value})", ambiguous=self.handed_over) from error
            self.handed_over = False
            raise RefusedError(Reply(step, error.code, error.message)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _unanswered(step, error, ambiguous=self.handed_over) from error
        reply = Reply(step, response.code, response.message)
        if not 200 <= reply.code < 400:  # noqa: PLR2004 - the 2yz and 3yz classes
            self.handed_over = False
            raise RefusedError(reply)
        return reply


def _unanswered(step: Step, error: Exception, *, ambiguous: bool) -> SendError:
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(cause, ssl.SSLError):
        return unconnected(cause)
    if isinstance(error, aiosmtplib.SMTPServerDisconnected | aiosmtplib.SMTPConnectError | OSError):
        return SendError(f"the connection was lost ({step.value})", ambiguous=ambiguous)
    return SendError(f"{step.value}: {one_line(str(error).partition(chr(10))[0])}", ambiguous=ambiguous)


def _own_name(sock: socket.socket) -> str:
    """Give the name that this machine says hello with: its own if it is a whole one, else its address."""
    name = socket.gethostname()
    if "." in name and name.isascii() and name.isprintable() and " " not in name:
        return name
    address = str(sock.getsockname()[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
