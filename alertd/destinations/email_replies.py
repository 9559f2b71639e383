"""What replies of an SMTP server mean for a delivery (RFC 5321, 4.2). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from alertd.destinations.answers import one_line
from alertd.destinations.limits import fit
from alertd.model.delivery import ANSWER_MAX, Outcome, OutcomeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME: Final = "email"

DETAIL_MAX: Final = 1000
"""Characters of what became of all recipients; a cut is marked, by which whoever takes secrets out sees it."""

_LOGIN_REFUSED: Final = 535
_TOO_MUCH: Final = 552
_UNAVAILABLE: Final = 421
_FULL: Final = frozenset({452, _TOO_MUCH})
_TEMPORARY: Final = range(400, 500)
_TOO_FAST: Final = frozenset({_UNAVAILABLE, 450, 451, 452})
_OF_THE_SERVER: Final = ("4.3.", "4.7.")
"""How an enhanced status (RFC 3463) begins that tells of the server or of its policy, rates among it, and of no mailbox."""


class Step(Enum):
    """What a reply answers."""

    GREETING = "greeting"
    HELLO = "EHLO"
    STARTTLS = "STARTTLS"
    LOGIN = "login"
    SENDER = "MAIL FROM"
    RECIPIENT = "RCPT TO"
    CONTENT = "DATA"


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: its code, its words, and what it answers."""

    step: Step
    code: int
    text: str

    @property
    def kind(self) -> OutcomeKind:
        """What it means: 4yz is temporary, and so is 552 for a recipient (too many); a refused login is for good."""
        if self.code in _TEMPORARY or (self.step is Step.RECIPIENT and self.code == _TOO_MUCH):
            return OutcomeKind.RETRY_LATER
        if 200 <= self.code < 400:  # noqa: PLR2004 - the 2yz and 3yz classes
            return OutcomeKind.DELIVERED
        return OutcomeKind.GONE if self.code == _LOGIN_REFUSED else OutcomeKind.REJECTED

    @property
    def too_many(self) -> bool:
        """Whether a recipient may have been one too many, whom another transaction takes (RFC 5321, 4.5.3.1.10)."""
        return self.step is Step.RECIPIENT and self.code in _FULL

    @property
    def is_of_mailbox(self) -> bool:
        """Whether it tells of one mailbox, not of the server or of its policy."""
        is_said = self.code == _UNAVAILABLE or self.text.startswith(_OF_THE_SERVER)
        return self.step is Step.RECIPIENT and not is_said

    @property
    def is_too_fast(self) -> bool:
        """Whether the server has had too much for now; of a mailbox that says nothing."""
        return self.code in _TOO_FAST and not self.is_of_mailbox

    @property
    def detail(self) -> str:
        """Say it to people: `returned 550 to RCPT TO: no such user`."""
        said = one_line(self.text)
        words = f"{self.step.value} returned {self.code}"
        return f"{words}: {said}" if said else words


class RefusedError(Exception):
    """A server's reply that ends a step."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        super().__init__(reply.detail)


def outcome_of_reply(reply: Reply) -> Outcome:
    """Word the outcome of a reply that ended an attempt for everybody."""
    answer = reply.text.encode("utf-8", "replace")[:ANSWER_MAX]
    detail, is_well = f"{NAME}: {reply.detail}", reply.is_of_mailbox
    return Outcome(reply.kind, reply.code, detail, answer, is_well=is_well, is_too_fast=reply.is_too_fast)


def outcome_of_all(
    done: int, accepted: Reply | None, refused: Sequence[tuple[str, Reply]], left_out: Sequence[str]
) -> Outcome:
    """Sum up an attempt: `done` recipients have it, `refused` were not taken, `left_out` were not tried.

    As long as anybody may still get it, it is tried again (for those alone); else one who does not makes it dead, so that
    somebody sees it.
    """
    if not refused and not left_out:
        text = accepted.text.encode("utf-8", "replace")[:ANSWER_MAX] if accepted else b""
        return Outcome(OutcomeKind.DELIVERED, accepted.code if accepted else None, "", text)
    kinds = {reply.kind for _, reply in refused}
    first = refused[0][1] if refused else None
    temporary = next((reply for _, reply in refused if reply.kind is OutcomeKind.RETRY_LATER), None)
    kind = OutcomeKind.RETRY_LATER if OutcomeKind.RETRY_LATER in kinds else OutcomeKind.REJECTED
    whole = done + len(refused) + len(left_out)
    parts = [f"{address}: {reply.detail}" for address, reply in refused] + list(left_out)
    head = f"{done} of {whole} recipients have it; " if whole > 1 else ""
    shown = temporary or first
    answer = shown.text.encode("utf-8", "replace")[:ANSWER_MAX] if shown else b""
    detail = fit(f"{NAME}: {head}{'; '.join(parts)}", DETAIL_MAX)
    is_well = all(reply.is_of_mailbox for _, reply in refused)  # one that is full keeps no others waiting
    is_too_fast = any(reply.is_too_fast for _, reply in refused)
    return Outcome(kind, shown.code if shown else None, detail, answer, is_well=is_well, is_too_fast=is_too_fast)
