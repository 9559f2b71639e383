"""What the muffler keeps out of the log."""

from __future__ import annotations

from alertd.delivery.muffler import QUIET_SECONDS, Muffler


def test_the_first_of_a_kind_is_logged_and_its_repeats_are_counted() -> None:
    """A thousand identical failures are one line, and after a while another one that says how many."""
    muffler = Muffler()
    assert muffler.lets_through("503", 0)
    assert not any(muffler.lets_through("503", QUIET_SECONDS - 1) for _ in range(999))
    assert muffler.lets_through("503", QUIET_SECONDS)
    assert muffler.clear() == 999
    assert muffler.clear() == 0


def test_another_failure_is_logged() -> None:
    """What is new is told."""
    muffler = Muffler()
    assert muffler.lets_through("503", 0)
    assert muffler.lets_through("reset", 0)


def test_after_recovery_the_same_failure_is_news() -> None:
    """Reset forgets."""
    muffler = Muffler()
    muffler.lets_through("503", 0)
    muffler.lets_through("503", 0)
    assert muffler.reset() == 1
    assert muffler.lets_through("503", 0)
