"""What the muffler keeps out of the log."""

from __future__ import annotations

from alertd.delivery.muffler import KEYS_MAX, QUIET_SECONDS, Muffler


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


def test_failures_that_take_turns_are_one_line_each() -> None:
    """A receiver that answers 400 and 404 by turns fills the disk no more than one that always answers 400."""
    muffler = Muffler()
    logged = [key for _ in range(500) for key in ("400", "404") if muffler.lets_through(key, 1)]
    assert (logged, muffler.clear()) == (["400", "404"], 998)
    assert muffler.lets_through("400", QUIET_SECONDS + 1)


def test_only_so_many_kinds_are_remembered() -> None:
    """At the bound the one logged longest ago makes room, and is news again."""
    muffler = Muffler()
    assert all(muffler.lets_through(number, number / KEYS_MAX) for number in range(KEYS_MAX))
    assert not muffler.lets_through(0, 1)
    assert muffler.lets_through("one more", 1)
    assert not muffler.lets_through(1, 1)
    assert muffler.lets_through(0, 1)


def test_after_recovery_the_same_failure_is_news() -> None:
    """Reset forgets."""
    muffler = Muffler()
    muffler.lets_through("503", 0)
    muffler.lets_through("503", 0)
    assert muffler.reset() == 1
    assert muffler.lets_through("503", 0)
