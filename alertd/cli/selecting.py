"""Options that choose deliveries, the same for every command, and the query that they make."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

_SPAN = re.compile(r"(\d{1,9})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MOMENT = "an RFC 3339 time, or how long ago: 90s, 10m, 2h, 7d"


def moment(given: str | None) -> str | None:
    """Turn `10m` into the time ten minutes ago; a time stays as it is, and the daemon judges it. Raises BadParameter."""
    found = _SPAN.fullmatch(given or "")
    if found is None:
        if given and not given[:4].isdigit():
            raise typer.BadParameter(f"{given!r} is not {_MOMENT}")
        return given
    ago = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    try:
        return (datetime.now(UTC) - ago).isoformat()
    except OverflowError:
        raise typer.BadParameter(f"{given!r} is too long ago") from None


def _only(flag: str, help_: str, metavar: str = "NAME") -> Any:
    return typer.Option(flag, metavar=metavar, help=help_, show_default=False)


TypeOption = Annotated[str | None, _only("--type", "Only this event type.", "TYPE")]
ProjectOption = Annotated[str | None, _only("--project", "Only this project.")]
EnvironmentOption = Annotated[str | None, _only("--environment", "Only this environment.")]
SeverityOption = Annotated[str | None, _only("--severity", "Only this severity.", "WORD")]
ChannelOption = Annotated[str | None, _only("--channel", "Only through this channel.")]
SubscriptionOption = Annotated[str | None, _only("--subscription", "Only of this subscription.")]
DestinationOption = Annotated[str | None, _only("--destination", "Only to this destination.")]
StateOption = Annotated[str | None, _only("--state", "Only in this state, such as dead or delivered.", "WORD")]
AlertOption = Annotated[str | None, _only("--alert-id", "Only of this alert.", "ID")]
DigestOption = Annotated[str | None, _only("--digest-id", "Only what came together in this digest.", "ID")]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help=f"From then on: {_MOMENT}.", callback=moment, show_default=False),
]
UntilOption = Annotated[
    str | None,
    typer.Option("--until", metavar="TIME", help=f"Before then: {_MOMENT}.", callback=moment, show_default=False),
]
TextOption = Annotated[str | None, _only("--text", "Only with this text in the event or the error.", "TEXT")]


def chosen(**given: str | None) -> dict[str, str]:
    """Keep the filters that were given, by the names that the API has for them."""
    return {name: value for name, value in given.items() if value is not None}


def with_query(path: str, which: dict[str, str]) -> str:
    """Write a path with its filters."""
    return f"{path}?{urlencode(which)}" if which else path
