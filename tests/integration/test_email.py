"""E-mail through real servers, and through one that answers as it is told: each row of what replies mean."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from alertd.destinations.base import Digest, DigestEntry
from alertd.destinations.email_patience import PATIENCE
from alertd.destinations.people import NOBODY, People
from alertd.model.delivery import OutcomeKind
from alertd.model.workspace import Person
from tests.conformance.messages import HOSTILE, make_event, make_issue, make_message
from tests.daemon import eventually
from tests.smtp_peer import CUT, HANG, HOST, Mailroom, mailroom, opened, scripted

if TYPE_CHECKING:
    from alertd.destinations.base import Message
    from alertd.destinations.email import EmailDestination
    from alertd.model.delivery import Outcome

DEADLINE = 15.0
OK, RETRY, PERMANENT, DISABLE, AMBIGUOUS = (
    OutcomeKind.DELIVERED,
    OutcomeKind.RETRY_LATER,
    OutcomeKind.REJECTED,
    OutcomeKind.GONE,
    OutcomeKind.AMBIGUOUS,
)
LOGIN = ("alerts", "s3cret-pass")
WITH_LOGIN = {"username": LOGIN[0], "password": LOGIN[1]}


async def attempt(destination: EmailDestination, message: Message | None = None) -> Outcome:
    """Attempt once within the deadline."""
    async with asyncio.timeout(DEADLINE):
        return await destination.attempt(message or make_message())


def ann_owns_shop(workspace: str, project: str) -> People:
    """Know the people of one project."""
    if (workspace, project) != ("default", "shop"):
        return NOBODY
    bob, carl = Person(name="Bob", email="bob@example.com"), Person(name="Carl", email="carl@example.com")
    return People(Person(name="Ann", email="ann@example.com"), (bob, carl))


# -- real servers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", ["starttls", "tls", "none"])
async def test_a_letter_arrives_by_each_way(tls: str) -> None:
    """Over STARTTLS, over TLS from the start, and bare on loopback, logged in, the same letter arrives whole."""
    async with mailroom(tls, LOGIN) as room:
        outcome = await attempt(opened(room, tls, mail=WITH_LOGIN))
        assert (outcome.kind, outcome.detail) == (OK, "")
        assert room.logins[-1] == LOGIN
        assert room.private == [tls != "none"]
        (letter,) = room.letters
        assert (letter.sender, letter.recipients) == ("alerts@example.com", ["ops@example.com"])
        read = letter.parsed
        assert read["Subject"] == "run:failed: Run 17 failed"
        text, html = read.iter_parts()
        assert text.get_content_type() == "text/plain"
        assert html.get_content_type() == "text/html"
        assert all("Run 17 failed" in part.get_content() for part in (text, html))


async def test_a_wrong_password_disables() -> None:
    """A refused login is for good, and the password is in nothing that is kept."""
    async with mailroom("starttls", LOGIN) as room:
        outcome = await attempt(opened(room, "starttls", mail={"username": "alerts", "password": "wr0ng-pass"}))
        assert (outcome.kind, outcome.status) == (DISABLE, 535)
        assert "wr0ng-pass" not in repr(outcome)
        assert not room.letters


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_stranger_s_certificate_is_not_trusted(tls: str) -> None:
    """A server that cannot prove its name gets neither login nor letter."""
    async with mailroom(tls, LOGIN, cert_name="other.test") as room:
        outcome = await attempt(opened(room, tls, mail=WITH_LOGIN))
        assert outcome.kind is RETRY
        assert "certificate verify failed" in outcome.detail
        assert not (room.letters)
        assert not (room.logins)


async def test_nothing_is_said_without_starttls() -> None:
    """A server that does not offer STARTTLS gets neither login nor letter."""
    async with mailroom("none", LOGIN) as room:
        outcome = await attempt(opened(room, "none", mail={**WITH_LOGIN, "tls": "starttls"}))
        assert outcome.kind is RETRY
        assert "does not offer STARTTLS" in outcome.detail
        assert not (room.letters)
        assert not (room.logins)


async def test_each_recipient_has_a_letter_of_their_own() -> None:
    """With several recipients nobody sees the others, unless that is asked for; names are resolved in the project."""
    to = ["ops@example.com", "@owner", "@collaborators", "@bob", "ANN@example.com", "@nobody"]
    message = make_message(event=make_event(), issue=make_issue())
    async with mailroom("none") as room:
        assert (await attempt(opened(room, people=ann_owns_shop, to=to), message)).kind is OK
        assert [letter.recipients for letter in room.letters] == [
            [f"{name}@example.com"] for name in ("ops", "ann", "bob", "carl")
        ]
        assert [letter.parsed["To"] for letter in room.letters][1] == "Ann <ann@example.com>"
        assert len({letter.parsed["Message-ID"] for letter in room.letters}) == 4
        await attempt(opened(room, people=ann_owns_shop, to=to, per_recipient=False), message)
        assert len(room.letters[-1].recipients) == 4
        assert len(room.letters[-1].parsed["To"].addresses) == 4


@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_text_arrives_as_text(message: Message) -> None:
    """Whatever an event says, a real server takes one letter with our headers and no other, its lines in bounds."""
    async with mailroom("none") as room:
        outcome = await attempt(opened(room, subject_prefix="PROD"), message)
        assert outcome.kind is OK
        (letter,) = room.letters
        assert letter.recipients == ["ops@example.com"]
        assert max(map(len, letter.raw.split(b"\r\n"))) <= 998
        head = letter.raw.partition(b"\r\n\r\n")[0]
        assert head.isascii()
        known = {
            "from",
            "to",
            "subject",
            "date",
            "message-id",
            "in-reply-to",
            "references",
            "list-id",
            "auto-submitted",
        }
        known |= {"x-auto-response-suppress", "x-alertd-delivery", "mime-version", "content-type"}
        assert {name.lower() for name in letter.parsed.keys()} <= known  # noqa: SIM118 - a message is no mapping
        assert letter.parsed["Subject"].startswith("[PROD] ")


# -- the retry matrix -------------------------------------------------------------------------------------------------


ROWS: dict[str, tuple[dict[str, Any], OutcomeKind, int | None]] = {
    "accepted": ({}, OK, 250),
    "greeting 421": ({"GREETING": "421 busy"}, RETRY, 421),
    "greeting 554": ({"GREETING": "554 no service here"}, PERMANENT, 554),
    "greeting cut": ({"GREETING": CUT}, RETRY, None),
    "greeting garbage": ({"GREETING": "SSH-2.0-x"}, RETRY, None),
    "hello 421": ({"EHLO": "421 later"}, RETRY, 421),
    "login 535": ({"AUTH": "535 5.7.8 no"}, DISABLE, 535),
    "login 454": ({"AUTH": "454 4.7.0 later"}, RETRY, 454),
    "login 421": ({"AUTH": "421 later"}, RETRY, 421),
    "login 534": ({"AUTH": "534 too weak"}, PERMANENT, 534),
    "sender 421": ({"MAIL": "421 closing"}, RETRY, 421),
    "sender 451": ({"MAIL": "451 error"}, RETRY, 451),
    "sender 452": ({"MAIL": "452 full"}, RETRY, 452),
    "sender 530": ({"MAIL": "530 log in"}, PERMANENT, 530),
    "sender 550": ({"MAIL": "550 not you"}, PERMANENT, 550),
    "sender 552": ({"MAIL": "552 too large"}, PERMANENT, 552),
    "recipient 421": ({"RCPT": "421 closing"}, RETRY, 421),
    "recipient 450": ({"RCPT": "450 greylisted"}, RETRY, 450),
    "recipient 451": ({"RCPT": "451 error"}, RETRY, 451),
    "recipient 452": ({"RCPT": "452 too many"}, RETRY, 452),
    "recipient 552": ({"RCPT": "552 too many recipients"}, RETRY, 552),
    "recipient 550": ({"RCPT": "550 no such user"}, PERMANENT, 550),
    "recipient 499": ({"RCPT": "499 ?"}, RETRY, 499),
    "recipient 599": ({"RCPT": "599 ?"}, PERMANENT, 599),
    "recipient cut": ({"RCPT": CUT}, RETRY, None),
    "data 451": ({"DATA": "451 error"}, RETRY, 451),
    "data 554": ({"DATA": "554 no"}, PERMANENT, 554),
    "data 250": ({"DATA": "250 what"}, RETRY, None),
    "data cut": ({"DATA": CUT}, RETRY, None),
    "content 421": ({"BODY": "421 closing"}, RETRY, 421),
    "content 450": ({"BODY": "450 busy"}, RETRY, 450),
    "content 451": ({"BODY": "451 error"}, RETRY, 451),
    "content 452": ({"BODY": "452 full"}, RETRY, 452),
    "content 552": ({"BODY": "552 quota"}, PERMANENT, 552),
    "content 554": ({"BODY": "554 spam"}, PERMANENT, 554),
    "content cut": ({"BODY": CUT}, AMBIGUOUS, None),
    "content garbage": ({"BODY": "hello?"}, AMBIGUOUS, None),
    "quit cut": ({"QUIT": CUT}, OK, 250),
    "quit 500": ({"QUIT": "500 what"}, OK, 250),
}


@pytest.mark.parametrize(("script", "kind", "status"), ROWS.values(), ids=ROWS.keys())
async def test_a_reply_means(script: dict[str, Any], kind: OutcomeKind, status: int | None) -> None:
    """Each reply at each step has the documented outcome, which says what was answered."""
    async with scripted(**script) as room:
        outcome = await attempt(opened(room, mail=WITH_LOGIN))
    assert (outcome.kind, outcome.status) == (kind, status)
    assert outcome.detail.startswith("email: ") == (kind is not OK)
    assert "\n" not in outcome.detail


@pytest.mark.parametrize(
    ("verb", "kind"), [("GREETING", RETRY), ("RCPT", RETRY), ("DATA", RETRY), ("BODY", AMBIGUOUS), ("QUIT", OK)]
)
async def test_a_server_that_falls_silent(verb: str, kind: OutcomeKind) -> None:
    """An attempt ends in time, which is longer once the letter was handed over: only then may it have arrived."""
    async with scripted(**{verb: HANG}) as room:
        outcome = await attempt(opened(room, timeout_seconds=0.3))
    assert outcome.kind is kind
    seconds = 0.3 * PATIENCE if verb == "BODY" else 0.3
    assert outcome.detail == ("" if kind is OK else f"email: timed out after {seconds:g} s")


async def test_a_server_may_look_into_a_letter_for_longer_than_an_attempt() -> None:
    """What it takes for that is on nobody's account: each of several letters is handed over once, and delivered."""
    to = ["a@example.com", "b@example.com", "c@example.com"]
    async with scripted(BODY=["250 ok", "554 spam", "250 ok"], body_seconds=0.8) as room:
        outcome = await attempt(opened(room, to=to, timeout_seconds=1.5))
    assert (outcome.kind, len(room.letters)) == (PERMANENT, 3)
    assert outcome.detail.startswith("email: 2 of 3 recipients have it; b@example.com: DATA returned 554")


async def test_what_may_have_arrived_is_not_repeated_where_that_is_unwanted() -> None:
    """With `on_ambiguous: dead` a lost answer ends the delivery, and says why."""
    async with scripted(BODY=CUT) as room:
        outcome = await attempt(opened(room, on_ambiguous="dead"))
    assert outcome.kind is PERMANENT
    assert "it may have arrived" in outcome.detail


async def test_one_whose_letter_is_lost_does_not_keep_it_from_the_others() -> None:
    """With `on_ambiguous: dead` nobody gets it twice, those who were not written to yet get it, and the doubt is told."""
    async with scripted(BODY=["250 ok", CUT, "250 ok"]) as room:
        destination = opened(room, to=["a@example.com", "b@example.com", "c@example.com"], on_ambiguous="dead")
        first = await attempt(destination)
        assert first.kind is RETRY
        assert "b@example.com may have it (on_ambiguous: dead), the others are still to be written to" in first.detail
        second = await attempt(destination, make_message(attempt=2))
        assert second.kind is PERMANENT
        assert second.detail == "email: 2 of 3 recipients have it; b@example.com may have it (on_ambiguous: dead)"
    assert [line for line in room.commands if line.startswith("RCPT")] == [
        f"RCPT TO:<{name}@example.com>" for name in "abc"
    ]


async def test_an_attempt_goes_on_where_the_last_one_ended() -> None:
    """Who has a delivery does not get it again when it is tried again for the others."""
    to = ["a@example.com", "b@example.com", "c@example.com"]
    async with scripted(RCPT=["250 ok", "450 later", "250 ok", "250 ok"]) as room:
        destination = opened(room, to=to)
        first = await attempt(destination)
        assert (first.kind, first.status) == (RETRY, 450)
        assert first.detail.startswith("email: 2 of 3 recipients have it; b@example.com: RCPT TO returned 450")
        second = await attempt(destination, make_message(attempt=2))
        assert second.kind is OK
    written = [line for line in room.commands if line.startswith("RCPT")]
    assert written == [f"RCPT TO:<{name}@example.com>" for name in "abcb"]
    assert len(room.letters) == 3


@pytest.mark.parametrize(("on_ambiguous", "kind", "written"), [("retry", OK, "abb"), ("dead", PERMANENT, "ab")])
async def test_an_attempt_that_was_cut_off_goes_on_there(on_ambiguous: str, kind: OutcomeKind, written: str) -> None:
    """Who has a delivery when the daemon stops in the middle of it does not get it again; who may have it as it is set."""
    async with scripted(BODY=["250 ok", HANG, "250 ok"]) as room:
        to = ["a@example.com", "b@example.com"]
        destination = opened(room, to=to, timeout_seconds=DEADLINE, on_ambiguous=on_ambiguous)
        under_way = asyncio.create_task(attempt(destination))
        await eventually(lambda: asyncio.sleep(0, len(room.letters) == 2), "the second letter")
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way
        assert (await attempt(destination)).kind is kind
    asked = [line for line in room.commands if line.startswith("RCPT")]
    assert asked == [f"RCPT TO:<{name}@example.com>" for name in written]


@pytest.mark.parametrize("per_recipient", [True, False])
async def test_one_who_cannot_be_reached_does_not_keep_it_from_the_others(*, per_recipient: bool) -> None:
    """The others have it, and that one did not get it is seen: the delivery is dead and says who."""
    async with scripted(RCPT=["550 no such user", "250 ok"]) as room:
        destination = opened(room, to=["gone@example.com", "ops@example.com"], per_recipient=per_recipient)
        outcome = await attempt(destination)
    assert outcome.kind is PERMANENT
    assert "1 of 2 recipients have it; gone@example.com: RCPT TO returned 550: no such user" in outcome.detail
    assert len(room.letters) == 1


async def test_a_letter_that_is_refused_does_not_end_the_conversation() -> None:
    """A refusal of one recipient's letter leaves the others theirs."""
    async with scripted(BODY=["554 spam", "250 ok"]) as room:
        outcome = await attempt(opened(room, to=["a@example.com", "b@example.com"]))
    assert outcome.kind is PERMANENT
    assert "1 of 2 recipients have it; a@example.com: DATA returned 554" in outcome.detail
    assert room.connections == 1


async def test_every_attempt_writes_the_same_letter() -> None:
    """A repeat has the same Message-ID, so that a mailbox can recognise it."""
    async with scripted(BODY=["451 error", "250 ok"]) as room:
        destination = opened(room)
        for number in (1, 2):
            await attempt(destination, make_message(attempt=number))
    first, second = (letter.parsed["Message-ID"] for letter in room.letters)
    assert first == second
    assert "dlv_0001" in first


async def test_a_dot_at_the_start_of_a_line_is_kept() -> None:
    """A line that is a dot alone does not end the letter."""
    text = "first\n.\n.hidden\nlast"
    async with mailroom("none") as room:
        await attempt(opened(room), make_message(event=make_event(type="x", message=text, labels={}, data={})))
        text_part, _ = room.letters[0].parsed.iter_parts()
        assert ".\n.hidden\nlast" in text_part.get_content().replace("\r\n", "\n")


# -- what is refused before anything is sent ----------------------------------------------------------------------------


async def test_without_a_server_nothing_is_tried() -> None:
    """Without a mail server an attempt says what is missing."""
    async with scripted() as room:
        outcome = await attempt(opened(room, mail={"host": None}))
        assert (outcome.kind, room.connections) == (PERMANENT, 0)
        assert "not_configured" in outcome.detail


async def test_the_guard_decides() -> None:
    """A server on an address that is not permitted is not connected to."""
    async with scripted() as room:
        outcome = await attempt(opened(room, allow=()))
        assert (outcome.kind, room.connections) == (PERMANENT, 0)
        assert "egress refused: 127.0.0.1 is loopback" in outcome.detail


async def test_nobody_to_write_to() -> None:
    """Where no recipient is an address or belongs to the project, nothing is sent, and the outcome says so."""
    async with scripted() as room:
        outcome = await attempt(opened(room, to=["@owner"], people=ann_owns_shop))
        assert (outcome.kind, room.connections) == (PERMANENT, 0)
        assert "nobody to write to" in outcome.detail


async def test_nobody_is_left_out_in_silence() -> None:
    """Who is beyond the bound, or has no usable address, is named."""

    def many(workspace: str, project: str) -> People:
        bad = Person(name="Eve", email='"x>\\"@example.com')
        return People(None, (bad, *(Person(name=f"p{n}", email=f"p{n}@example.com") for n in range(4))))

    async with mailroom("none") as room:
        outcome = await attempt(opened(room, to=["@collaborators"], people=many, recipients_max=3))
        assert outcome.kind is PERMANENT
        assert "3 of 5 recipients have it; Eve has an address that e-mail cannot carry" in outcome.detail
        assert "p3@example.com is beyond recipients_max (3)" in outcome.detail
        assert len(room.letters) == 3


async def test_a_digest_goes_to_the_people_of_all_its_projects() -> None:
    """The owner of each project that a digest tells of gets it."""
    entries = (DigestEntry(make_event(project="")), DigestEntry(make_event(project="shop")))
    async with mailroom("none") as room:
        message = make_message(event=b"{}", digest=Digest(entries, 2))
        assert (await attempt(opened(room, to=["@owner"], people=ann_owns_shop), message)).kind is OK
        assert room.letters[0].recipients == ["ann@example.com"]


async def test_a_digest_goes_to_the_people_of_what_it_only_counts() -> None:
    """Its twenty listed alerts may all be of one project, and another's owner must hear of it as well."""
    entries = (DigestEntry(make_event(project="")),) * 20
    async with mailroom("none") as room:
        message = make_message(event=b"{}", digest=Digest(entries, 500, projects=("", "shop")))
        assert (await attempt(opened(room, to=["@owner"], people=ann_owns_shop), message)).kind is OK
        assert room.letters[0].recipients == ["ann@example.com"]


async def test_the_platform_s_login_stays_with_its_server() -> None:
    """A destination that names another host does not get the platform's password there."""
    async with mailroom("none", LOGIN) as room:
        outcome = await attempt(opened(room, mail={**WITH_LOGIN, "host": "smtp.example.com"}, host=HOST))
        assert (outcome.kind, outcome.status) == (PERMANENT, 530)
        assert not room.logins


def test_a_preview_is_the_letter() -> None:
    """What would be written is shown with its headers, and nothing is sent."""
    destination = opened(Mailroom(2525), mail=WITH_LOGIN, subject_prefix="PROD")
    shown = destination.preview(make_message())
    assert shown.target == "SMTP 127.0.0.1:2525 (none) to ops@example.com"
    assert shown.headers["Subject"] == "[PROD] run:failed: Run 17 failed"
    assert "<!doctype html>" in shown.body
    assert LOGIN[1] not in repr(shown)
