"""The destination that prints one line for each delivery. What an event says is made harmless to a terminal first."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from alertd.destinations.base import Preview
from alertd.destinations.loose import object_in
from alertd.model.delivery import DELIVERED, Outcome, OutcomeKind
from alertd.model.fields import Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from alertd.destinations.base import Message, World

TEXT_MAX: Final = 200
"""Characters of one field of an event that are printed."""


class ConsoleSettings(Resource):
    """No settings."""


class ConsoleDestination:
    """Prints to where `write_line` leads."""

    def __init__(self, write_line: Callable[[str], None]) -> None:
        self._write_line = write_line

    async def attempt(self, message: Message) -> Outcome:
        """Print one line; retry later when the terminal or pipe is gone."""
        try:
            self._write_line(line_of(message))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            return Outcome(OutcomeKind.RETRY_LATER, detail=f"console: cannot write: {why}")
        return DELIVERED

    def preview(self, message: Message) -> Preview:
        """Show the line."""
        return Preview("write to standard output", {}, line_of(message))

    async def close(self) -> None:
        """Leave the terminal open: it is not ours."""


class ConsoleType:
    """The type `console`."""

    name: ClassVar[str] = "console"
    about: ClassVar[str] = "One line on standard output for each delivery."
    settings_model: ClassVar[type[BaseModel]] = ConsoleSettings

    def rate_per_second(self, settings: ConsoleSettings) -> float | None:
        """No pace."""
        return None

    def open(self, settings: ConsoleSettings, timeout_seconds: float, world: World) -> ConsoleDestination:
        """Open one."""
        return ConsoleDestination(world.write_line)


def line_of(message: Message) -> str:
    """Write a delivery as one line: time, severity, type, project/environment, message, subscription, delivery id.

    A user's own title stands in place of the message, the own body behind it, and why there is none behind both.
    """
    event = object_in(message.event)
    place = "/".join(_text(event.get(name)) for name in ("project", "environment") if event.get(name))
    words = (
        _text(message.time or event.get("time")),
        _text(event.get("severity") or "info").upper(),
        _text(message.event_type),
        place,
        _text(event.get("message") if message.own_title is None else message.own_title),
        _text(message.own_body),
        _text(message.note and f"({message.note})"),
        f"[{_text(message.subscription)}{', test' if message.test else ''}]",
        _text(message.delivery_id),
    )
    return " ".join(filter(None, words))


def _text(value: object) -> str:
    """Make a value printable: what would move a cursor, colour, hide or break a line is shown as an escape."""
    if not isinstance(value, str):
        return ""
    cut = value if len(value) <= TEXT_MAX else value[: TEXT_MAX - 1] + "…"
    return cut if cut.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in cut)
