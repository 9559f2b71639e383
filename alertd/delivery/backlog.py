"""A lane's backlog: which deliveries it holds in memory, and what it knows of those that only the store has. Pure.

Every delivery here is in the store too. `held` are those queued, in flight, or finished and not yet stored: a page of
the store must never bring them a second time. A page is read while time goes on, so whatever leaves `held` meanwhile
is remembered until the page is in.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from alertd.delivery.judgement import created_ms
from alertd.model.delivery import DeliveryState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from alertd.model.delivery import Attempt, Delivery
    from alertd.store.base import Due

PAGE_MAX: Final = 500
"""How many deliveries one page of the store brings at most."""


class Backlog:
    """At most `capacity` deliveries queued or in flight. Whoever ends an attempt takes 1 from `flying`.

    `unseen`: the store may have deliveries that are due and not held. `behind`: it has, so fresh ones queue up there
    too, behind them. `next_due_ms`: when the next retry is due, as far as is known.
    """

    __slots__ = (
        "_left",
        "_reserved",
        "behind",
        "capacity",
        "flying",
        "held",
        "next_due_ms",
        "queue",
        "read_at_ms",
        "unseen",
    )

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.queue: deque[Delivery] = deque()
        self.held: set[int] = set()
        self.flying = 0
        self.unseen = False
        self.behind = False
        self.next_due_ms: int | None = None
        self.read_at_ms = 0
        self._reserved = 0
        self._left: set[int] | None = None

    @property
    def depth(self) -> int:
        """How many deliveries are in memory: waiting or in flight."""
        return len(self.queue) + self.flying

    @property
    def reading(self) -> bool:
        """Whether a page is being read."""
        return self._left is not None

    def take(self, delivery: Delivery) -> None:
        """Take a fresh delivery into memory if there is room; else it stays in the store alone."""
        if self.behind or len(self.queue) + self.flying + self._reserved >= self.capacity:
            if delivery.id not in self.held:
                self.behind = self.unseen = True
        elif delivery.id not in self.held:
            self.queue.append(delivery)
            self.held.add(delivery.id)

    def wants_page(self) -> bool:
        """Whether a page should be read: something is unseen, and memory is below half."""
        return self.unseen and self._left is None and len(self.queue) * 2 <= self.capacity > self.depth

    def begin_page(self) -> int:
        """Begin to read a page; return how many deliveries it may bring (0: no page now)."""
        if not self.wants_page():
            return 0
        self.unseen = False
        self.next_due_ms = None
        self._left = set()
        # Some room stays for fresh ones, unless they queue up in the store anyway.
        self._reserved = min(PAGE_MAX, self.capacity - self.depth)
        return self._reserved

    def end_page(self, due: Due | None, asked_ms: int, barred: Collection[int]) -> None:
        """Take a page that was asked for at `asked_ms`, but for the `barred`; None: reading it failed."""
        left = self._left or set()
        self._left = None
        self._reserved = 0
        self.read_at_ms = asked_ms
        if due is None:
            self.unseen = True
            return
        for delivery in due.deliveries:
            if delivery.id not in self.held and delivery.id not in left and delivery.id not in barred:
                self.queue.append(delivery)
                self.held.add(delivery.id)
        self.behind = due.more
        self.unseen = self.unseen or due.more
        if due.next_at_ms is not None and not due.more:
            self._expect(max(due.next_at_ms, asked_ms + 1))

    def pop(self) -> Delivery:
        """Take the oldest queued delivery into flight."""
        self.flying += 1
        return self.queue.popleft()

    def abandoned(self, delivery_id: int) -> None:
        """Note an attempt that does not count: the delivery is the store's again."""
        self.flying -= 1
        self.release((delivery_id,))

    def stored(self, attempts: Sequence[Attempt]) -> None:
        """Let go of deliveries whose attempts are stored, and remember when they are due again."""
        held, left = self.held, self._left
        for attempt in attempts:
            held.discard(attempt.delivery_id)
            if left is not None:
                left.add(attempt.delivery_id)
            if attempt.state is DeliveryState.RETRYING and attempt.next_at_ms is not None:
                self._expect(attempt.next_at_ms)

    def became_due(self) -> None:
        """Note that the expected retry is due: what is fresh now queues up behind it unless a page can be read."""
        self.next_due_ms = None
        self.unseen = True
        if not self.wants_page() and not self.reading:
            self.behind = True

    def release(self, ids: Iterable[int]) -> None:
        """Leave deliveries to the store again."""
        for delivery_id in ids:
            self.held.discard(delivery_id)
            if self._left is not None:
                self._left.add(delivery_id)
            self.behind = self.unseen = True

    def forget(self, delivery_id: int) -> None:
        """Let go of a delivery that is final in the store (cancelled)."""
        self.held.discard(delivery_id)
        if self._left is not None:
            self._left.add(delivery_id)

    def withdraw(self, delivery_id: int) -> bool:
        """Take a queued delivery out of the queue, but hold it; return whether it was queued."""
        for delivery in self.queue:
            if delivery.id == delivery_id:
                self.queue.remove(delivery)
                return True
        return False

    def shrink(self, capacity: int) -> None:
        """Take a new bound; what is beyond it goes back to the store, newest first."""
        self.capacity = capacity
        while self.queue and self.depth > capacity:
            self.release((self.queue.pop().id,))

    def exceeds(self, keep: int) -> bool:
        """Whether more than `keep` may wait, here and in the store."""
        return self.behind or self.unseen or len(self.queue) > keep

    def busy(self) -> set[int]:
        """Those that are held and do not wait: in flight, or ended and not stored yet."""
        return self.held.difference([delivery.id for delivery in self.queue])

    def spill(self, keep: int) -> None:
        """Leave what is queued beyond `keep` to the store, newest first; what is fresh stays there as well from now on."""
        self.behind = self.unseen = True
        while len(self.queue) > keep:
            self.release((self.queue.pop().id,))

    def drop_queue(self) -> None:
        """Leave everything queued to the store."""
        queue, self.queue = self.queue, deque()
        self.release([delivery.id for delivery in queue])

    def drop_older(self, created_before_ms: int) -> None:
        """Leave queued deliveries made before a time to the store, which is about to make them dead."""
        old = [delivery for delivery in self.queue if created_ms(delivery) < created_before_ms]
        for delivery in old:
            self.queue.remove(delivery)
        self.release([delivery.id for delivery in old])

    def _expect(self, due_ms: int) -> None:
        if self.next_due_ms is None or due_ms < self.next_due_ms:
            self.next_due_ms = due_ms
