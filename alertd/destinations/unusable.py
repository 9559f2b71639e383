"""A destination whose settings were valid once and are not any more: an optional part is gone, or a newer version is stricter.

Its deliveries wait and say why, and nobody else's are the worse for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.model.delivery import Outcome, OutcomeKind
from alertd.words import expected_of

if TYPE_CHECKING:
    from pydantic import ValidationError

    from alertd.destinations.base import Message


class UnusableDestination:
    """Attempts nothing."""

    def __init__(self, type_name: str, error: ValidationError) -> None:
        self.reason = reason_of(error)
        self._type_name = type_name

    async def attempt(self, message: Message) -> Outcome:
        """Leave it for later."""
        words = f"{self._type_name}: its settings cannot be used: {self.reason}"
        return Outcome(OutcomeKind.RETRY_LATER, detail=words[:1000])

    async def close(self) -> None:
        """Hold nothing."""


def reason_of(error: ValidationError) -> str:
    """Name every bad setting and what was expected; no value is repeated."""
    problems = error.errors(include_input=False, include_url=False)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: expected {expected_of(each, None)}" for each in problems)
