"""A mail server that takes a few recipients at a time: the others get the same letter in the same conversation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from alertd.model.delivery import OutcomeKind
from tests.conformance.destination_suite import make_message
from tests.smtp_peer import DEADLINE, opened, scripted

if TYPE_CHECKING:
    from tests.smtp_peer import Mailroom

TO = [f"{name}@example.com" for name in "abcde"]
TOO_MANY = "452 4.5.3 too many recipients"
FULL = "452 4.2.2 mailbox full"
TAKEN = "250 ok"


def asked(room: Mailroom) -> str:
    """Give the initials of those whom the server was asked to take, in order."""
    return "".join(line[len("RCPT TO:<")] for line in room.commands if line.startswith("RCPT"))


async def test_those_beyond_what_a_transaction_takes_get_another() -> None:
    """Three at a time: nobody waits for another attempt, and nobody gets it twice."""
    replies = [TAKEN, TAKEN, TAKEN, TOO_MANY, "552 too many recipients", TAKEN, TAKEN]
    async with asyncio.timeout(DEADLINE), scripted(RCPT=replies) as room:
        outcome = await opened(room, to=TO, per_recipient=False).attempt(make_message())
    assert outcome.kind is OutcomeKind.DELIVERED
    assert (asked(room), len(room.letters), room.connections) == ("abcdede", 2, 1)


async def test_one_whose_mailbox_is_full_waits() -> None:
    """The same reply for one alone says nothing of the others: once more in vain, and then with another attempt."""
    async with asyncio.timeout(DEADLINE), scripted(RCPT=[TAKEN, FULL, TAKEN, FULL, TAKEN]) as room:
        destination = opened(room, to=TO[:3], per_recipient=False)
        outcome = await destination.attempt(make_message())
        assert (outcome.kind, outcome.status) == (OutcomeKind.RETRY_LATER, 452)
        assert outcome.detail.startswith("email: 2 of 3 recipients have it; b@example.com: RCPT TO returned 452")
        again = await destination.attempt(make_message(attempt=2))
    assert again.kind is OutcomeKind.DELIVERED
    assert (asked(room), len(room.letters)) == ("abcbb", 2)


async def test_a_server_that_ends_before_the_others_are_told_is_tried_again() -> None:
    """Those who have it do not get it again."""
    async with (
        asyncio.timeout(DEADLINE),
        scripted(RCPT=[TAKEN, TOO_MANY, TAKEN], MAIL=[TAKEN, "451 later", TAKEN]) as room,
    ):
        destination = opened(room, to=TO[:2], per_recipient=False)
        outcome = await destination.attempt(make_message())
        assert (outcome.kind, outcome.status) == (OutcomeKind.RETRY_LATER, 451)
        assert outcome.detail.startswith("email: 1 of 2 recipients have it; b@example.com: MAIL FROM returned 451")
        assert (await destination.attempt(make_message(attempt=2))).kind is OutcomeKind.DELIVERED
    assert asked(room) == "abb"
