"""The destination that answers at once and sends nothing: for benchmarks and for muting in a test bed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from alertd.model.delivery import DELIVERED
from alertd.model.fields import Resource

if TYPE_CHECKING:
    from pydantic import BaseModel

    from alertd.destinations.base import Message, World
    from alertd.model.delivery import Outcome


class NullSettings(Resource):
    """No settings."""


class NullDestination:
    """Takes everything and keeps nothing."""

    instant: ClassVar[bool] = True

    async def attempt(self, message: Message) -> Outcome:
        """Say that it was delivered."""
        return DELIVERED

    async def close(self) -> None:
        """Hold nothing, let go of nothing."""


class NullType:
    """The type `null`."""

    name: ClassVar[str] = "null"
    about: ClassVar[str] = "Takes everything and sends nothing: for benchmarks and for muting in a test bed."
    settings_model: ClassVar[type[BaseModel]] = NullSettings

    def rate_per_second(self, settings: NullSettings) -> float | None:
        """No pace."""
        return None

    def open(self, settings: NullSettings, timeout_seconds: float, world: World) -> NullDestination:
        """Open one."""
        return NullDestination()
