"""What a lane's backlog promises: bounded memory, nothing twice, nothing forgotten."""

from __future__ import annotations

from alertd.delivery.backlog import PAGE_MAX, Backlog
from alertd.model.delivery import DELIVERED, Attempt, Delivery, DeliveryState
from alertd.store.base import Due


def delivery(number: int) -> Delivery:
    """A delivery with this id."""
    return Delivery(number, number, 1, 7, 8, 0, 0, "t", b"{}")


def due(*numbers: int, next_at_ms: int | None = None, more: bool = False) -> Due:
    """A page of the store."""
    return Due([delivery(number) for number in numbers], next_at_ms, more)


def queued(backlog: Backlog) -> list[int]:
    """The ids in the queue."""
    return [each.id for each in backlog.queue]


def finished(number: int, state: DeliveryState = DeliveryState.DELIVERED, next_at_ms: int | None = None) -> Attempt:
    """An attempt that ended."""
    return Attempt(number, 1, 0, 0, DELIVERED, state, next_at_ms)


def test_the_bound_counts_what_waits_and_what_is_in_flight() -> None:
    """At the bound nothing more is taken, and the backlog is behind from then on."""
    backlog = Backlog(3)
    backlog.take(delivery(1))
    backlog.pop()
    backlog.take(delivery(2))
    backlog.take(delivery(3))
    assert (backlog.depth, backlog.behind) == (3, False)
    backlog.take(delivery(4))
    assert (backlog.depth, backlog.behind, backlog.unseen) == (3, True, True)
    assert backlog.held == {1, 2, 3}


def test_while_behind_fresh_ones_queue_up_in_the_store() -> None:
    """They do not overtake what spilled, even when there is room."""
    backlog = Backlog(2)
    for number in (1, 2, 3):
        backlog.take(delivery(number))
    backlog.pop()
    backlog.flying -= 1
    backlog.take(delivery(4))
    assert queued(backlog) == [2]


def test_a_page_is_wanted_below_half() -> None:
    """Not for a few free places."""
    backlog = Backlog(4)
    for number in range(1, 6):
        backlog.take(delivery(number))
    backlog.pop()
    backlog.flying -= 1
    assert not backlog.wants_page()
    backlog.pop()
    backlog.flying -= 1
    assert backlog.wants_page()
    assert backlog.begin_page() == 2
    assert not backlog.wants_page()


def test_a_page_is_bounded() -> None:
    """However large the lane."""
    backlog = Backlog(10 * PAGE_MAX)
    backlog.unseen = True
    assert backlog.begin_page() == PAGE_MAX


def test_a_page_keeps_its_room_free() -> None:
    """Fresh ones that come while it is read cannot push the backlog over its bound."""
    backlog = Backlog(4)
    backlog.unseen = True
    room = backlog.begin_page()
    backlog.take(delivery(9))
    backlog.end_page(due(*range(1, room + 1)), 10, ())
    assert backlog.depth == 4
    assert backlog.unseen


def test_a_page_never_brings_what_is_held_or_left_meanwhile() -> None:
    """Not what is in memory, and not what was stored between the reading and the arrival of the page."""
    backlog = Backlog(2000)
    backlog.take(delivery(1))
    backlog.unseen = True
    backlog.begin_page()
    backlog.take(delivery(2))
    backlog.pop()
    backlog.flying -= 1
    backlog.stored([finished(1)])
    backlog.end_page(due(1, 2, 3), 10, ())
    assert queued(backlog) == [2, 3]


def test_a_page_leaves_out_what_is_being_cancelled() -> None:
    """Barred deliveries stay out."""
    backlog = Backlog(10)
    backlog.unseen = True
    backlog.begin_page()
    backlog.end_page(due(1, 2), 10, {2})
    assert queued(backlog) == [1]


def test_after_the_last_page_fresh_ones_go_straight_in_again() -> None:
    """No more in the store: no longer behind; with more it stays behind."""
    backlog = Backlog(10)
    backlog.behind = backlog.unseen = True
    backlog.begin_page()
    backlog.end_page(due(1, more=True), 10, ())
    assert (backlog.behind, backlog.unseen) == (True, True)
    backlog.begin_page()
    backlog.end_page(due(2), 20, ())
    assert (backlog.behind, backlog.unseen) == (False, False)
    backlog.take(delivery(3))
    assert queued(backlog) == [1, 2, 3]


def test_a_page_that_failed_is_read_again() -> None:
    """What it may have held is still unseen."""
    backlog = Backlog(10)
    backlog.unseen = True
    backlog.begin_page()
    backlog.end_page(None, 10, ())
    assert backlog.wants_page()


def test_the_earliest_retry_is_remembered() -> None:
    """From stored attempts and from pages."""
    backlog = Backlog(10)
    backlog.stored([finished(1, DeliveryState.RETRYING, 500), finished(2, DeliveryState.RETRYING, 300)])
    assert backlog.next_due_ms == 300
    backlog.unseen = True
    backlog.begin_page()
    backlog.end_page(due(next_at_ms=400), 10, ())
    assert backlog.next_due_ms == 400


def test_a_due_retry_makes_fresh_ones_wait_if_no_page_can_be_read() -> None:
    """Retries do not starve behind a stream of fresh deliveries."""
    backlog = Backlog(4)
    for number in (1, 2, 3):
        backlog.take(delivery(number))
    backlog.became_due()
    assert backlog.behind
    roomy = Backlog(4)
    roomy.became_due()
    assert (roomy.behind, roomy.wants_page()) == (False, True)


def test_a_smaller_bound_gives_the_newest_back() -> None:
    """They stay in the store."""
    backlog = Backlog(4)
    for number in (1, 2, 3, 4):
        backlog.take(delivery(number))
    backlog.shrink(2)
    assert (queued(backlog), backlog.held, backlog.unseen) == ([1, 2], {1, 2}, True)
