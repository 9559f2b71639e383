"""What replies of a mail server come to, for all recipients together."""

from __future__ import annotations

import pytest

from alertd.destinations.email_replies import DETAIL_MAX, Reply, Step, outcome_of_all, outcome_of_reply
from alertd.destinations.redaction import Redactor

SECRET = "abcdefghij0123456789klmnopqrst"  # noqa: S105 - a test


def detail(left_out: str) -> str:
    """Word an attempt in which one recipient was refused, and another not tried for this reason."""
    refused = [("a@b.example", Reply(Step.RECIPIENT, 550, ""))]
    return outcome_of_all(0, None, refused, [left_out]).detail


def test_a_long_detail_is_cut_with_a_mark() -> None:
    """At the bound it is whole; wherever it is cut, the secret that a server repeats does not remain in part."""
    room = DETAIL_MAX - len(detail(""))
    for length in range(room - 60, room + 60):
        said = detail("x" * (length - len(SECRET)) + SECRET)
        assert len(said) <= DETAIL_MAX
        assert said.endswith(SECRET if length <= room else "…")
        assert SECRET[:6] not in Redactor([SECRET]).text(said)


@pytest.mark.parametrize(
    ("step", "code", "well"),
    [
        (Step.RECIPIENT, 452, True),
        (Step.RECIPIENT, 450, True),
        (Step.RECIPIENT, 552, True),
        (Step.RECIPIENT, 421, False),
        (Step.SENDER, 452, False),
        (Step.CONTENT, 451, False),
        (Step.GREETING, 421, False),
    ],
)
def test_a_mailbox_says_nothing_of_its_server(step: Step, code: int, *, well: bool) -> None:
    """Whether one letter is refused for all, or one recipient of several; a server that goes away is another matter."""
    reply = Reply(step, code, "no")
    assert outcome_of_reply(reply).is_well is well
    assert outcome_of_all(1, None, [("a@b.example", reply)], []).is_well is well
    mixed = [("a@b.example", Reply(Step.RECIPIENT, 452, "")), ("c@b.example", Reply(Step.CONTENT, 451, ""))]
    assert outcome_of_all(1, None, mixed, []).is_well is False


@pytest.mark.parametrize(
    ("step", "code", "said", "less"),
    [
        (Step.GREETING, 421, "4.7.0 too many connections", True),
        (Step.RECIPIENT, 421, "going away", True),
        (Step.SENDER, 450, "too much mail", True),
        (Step.SENDER, 452, "4.3.1 insufficient storage", True),
        (Step.CONTENT, 451, "try later", True),
        (Step.RECIPIENT, 450, "4.7.1 too much mail from you", True),
        (Step.RECIPIENT, 451, "4.3.0 local error", True),
        (Step.RECIPIENT, 450, "4.2.1 mailbox busy", False),
        (Step.RECIPIENT, 452, "4.2.2 mailbox full", False),
        (Step.RECIPIENT, 452, "too many recipients", False),
        (Step.RECIPIENT, 450, "", False),
        (Step.CONTENT, 454, "4.7.0 no", False),
        (Step.CONTENT, 550, "5.7.1 no", False),
    ],
)
def test_a_server_that_has_had_too_much_teaches_a_pace(step: Step, code: int, said: str, *, less: bool) -> None:
    """What the server or its policy says, not what is said of one mailbox."""
    reply = Reply(step, code, said)
    assert outcome_of_reply(reply).asks_for_less is less
    assert outcome_of_all(1, None, [("a@b.example", reply)], []).asks_for_less is less
    assert not (less and outcome_of_reply(reply).is_well)
