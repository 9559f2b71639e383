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
