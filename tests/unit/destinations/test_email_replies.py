"""What replies of a mail server come to, for all recipients together."""

from __future__ import annotations

from alertd.destinations.email_replies import DETAIL_MAX, Reply, Step, outcome_of_all
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
