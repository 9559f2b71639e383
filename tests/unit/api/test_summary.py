"""What a summary counts."""

from __future__ import annotations

import pytest

from alertd.api.summary import summarise
from alertd.model.verdict import Verdict, VerdictCode

HELD_BACK = {
    VerdictCode.DISABLED,
    VerdictCode.COOLDOWN,
    VerdictCode.OCCURRENCES,
    VerdictCode.DESTINATION_DISABLED,
    VerdictCode.NOT_CONFIGURED,
    VerdictCode.ABOUT_ITSELF,
    VerdictCode.FORMAT_NEEDS_ISSUE,
}
ASKED_FOR_ELSE = {
    VerdictCode.SENT,
    VerdictCode.PROJECT,
    VerdictCode.ENVIRONMENT,
    VerdictCode.SEVERITY,
    VerdictCode.MATCHER,
    VerdictCode.TRIGGER,
    VerdictCode.METRIC_ALERT,
}


def test_every_state_has_its_count() -> None:
    """Deliveries that wait, in whatever way, are pending; each destination has its own states."""
    states = ("pending", "retrying", "in_flight", "delivered", "delivered", "dead", "cancelled")
    made = [("hook", state) for state in states] + [("page", "dead"), (None, "delivered")]
    assert summarise(made, ()) == {
        "sent": 3,
        "pending": 3,
        "failed": 2,
        "cancelled": 1,
        "suppressed": 0,
        "destinations": {
            "": {"delivered": 1},
            "hook": {"cancelled": 1, "dead": 1, "delivered": 2, "in_flight": 1, "pending": 1, "retrying": 1},
            "page": {"dead": 1},
        },
    }


@pytest.mark.parametrize("code", VerdictCode, ids=lambda code: code.word)
def test_what_was_not_asked_for_is_not_suppressed(code: VerdictCode) -> None:
    """Only a subscription that would have been told otherwise counts as held back."""
    assert code in HELD_BACK | ASKED_FOR_ELSE
    assert summarise((), [Verdict(7, 5, code)])["suppressed"] == int(code in HELD_BACK)


def test_a_destination_of_a_subscription_that_was_sent_counts_by_itself() -> None:
    """Where some of its destinations were held back, these are counted; one held back whole is one."""
    disabled = VerdictCode.DESTINATION_DISABLED
    some = Verdict(7, 5, VerdictCode.SENT, destinations=((1, disabled), (2, VerdictCode.NOT_CONFIGURED)))
    whole = Verdict(8, 5, disabled, destinations=((3, VerdictCode.NOT_CONFIGURED),))
    assert summarise((), [some, whole])["suppressed"] == 3
