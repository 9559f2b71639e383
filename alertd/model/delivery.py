"""A delivery: one alert to one destination, with its state, its attempts and their outcomes.

    pending ──▶ in_flight ──▶ delivered
                   │  ▲
                   ▼  │
                retrying        in_flight ──▶ dead        pending | retrying ──▶ cancelled

`in_flight` is known to the lane alone and never stored: after a crash such a delivery is pending or retrying again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from alertd.model.event import is_simulated, time_and_simulated
from alertd.model.worded import Worded

if TYPE_CHECKING:
    from alertd.model.digest import KeptDigest

ANSWER_MAX: Final = 1024
"""How much of a receiver's answer is kept, in bytes."""
RATE_REFUSALS: Final = frozenset({429, 421, 450, 451, 452})
"""Statuses that say nothing of a message but that it came too soon: HTTP's 429, and of SMTP 421, 450, 451 and 452. What is
421 or 451 in HTTP is not tried again."""
_TOO_MANY: Final = 429


class DeliveryState(Worded):
    """Where a delivery stands; the numbers are what the store keeps."""

    PENDING = 0
    RETRYING = 1
    DELIVERED = 2
    DEAD = 3
    CANCELLED = 4

    @property
    def final(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self >= DeliveryState.DELIVERED


class OutcomeKind(Worded):
    """What one attempt came to; the numbers are what the store keeps."""

    DELIVERED = 0
    RETRY_LATER = 1
    REJECTED = 2
    GONE = 3
    AMBIGUOUS = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """The value of one attempt.

    Shapes: `status` is the provider's code (HTTP status) or None; `detail` says what went wrong, for people, or why nothing
    needed to be sent, and is empty on any other success; `answer` is the first kilobyte of what the receiver said;
    `retry_after_seconds` is what it asked for: how long nothing is to be sent, which it may say before it refuses anything
    (on a delivered attempt); `is_well`: whatever failed says nothing of the destination, whose breaker does not count it;
    `is_too_fast`: the receiver takes fewer than it gets, though no status says so.
    """

    kind: OutcomeKind
    status: int | None = None
    detail: str = ""
    answer: bytes = b""
    retry_after_seconds: float | None = None
    is_well: bool = False
    is_too_fast: bool = False

    @property
    def refuses_rate(self) -> bool:
        """Whether the receiver says that it came too soon."""
        return self.kind is OutcomeKind.RETRY_LATER and self.status in RATE_REFUSALS

    @property
    def asks_for_less(self) -> bool:
        """Whether the receiver takes fewer requests than it gets: 429, and what a mail server says of more than a mailbox."""
        return self.kind is OutcomeKind.RETRY_LATER and (self.status == _TOO_MANY or self.is_too_fast)


DELIVERED: Final = Outcome(OutcomeKind.DELIVERED)


@dataclass(slots=True)
class Delivery:
    """One alert to one destination, as lanes carry it.

    Shapes: `id` and `event_number` as in `alertd.model.ids`; `*_id` are the store's numbers of named resources;
    `attempts` counts those made so far, `refused` those of them that came too soon; `next_at_ms` is when it is due;
    `payload` is the event's JSON; `also` are further
    subscriptions that it serves; `issue` is the JSON of the event's issue as it was then; `ambiguous`: an attempt of it may
    have arrived although nobody answered; `digest` is what it stands for when it is one (then `event_number` and the names are
    those of its oldest alert); `moment` is what `when` gives, None before that was needed.
    """

    id: int
    event_number: int
    destination_id: int
    subscription_id: int
    channel_id: int
    attempts: int
    next_at_ms: int
    event_type: str
    payload: bytes
    trigger: str | None = None
    replay_of: int | None = None
    created_at_ms: int = 0
    also: tuple[int, ...] = ()
    issue: bytes | None = None
    ambiguous: bool = False
    digest: KeptDigest | None = None
    refused: int = 0
    moment: tuple[str, bool] | None = field(default=None, compare=False, repr=False)

    def when(self) -> tuple[str, bool]:
        """Give the event's time, and whether it is simulated; they are read out of the payload once."""
        if self.moment is None:
            self.moment = time_and_simulated(self.payload)
        return self.moment

    @property
    def is_simulated(self) -> bool:
        """Whether nothing has really happened."""
        return is_simulated(self.payload) if self.moment is None else self.moment[1]


@dataclass(slots=True)
class Attempt:
    """One finished attempt and what it means for its delivery: the unit in which outcomes are stored.

    Shapes: `number` from 1; `duration_us` in microseconds; `state` is the delivery's state after it; `next_at_ms` is
    when it is due again (only while retrying).
    """

    delivery_id: int
    number: int
    started_at_ms: int
    duration_us: int
    outcome: Outcome
    state: DeliveryState
    next_at_ms: int | None = None
