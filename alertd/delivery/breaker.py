"""A circuit breaker: stops a lane whose destination fails again and again, and probes it now and then. Pure.

    closed ──failures in a row──▶ open ──cool_seconds──▶ half-open ──success──▶ closed
                                   ▲                         │
                                   └──────failed probe───────┘

Times are seconds of a monotonic clock.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf


class BreakerState(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Counts failures in a row; opens at `failures` of them. `opened` is true in every state but closed.

    `streak` is how many failures there were in a row; 0 also says that there is nothing to reset.
    """

    __slots__ = ("_cooled_at", "_probe", "_probes", "cool_seconds", "failures", "opened", "streak")

    def __init__(self, failures: int, cool_seconds: float) -> None:
        self.failures = failures
        self.cool_seconds = cool_seconds
        self.opened = False
        self.streak = 0
        self._cooled_at = 0.0
        self._probe = 0
        self._probes = 0

    def state(self, now: float) -> BreakerState:
        """Where it stands at `now`: half-open while a probe is allowed or under way."""
        if not self.opened:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self._probe or now >= self._cooled_at else BreakerState.OPEN

    def wait_seconds(self, now: float) -> float:
        """How long until an attempt may begin: 0 now; infinite while a probe is under way, whose outcome decides."""
        if not self.opened:
            return 0.0
        return inf if self._probe else max(0.0, self._cooled_at - now)

    def begin(self) -> int:
        """Begin an attempt that `wait_seconds` allows; return its number as a probe, 0 if it is none.

        The number is told again at its end, so that a probe that outlived its time is not taken for the present one.
        """
        if not self.opened:
            return 0
        self._probes += 1
        self._probe = self._probes
        return self._probe

    def succeeded(self) -> bool:
        """Take a success, which resets everything; return whether this closed the breaker."""
        closed = self.opened
        self.streak = 0
        self.opened = False
        self._probe = 0
        return closed

    def failed(self, now: float, *, probe: int) -> bool:
        """Take a failure; return whether this opened the breaker (a failed probe opens it again).

        Attempts that began before it opened change nothing: only a probe lengthens the rest.
        """
        if self.opened:
            if not probe or probe != self._probe:
                return False
        else:
            self.streak += 1
            if self.streak < self.failures:
                return False
        self.opened = True
        self._probe = 0
        self._cooled_at = now + self.cool_seconds
        return True

    def neutral(self, *, probe: int) -> None:
        """Take an attempt that says nothing about the destination's health; after a probe the next one may begin."""
        if probe == self._probe:
            self._probe = 0
