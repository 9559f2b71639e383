"""The shapes that the limits of receivers have, as they enforce them. Pure; times are seconds of any clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol


class Limit(Protocol):
    """What a provider allows."""

    def wait(self, now: float) -> float:
        """Take a request if it may come now (0); else how long it must wait, in seconds."""


@dataclass
class Bucket:
    """So many at once, and so many a second from then on."""

    rate: float
    size: float
    tokens: float = -1.0
    at: float = 0.0

    def wait(self, now: float) -> float:
        """Take a token."""
        grown = (now - self.at) * self.rate
        self.tokens = self.size if self.tokens < 0 else min(self.size, self.tokens + grown)
        self.at = now
        if self.tokens < 1:
            return (1 - self.tokens) / self.rate
        self.tokens -= 1
        return 0.0


@dataclass
class Sliding:
    """At most so many in any span of so many seconds."""

    most: int
    seconds: float
    taken: deque[float] = field(default_factory=deque)

    def wait(self, now: float) -> float:
        """Take a place."""
        while self.taken and self.taken[0] <= now - self.seconds:
            self.taken.popleft()
        if len(self.taken) >= self.most:
            return self.taken[0] + self.seconds - now
        self.taken.append(now)
        return 0.0


@dataclass
class Fixed:
    """At most so many in each of the spans that the provider's clock is cut into."""

    most: int
    seconds: float
    span: int = -1
    taken: int = 0

    def wait(self, now: float) -> float:
        """Take a place."""
        span = int(now // self.seconds)
        if span != self.span:
            self.span, self.taken = span, 0
        if self.taken >= self.most:
            return (span + 1) * self.seconds - now
        self.taken += 1
        return 0.0
