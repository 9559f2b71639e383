"""A token bucket: how many attempts a second a lane may begin. Pure. Times are seconds of a monotonic clock."""

from __future__ import annotations

from typing import Final

BURST_SECONDS: Final = 0.1
"""After a quiet time as much as this span's worth may begin at once, at least one attempt."""


class TokenBucket:
    """Fills at `rate_per_second` up to `burst` tokens (None: so much as `BURST_SECONDS` say); it begins full."""

    __slots__ = ("_at", "_tokens", "burst", "rate_per_second")

    def __init__(self, rate_per_second: float, now: float, burst: float | None = None) -> None:
        self.rate_per_second = rate_per_second
        self.burst = max(1.0, rate_per_second * BURST_SECONDS if burst is None else burst)
        self._tokens = self.burst
        self._at = now

    def wait_seconds(self, now: float) -> float:
        """How long until a token is there; 0: now. Takes nothing."""
        self._tokens = min(self.burst, self._tokens + max(0.0, now - self._at) * self.rate_per_second)
        self._at = now
        # A billionth is what rounding leaves when the wait was computed exactly.
        return 0.0 if self._tokens >= 1 - 1e-9 else (1 - self._tokens) / self.rate_per_second

    def ready(self) -> int:
        """How many tokens `wait_seconds` has just found."""
        return int(self._tokens + 1e-9)

    def take(self) -> None:
        """Take the token that `wait_seconds` has just found."""
        self._tokens = max(0.0, self._tokens - 1)
