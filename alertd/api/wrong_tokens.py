"""How many wrong tokens come from one address: who guesses is slowed down, who shows a right one never is."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from alertd.errors import AlertdError

if TYPE_CHECKING:
    from alertd.clock import Clock

WRONG_MAX: Final = 20
"""Wrong tokens from one address within `WINDOW_SECONDS` that are answered 401; further ones are told to wait."""
WINDOW_SECONDS: Final = 60.0
ADDRESSES_MAX: Final = 10_000
"""Addresses that are remembered; beyond it the one that was quiet longest is forgotten."""


class TooManyWrongTokensError(AlertdError):
    """Too many wrong tokens from one address: 429; `retry_after` in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"too many wrong tokens from this address, try again after {retry_after} s")


class WrongTokens:
    """Counts wrong tokens by address, in windows that begin with the first of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def count(self, address: str) -> None:
        """Count one more. Raises TooManyWrongTokensError when it is one too many."""
        now = self._clock.monotonic()
        begun, count = self._seen.pop(address, (now, 0))
        if now - begun >= WINDOW_SECONDS:
            begun, count = now, 0
        self._seen[address] = (begun, count + 1)
        while len(self._seen) > ADDRESSES_MAX:
            self._seen.popitem(last=False)
        if count >= WRONG_MAX:
            raise TooManyWrongTokensError(max(1, round(begun + WINDOW_SECONDS - now + 0.5)))
