"""When a member says that another one seems to have its instance id."""

from __future__ import annotations

from structlog.testing import capture_logs

from alertd.intake.kafka.rivalry import QUIET_SECONDS, REFUSALS, WINDOW_SECONDS, Rivalry


def said(rivalry: Rivalry, *times: float) -> int:
    """How often it is said while commits are refused at these times."""
    with capture_logs() as logs:
        for now in times:
            rivalry.refused(now)
    return len([entry for entry in logs if entry["event"] == "kafka.instance_id_in_use"])


def test_it_is_said_once_of_many_refusals_in_a_short_time() -> None:
    """The last of so many within the window says it, the next ones are quiet for a while, and then it is said again."""
    rivalry, step = Rivalry("one"), WINDOW_SECONDS / (REFUSALS - 1)
    times = [1000 + number * step for number in range(REFUSALS)]

    assert said(rivalry, *times[:-1]) == 0
    assert said(rivalry, times[-1]) == 1
    assert said(rivalry, *(times[-1] + number for number in range(100))) == 0
    assert said(rivalry, *(times[-1] + QUIET_SECONDS + number for number in range(REFUSALS))) == 1


def test_refusals_now_and_then_are_rebalances() -> None:
    """Members that come and go have commits refused, too, but not so many in so short a time."""
    step = 1.01 * WINDOW_SECONDS / (REFUSALS - 1)

    assert said(Rivalry("one"), *(1000 + number * step for number in range(5 * REFUSALS))) == 0


def test_a_dynamic_member_has_no_rival() -> None:
    """Without an instance id nobody can have the same."""
    assert said(Rivalry(None), *range(1000, 1100)) == 0
