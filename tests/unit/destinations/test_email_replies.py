"""What replies of a mail server come to, for all recipients together."""

from __future__ import annotations

from alertd.destinations.email_replies import DETAIL_MAX, Reply, Step, outcome_of_all
from alertd.destinations.redaction import Redactor

SECRET = "abcdefghij0123456789klmnopqrst"  # noqa: S105 - a test


def test_a_long_detail_is_cut_with_a_mark() -> None:
    """At the bound it is whole; wherever it is cut, the secret that a server repeats does not remain in part."""
    words = outcome_of_all(0, None, [("a@b.example", Reply(Step.RECIPIENT, 550, ""))], []).detail
    for length in range(DETAIL_MAX - 60, DETAIL_MAX + 60):
        filling = "x" * (length - len(words) - len("; "))
        outcome = outcome_of_all(
            0, None, [("a@b.example", Reply(Step.RECIPIENT, 550, ""))], [f"{filling[: -len(SECRET)]}{SECRET}"]
        )
        assert len(outcome.detail) <= DETAIL_MAX
        shown = Redactor([SECRET]).text(outcome.detail)
        assert SECRET[:6] not in shown
        assert outcome.detail.endswith(SECRET if length <= DETAIL_MAX else "…")
