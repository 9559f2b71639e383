"""The destination type `email`: letters over SMTP, through the platform's mail server or the destination's own."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import orjson

from alertd.destinations.base import Preview, SendError
from alertd.destinations.composing import content_of
from alertd.destinations.email_letter import Envelope, letter_of
from alertd.destinations.email_patience import PATIENCE, patience
from alertd.destinations.email_recipients import reaches_anybody, recipients_of
from alertd.destinations.email_replies import DETAIL_MAX, NAME, RefusedError, outcome_of_all, outcome_of_reply
from alertd.destinations.email_session import Session
from alertd.destinations.email_settings import EmailSettings
from alertd.destinations.limits import fit
from alertd.destinations.redaction import BODY_MAX, Redactor, secrets_of
from alertd.model.delivery import Outcome, OutcomeKind
from alertd.model.ids import DELIVERY, milliseconds, parse_id

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Sequence
    from email.message import EmailMessage

    from pydantic import BaseModel

    from alertd.destinations.base import Message, World
    from alertd.destinations.content import Content
    from alertd.destinations.email_recipients import Recipients
    from alertd.destinations.email_replies import Reply
    from alertd.destinations.mail_address import Mailbox
    from alertd.destinations.mail_server import MailServer
    from alertd.destinations.people import People

DEAD: Final = "on_ambiguous: dead"
"""Why what may have arrived is not sent again."""
NO_SERVER: Final = f"{NAME}: not_configured: no mail server is set (mail.host)"


class EmailDestination:
    """Writes to the recipients of each alert. `context` proves the server (None: the system's certificates)."""

    def __init__(
        self, settings: EmailSettings, timeout_seconds: float, world: World, context: ssl.SSLContext | None = None
    ) -> None:
        self._settings = settings
        self._timeout_seconds = timeout_seconds
        self._world = world
        self._context = context
        self._server = settings.server(world.mail)
        self._redactor = Redactor(secrets_of((settings, self._server)))

    async def attempt(self, message: Message) -> Outcome:
        """Write to everybody who has not got it yet, in one conversation, and say what came of it."""
        if self._server.host is None:
            return Outcome(OutcomeKind.REJECTED, detail=NO_SERVER)
        to = self._recipients(message)
        if not to.mailboxes:
            return Outcome(OutcomeKind.REJECTED, detail=_nobody(to))
        round_ = _Round(self, message, to, await self._written_to(message))
        session = Session(self._server, self._world.connect, self._context)
        try:
            outcome = await round_.run(session)
        except asyncio.CancelledError:
            round_.cut(session)
            await self._keep(message, round_.done)  # it is attempted again after a restart
            raise
        if outcome.kind is not OutcomeKind.DELIVERED:
            await self._keep(message, round_.done)
        return replace(outcome, detail=self._redactor.text(outcome.detail), answer=self._redactor.data(outcome.answer))

    def preview(self, message: Message) -> Preview:
        """Show what would be written, without secrets."""
        server, to = self._server, self._recipients(message).mailboxes
        letter = self.letter(content_of(message), to[:1] if self._settings.per_recipient else to)
        names = ", ".join(each.address for each in to) or "nobody"
        where = f"{server.host}:{server.effective_port} ({server.tls})" if server.host else "no mail server (mail.host)"
        parts = [part.get_content() for part in letter.iter_parts()]
        headers = {name: self._redactor.text(str(value)) for name, value in letter.items()}
        target = self._redactor.text(f"SMTP {where} to {names}")
        return Preview(target, headers, self._redactor.text("\n".join(parts))[:BODY_MAX])

    async def close(self) -> None:
        """Hold nothing: each attempt has its own connection."""

    # -- for a round ----------------------------------------------------------------------------------------------

    def letter(self, content: Content, to: Sequence[Mailbox]) -> EmailMessage:
        """Write the letter to these recipients, of the time when the delivery was made: one that comes late has its place.

        A message that is no delivery is of now.
        """
        number = parse_id(DELIVERY, content.delivery_id)
        made = self._world.clock.wall_seconds() if number is None else milliseconds(number) // 1000
        return letter_of(content, Envelope(self._server.sender, to, made), self._settings.subject_prefix)

    def groups(self, to: Sequence[Mailbox]) -> Iterator[Sequence[Mailbox]]:
        """Give those who share a letter."""
        return iter([[each] for each in to] if self._settings.per_recipient else [to])

    @property
    def sender(self) -> str:
        """The address that writes."""
        return self._server.sender.address

    @property
    def timeout_seconds(self) -> float:
        """Seconds for one attempt in all, but for the replies to whole letters."""
        return self._timeout_seconds

    @property
    def repeats(self) -> bool:
        """Whether what may have arrived is sent again."""
        return self._settings.on_ambiguous == "retry"

    # -- parts ----------------------------------------------------------------------------------------------------

    def _recipients(self, message: Message) -> Recipients:
        people = [self._world.people(message.workspace, project) for project in _projects(message)]
        return recipients_of(self._settings.to, people, self._settings.recipients_max)

    async def _written_to(self, message: Message) -> set[str]:
        """Recall who got this delivery in an earlier attempt."""
        known = await self._world.memory.get(_key(message))
        return set(json.loads(known)) if known else set()

    async def _keep(self, message: Message, done: set[str]) -> None:
        """Remember who has this delivery, for the next attempt."""
        if done:
            await self._world.memory.set(_key(message), json.dumps(sorted(done)))


class _Round:
    """One attempt: who has it, and who was refused.

    `done` holds the addresses that have it, and the marks of those that may have it and get it no more.
    """

    def __init__(self, destination: EmailDestination, message: Message, to: Recipients, done: set[str]) -> None:
        self.done = done
        self._destination = destination
        self._message = message
        self._to = to
        self._refused: list[tuple[str, Reply]] = []
        self._accepted: Reply | None = None
        self._under_way: Sequence[str] = ()
        self._bound = asyncio.timeout(destination.timeout_seconds)

    async def run(self, session: Session) -> Outcome:
        """Hold the conversation and say what came of it."""
        try:
            async with self._bound:
                await session.open()
                await self._write(session)
            await session.close()
        except RefusedError as error:
            return outcome_of_reply(error.reply)
        except SendError as error:
            return self._unanswered(str(error), ambiguous=error.ambiguous, refused=error.refused)
        except TimeoutError:
            seconds = self._reply_seconds if session.handed_over else self._destination.timeout_seconds
            words = f"timed out after {seconds:g} s"
            return self._unanswered(words, ambiguous=session.handed_over, refused=False)
        finally:
            session.abort()
        addresses = [each.address for each in self._to.mailboxes]
        lost = [f"{each} may have it ({DEAD})" for each in addresses if _lost(each) in self.done]
        done = len(self.done.intersection(addresses))
        return outcome_of_all(done, self._accepted, self._refused, [*lost, *self._to.left_out])

    def cut(self, session: Session) -> None:
        """Take note that it was cancelled: a letter that was handed over may have arrived."""
        if session.handed_over and not self._destination.repeats:
            self.done.update(map(_lost, self._under_way))

    async def _write(self, session: Session) -> None:
        content = content_of(self._message)
        for group in self._destination.groups(self._to.mailboxes):
            addresses = self._waiting(group)
            if addresses:
                letter = self._destination.letter(content, group).as_bytes()
            while addresses:
                addresses = await self._hand_over(session, addresses, letter)

    async def _hand_over(self, session: Session, addresses: Sequence[str], letter: bytes) -> list[str]:
        """Hand over one letter; a refusal of it ends this letter, not the conversation.

        Return who was one too many beside those who have it now, and is to be written to once more.
        """
        self._under_way = addresses
        try:
            answering = patience(self._bound, self._reply_seconds)
            reply, refused = await session.send(self._destination.sender, addresses, letter, answering)
        except RefusedError as error:
            if not session.goes_on or len(self._to.mailboxes) == len(addresses):
                raise
            self._refused += [(address, error.reply) for address in addresses]
            await session.reset()
            return []
        taken = [address for address in addresses if address not in refused]
        again = [address for address, said in refused.items() if taken and said.too_many]
        self._refused += [(address, said) for address, said in refused.items() if address not in again]
        self.done.update(taken)
        self._accepted = reply if taken else self._accepted
        return again

    @property
    def _reply_seconds(self) -> float:
        """Seconds for the reply to a whole letter."""
        return self._destination.timeout_seconds * PATIENCE

    def _unanswered(self, words: str, *, ambiguous: bool, refused: bool) -> Outcome:
        reason = f"{NAME}: {words}"
        if refused:
            return Outcome(OutcomeKind.REJECTED, detail=reason)
        if not ambiguous:
            return Outcome(OutcomeKind.RETRY_LATER, detail=reason)
        if self._destination.repeats:
            return Outcome(OutcomeKind.AMBIGUOUS, detail=reason)
        self.done.update(map(_lost, self._under_way))
        if not self._waiting(self._to.mailboxes):
            return Outcome(OutcomeKind.REJECTED, detail=f"{reason}; it may have arrived ({DEAD})")
        named = ", ".join(self._under_way)
        detail = fit(f"{reason}; {named} may have it ({DEAD}), the others are still to be written to", DETAIL_MAX)
        return Outcome(OutcomeKind.RETRY_LATER, detail=detail)

    def _waiting(self, to: Sequence[Mailbox]) -> list[str]:
        """Give the addresses that are still to be written to."""
        return [each.address for each in to if each.address not in self.done and _lost(each.address) not in self.done]


class EmailType:
    """The type `email`."""

    name: ClassVar[str] = NAME
    about: ClassVar[str] = (
        "E-mail to addresses and to the people of a project (`@owner`, `@collaborators`, `@bob`). It leaves through the"
        " server of the `mail` settings, or through one that the destination names; without any, the verdict is"
        " `not_configured`."
    )
    settings_model: ClassVar[type[BaseModel]] = EmailSettings

    def rate_per_second(self, settings: EmailSettings) -> float | None:
        """No pace: a server that is asked too much says so."""
        return None

    def shows_links(self, settings: EmailSettings) -> bool:
        """People read it."""
        return True

    def reaches(self, settings: EmailSettings, mail: MailServer, people: People) -> bool:
        """Whether there is a server, and anybody to write to."""
        return settings.server(mail).host is not None and reaches_anybody(settings.to, people)

    def open(self, settings: EmailSettings, timeout_seconds: float, world: World) -> EmailDestination:
        """Open one."""
        return EmailDestination(settings, timeout_seconds, world)


def _lost(address: str) -> str:
    """Mark one who may have it and gets it no more: no address has a space."""
    return f"lost {address}"


def _key(message: Message) -> str:
    return f"written/{message.delivery_id}"


def _nobody(to: Recipients) -> str:
    why = f" ({'; '.join(to.left_out)})" if to.left_out else ""
    return fit(
        f"{NAME}: nobody to write to: no recipient is an address, or belongs to the event's project{why}", DETAIL_MAX
    )


def _projects(message: Message) -> list[str]:
    """Name the projects that a message is about, each once; one without a project is about the project ''."""
    if message.digest is None:
        return [_project(message.event)]
    listed = (_project(entry.event) for entry in message.digest.entries)
    return list(dict.fromkeys((*listed, *message.digest.projects)))


def _project(event: bytes) -> str:
    try:
        found: Any = orjson.loads(event)
    except orjson.JSONDecodeError:
        return ""
    project = found.get("project") if isinstance(found, dict) else None
    return project if isinstance(project, str) else ""
