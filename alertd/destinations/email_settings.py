"""The settings of the destination type `email`: to whom, and what differs from the platform's mail server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from alertd.destinations.clean import line
from alertd.destinations.mail_address import parse_mailbox
from alertd.destinations.mail_server import Host, MailServer, Password, Port, Tls, Username, laid_over, with_from
from alertd.destinations.settings_fields import RepeatingSettings

RECIPIENTS_MAX: Final = 100
"""The most that `recipients_max` may be: what any server takes in one transaction (RFC 5321)."""
PREFIX_MAX: Final = 40
"""Characters of the subject's prefix."""

_PERSON: Final = re.compile(r"@[^\x00-\x1f\x7f]{1,200}")


def _check_recipient(text: str) -> str:
    if text.startswith("@"):
        if not _PERSON.fullmatch(text) or not text[1:].strip():
            raise ValueError("@owner, @collaborators, or @ and the name of a collaborator")
        return text
    parse_mailbox(text)
    return text


def _check_prefix(text: str) -> str:
    if line(text) != text:
        raise ValueError("text on one line, without spaces around it")
    return text


Recipient = Annotated[str, AfterValidator(_check_recipient)]

if TYPE_CHECKING:
    _Sender = RepeatingSettings
else:
    _Sender = with_from(RepeatingSettings, "mail.from")


class EmailSettings(_Sender):
    """To whom, how, and what differs from the platform's mail server."""

    recipients_max: Annotated[int, Field(ge=1, le=RECIPIENTS_MAX)] = Field(
        10, description="recipients of one alert at most, counted when names have become addresses"
    )
    to: tuple[Recipient, ...] = Field(
        min_length=1,
        max_length=RECIPIENTS_MAX,
        description="addresses, and @owner, @collaborators or @ and a collaborator's name for people of the event's project",
        examples=[["ops@example.com", "@owner"]],
    )
    per_recipient: bool = Field(
        True, description="true: one message to each recipient; false: one to all of them, who see each other"
    )
    subject_prefix: Annotated[str, AfterValidator(_check_prefix)] | None = Field(
        None, min_length=1, max_length=PREFIX_MAX, description="stands before every subject, in brackets"
    )
    host: Host | None = Field(
        None, description="another SMTP server; null: mail.host; the platform's login never goes to another server"
    )
    port: Port | None = Field(None, description="another TCP port; null: mail.port")
    tls: Tls | None = Field(None, description="starttls, tls, or none (only to this machine); null: mail.tls")
    username: Username | None = Field(None, description="another name to log in with; null: mail.username")
    password: Password | None = Field(None, description="its password, a secret; null: mail.password")

    @field_validator("to")
    @classmethod
    def _not_too_many(cls, to: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        most: int = info.data.get("recipients_max", RECIPIENTS_MAX)  # where it is broken in itself, that is said of it
        if sum(not each.startswith("@") for each in dict.fromkeys(to)) > most:
            raise ValueError(f"at most {most} addresses (recipients_max)")
        return to

    def bare(self, mail: MailServer) -> tuple[str, str] | None:
        """Say which own setting makes letters go to another machine without TLS, and why that must not be."""
        reason = self.server(mail).bare
        name = "tls" if self.tls is not None else "host" if self.host is not None else None
        return (name, reason) if name is not None and reason is not None else None

    def server(self, mail: MailServer) -> MailServer:
        """Lay what is set here over the platform's mail server."""
        return laid_over(
            mail,
            host=self.host,
            port=self.port,
            tls=self.tls,
            username=self.username,
            password=self.password,
            sender=getattr(self, "from"),
        )
