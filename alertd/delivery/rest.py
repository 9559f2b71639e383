"""Why a lane rests, in one place: the receiver's Retry-After, its refusals, its breaker, its rate. Pure.

`*_ms` is the guarded wall clock, `now` a monotonic one in seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alertd.delivery.breaker import Breaker
from alertd.delivery.bucket import TokenBucket
from alertd.delivery.throttle import Throttle

if TYPE_CHECKING:
    from alertd.model.delivery import Outcome
    from alertd.model.destination import DeliveryOptions

REFUSALS: Final = 3
"""So many in a row are a limit, or a few more that alternate with successes; fewer happen by chance."""
FADING: Final = 0.7
"""What is left of them after a success."""


class Rest:
    """What holds a lane back. `bound` is false while nothing does, so that a healthy lane asks nothing more.

    `refusals` is how many attempts have lately come too soon; from `REFUSALS` on there is a `throttle`.
    """

    __slots__ = ("_burst", "_paused_until_ms", "bound", "breaker", "bucket", "refusals", "throttle")

    def __init__(self, options: DeliveryOptions, now: float, burst: float | None = None) -> None:
        self.breaker = Breaker(options.breaker.failures, options.breaker.cool_seconds)
        self.bucket: TokenBucket | None = None
        self.throttle: Throttle | None = None
        self.refusals = 0.0
        self.bound = False
        self._paused_until_ms = 0
        self._burst = burst
        self.configure(options, now, burst)

    def configure(self, options: DeliveryOptions, now: float, burst: float | None = None) -> None:
        """Take new options; what happened so far stays. `burst` is what the rate lets through at once (None: little)."""
        self.breaker.failures = options.breaker.failures
        self.breaker.cool_seconds = options.breaker.cool_seconds
        rate = options.queue.rate_per_second
        if rate is None:
            self.bucket = None
        elif self.bucket is None or self.bucket.rate_per_second != rate or self._burst != burst:
            self.bucket = TokenBucket(rate, now, burst)
        self._burst = burst
        self._bind()

    def renew(self) -> bool:
        """Forget what another receiver said and did; return whether it had asked for rest. The rate goes on."""
        paused, self._paused_until_ms = self._paused_until_ms, 0
        self.forgive()
        return bool(paused)

    def forgive(self) -> None:
        """Forget failures and refusals; a rest that was asked for stands."""
        self.breaker.succeeded()
        self.throttle = None
        self.refusals = 0.0
        self._bind()

    def paused_until(self, now_ms: int) -> int | None:
        """Until when the receiver asked for rest; None when that is over."""
        return self._paused_until_ms if self._paused_until_ms > now_ms else None

    def learnt_rate(self, now: float) -> float | None:
        """How many attempts a second refusals have taught, None without."""
        throttle = self.throttle
        return None if throttle is None or throttle.is_over(now) else throttle.per_second

    def keep_within(self, options: DeliveryOptions, now_ms: int) -> bool:
        """Shorten what a receiver asked for to what the options allow from now on; return whether it was longer."""
        longest = now_ms + round(options.retry.retry_after_max_seconds * 1000)
        longer = self._paused_until_ms > longest
        if longer:
            self._paused_until_ms = longest
        return longer

    def pause(self, until_ms: int) -> bool:
        """Rest until then at least; return whether this made the rest longer."""
        longer = until_ms > self._paused_until_ms
        if longer:
            self._paused_until_ms = until_ms
            self.bound = True
        return longer

    def seconds(self, now_ms: int, now: float) -> float:
        """How long until an attempt may begin: 0 now; infinite: until the probe under way has ended."""
        if now_ms >= self._paused_until_ms:
            self._paused_until_ms = 0
            if self.throttle is not None and self.throttle.is_over(now):
                self.throttle = None
            self._bind()
        wait = max((self._paused_until_ms - now_ms) / 1000, 0.0) if self._paused_until_ms else 0.0
        if self.breaker.opened:
            wait = max(wait, self.breaker.wait_seconds(now))
        if self.bucket is not None:
            wait = max(wait, self.bucket.wait_seconds(now))
        if self.throttle is not None:
            wait = max(wait, self.throttle.wait_seconds(now))
        return wait

    def begin(self) -> int:
        """Begin an attempt that `seconds` allows; return its number as a probe, 0 if it is none."""
        if self.bucket is not None:
            self.bucket.take()
        if self.throttle is not None:
            self.throttle.begin(0.0 if self.bucket is None else 1 / self.bucket.rate_per_second)
        return self.breaker.begin()

    def succeeded(self, now: float, took: float) -> bool:
        """Take a success that took so many seconds; return whether it closed the breaker."""
        self.refusals = self.refusals * FADING if self.refusals > 1 - FADING else 0.0
        if self.throttle is not None:
            self.throttle.taken(now, took)
        closed = self.breaker.succeeded()
        if closed:
            self._bind()
        return closed

    def failed(self, outcome: Outcome, now: float, took: float, *, probe: int) -> bool:
        """Take a failure that took so many seconds; return whether it opened the breaker, which was closed.

        A refusal that teaches a pace is none.
        """
        if outcome.asks_for_less and self._learns(outcome, now, took):
            self.breaker.neutral(probe=probe)
            return False
        was_open = self.breaker.opened
        opened = self.breaker.failed(now, probe=probe)
        self.bound = self.bound or opened
        return opened and not was_open

    def _learns(self, outcome: Outcome, now: float, took: float) -> bool:
        """Take a refusal; return whether it teaches a pace, and is no failure."""
        self.refusals += 1
        if self.throttle is None and self.refusals >= REFUSALS:
            self.throttle = Throttle(now)
            self.bound = True
            if not self.breaker.opened:
                self.breaker.succeeded()
        if self.throttle is None:
            return False
        self.throttle.refused(now, took, outcome.retry_after_seconds or 0.0)
        return not self.throttle.is_heedless

    def _bind(self) -> None:
        paced = self.bucket is not None or self.throttle is not None
        self.bound = paced or bool(self._paused_until_ms or self.breaker.opened)
