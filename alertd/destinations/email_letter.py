"""A letter: the headers and both parts of an alert's e-mail, as bytes for SMTP. Pure.

Headers are made by the e-mail library out of clean one-line text and checked addresses, so that nothing an event says can
add one. A delivery's letter to one recipient has the same Message-ID on every attempt; the letters about one issue refer
to the same root, and so read as one thread.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from alertd.destinations.clean import line
from alertd.destinations.email_html import html_of
from alertd.destinations.email_text import text_of
from alertd.destinations.limits import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.destinations.content import Content
    from alertd.destinations.mail_address import Mailbox

SUBJECT_MAX: Final = 200
"""Characters of a subject, its prefix included."""

_NOT_IN_AN_ID: Final = re.compile(r"[^a-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Envelope:
    """From whom to whom, and when in seconds since 1970."""

    sender: Mailbox
    recipients: Sequence[Mailbox]
    at_seconds: int


def letter_of(content: Content, envelope: Envelope, prefix: str | None) -> EmailMessage:
    """Write a letter."""
    sender = envelope.sender
    letter = EmailMessage(SMTP)
    letter["From"] = sender.header()
    letter["To"] = [each.header() for each in envelope.recipients]
    letter["Subject"] = fit(f"[{prefix}] {content.subject}" if prefix else content.subject, SUBJECT_MAX)
    letter["Date"] = format_datetime(datetime.fromtimestamp(envelope.at_seconds, UTC))
    letter["Message-ID"] = message_id(content, envelope.recipients, sender.domain)
    if content.thread_key:
        root = f"<thread.{_digest(content.thread_key)}@{sender.domain}>"
        letter["In-Reply-To"] = root
        letter["References"] = root
    letter["List-Id"] = f"<{_label(content.subscription)}.{_label(content.workspace)}.alertd.{sender.domain}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-Auto-Response-Suppress"] = "All"
    letter["X-Alertd-Delivery"] = line(content.delivery_id, 64)
    letter.set_content(text_of(content), cte="quoted-printable")
    letter.add_alternative(html_of(content), subtype="html", cte="quoted-printable")
    boundary = f"=_{_digest(letter['Message-ID'])}"
    letter.set_boundary(boundary)
    return letter


def message_id(content: Content, recipients: Sequence[Mailbox], domain: str) -> str:
    """Name a delivery's letter to these recipients: the same on every attempt."""
    to = _digest(",".join(each.address.lower() for each in recipients))[:16]
    return f"<{_label(content.delivery_id)}.{to}@{domain}>"


def _label(text: str) -> str:
    return _NOT_IN_AN_ID.sub("-", text.lower()).strip("-")[:60] or "none"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
