"""Servers that take e-mail in tests: a real one (aiosmtpd, with TLS and login), and one that answers as it is told."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import SMTP as POLICY
from typing import TYPE_CHECKING, Any, Final

import trustme
from aiosmtpd.smtp import SMTP, AuthResult

from alertd.destinations.base import World
from alertd.destinations.email import EmailDestination
from alertd.destinations.email_settings import EmailSettings
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.guarded_connection import GuardedConnector
from alertd.destinations.mail_server import MailServer
from alertd.destinations.people import nobody
from tests.conformance.destination_suite import FixedClock, ScriptedSender

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from email.message import EmailMessage

    from alertd.destinations.people import People

DEADLINE: Final = 8.0
"""Seconds that a server waits for its clients to go."""
HOST: Final = "127.0.0.1"
NAME: Final = "mail.test"
CUT: Final = "cut"
"""Instead of a reply: close the connection."""
HANG: Final = "hang"
"""Instead of a reply: say nothing until the client goes away."""
USUAL: Final = {
    "GREETING": "220 mail.test ESMTP",
    "EHLO": "250-mail.test\r\n250 AUTH PLAIN",
    "AUTH": "235 welcome",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go on",
    "BODY": "250 queued as 17",
    "RSET": "250 ok",
    "QUIT": "221 bye",
}


@dataclass
class Letter:
    """One letter as a server took it."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def parsed(self) -> EmailMessage:
        """Read it."""
        return message_from_bytes(self.raw, policy=POLICY)


@dataclass
class Mailroom:
    """A server's port and what came in; `certificate` proves it."""

    port: int = 0
    letters: list[Letter] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    private: list[bool] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0
    authority: trustme.CA | None = None

    def context(self) -> ssl.SSLContext:
        """Make what trusts this server alone."""
        made = ssl.create_default_context()
        assert self.authority is not None
        self.authority.configure_trust(made)
        return made

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a letter."""
        self.private.append(session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None)
        self.letters.append(Letter(envelope.mail_from, list(envelope.rcpt_tos), bytes(envelope.content)))
        return "250 queued as 17"


@asynccontextmanager
async def mailroom(tls: str, login: tuple[str, str] | None = None, cert_name: str = HOST) -> AsyncIterator[Mailroom]:
    """Run a real server: `tls` is starttls, tls or none; with a `login` nothing is taken without it."""
    room = Mailroom(authority=trustme.CA())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert room.authority is not None
    room.authority.issue_cert(cert_name).configure_cert(context)

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        room.logins.append(given)
        return AuthResult(success=given == login, handled=False)

    options: dict[str, Any] = {"hostname": NAME, "loop": asyncio.get_running_loop()}
    if tls == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if login is not None:
        options |= {"authenticator": check, "auth_required": True, "auth_require_tls": tls == "starttls"}

    def made() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of a login without TLS, which is what is tried here
            return SMTP(room, **options)

    server = await asyncio.get_running_loop().create_server(made, HOST, 0, ssl=context if tls == "tls" else None)
    room.port = server.sockets[0].getsockname()[1]
    try:
        yield room
    finally:
        server.close()
        await server.wait_closed()


async def _looked_into(seconds: float) -> None:
    """Be as slow as a server that scans what it takes."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, done.set)
    await done.wait()


@asynccontextmanager
async def scripted(*, body_seconds: float = 0.0, **script: str | Sequence[str]) -> AsyncIterator[Mailroom]:
    """Run a server that answers a command (GREETING, EHLO, AUTH, MAIL, RCPT, DATA, BODY, RSET, QUIT) as it is told.

    One reply is for each time, of several the last is for all that follow. It looks into each letter for `body_seconds`.
    """
    room = Mailroom()
    left = {verb: [replies] if isinstance(replies, str) else list(replies) for verb, replies in script.items()}

    async def answer(verb: str, writer: asyncio.StreamWriter) -> str:
        replies = left.get(verb, [USUAL.get(verb, "500 what?")])
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if reply not in {CUT, HANG}:
            writer.write(reply.encode() + b"\r\n")
            await writer.drain()
        return reply

    talks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        room.connections += 1
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await talk(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        verb = "GREETING"
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                reply = await answer(verb, writer)
                if reply == HANG:
                    await reader.read()
                if reply in {CUT, HANG} or verb == "QUIT":
                    break
                if verb == "DATA" and reply.startswith("354"):
                    room.letters.append(Letter("", [], await reader.readuntil(b"\r\n.\r\n")))
                    verb = "BODY"
                    await _looked_into(body_seconds)
                    continue
                line = (await reader.readuntil(b"\r\n")).decode().strip()
                room.commands.append(line)
                verb = line.split(" ")[0].upper()

    server = await asyncio.start_server(serve, HOST, 0)
    room.port = server.sockets[0].getsockname()[1]
    try:
        yield room
    finally:
        server.close()
        await server.wait_closed()
        if talks:
            await asyncio.wait(talks, timeout=DEADLINE)


def opened(
    room: Mailroom,
    tls: str = "none",
    *,
    mail: Mapping[str, Any] | None = None,
    allow: Sequence[str] = ("127.0.0.0/8",),
    people: Callable[[str, str], People] = nobody,
    timeout_seconds: float = 8.0,
    **settings: Any,
) -> EmailDestination:
    """Open a destination that writes through a server; `mail` is laid over the platform's settings."""
    platform = {"host": HOST, "port": room.port, "tls": tls, "from": "Alerts <alerts@example.com>", **(mail or {})}
    world = World(
        FixedClock(),
        ScriptedSender(),
        print,
        mail=MailServer.model_validate(platform),
        people=people,
        connect=GuardedConnector(EgressPolicy(allow)).connect,
    )
    own = EmailSettings.model_validate({"to": ["ops@example.com"], **settings})
    return EmailDestination(own, timeout_seconds, world, room.context() if room.authority else None)
