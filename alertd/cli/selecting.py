"""Options that choose deliveries, the same for every command, the query that they make, and refusals in their names."""

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from typer.models import ArgumentInfo

from alertd.cli.options import keyword, seen_with

_SPAN = re.compile(r"(\d{1,9})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MOMENT = "an RFC 3339 time, or how long ago: 90s, 10m, 2h, 7d"


def span_of(given: str | None) -> timedelta | None:
    """Read `10m` as ten minutes; None: it is no such span."""
    found = _SPAN.fullmatch(given or "")
    return None if found is None else timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def moment(given: str | None) -> str | None:
    """Turn `10m` into the time ten minutes ago; a time stays as it is, and the daemon judges it. Raises BadParameter."""
    ago = span_of(given)
    if ago is None:
        if given and not given[:4].isdigit():
            raise typer.BadParameter(f"{given!r} is not {_MOMENT}")
        return given
    try:
        return (datetime.now(UTC) - ago).isoformat()
    except OverflowError:
        raise typer.BadParameter(f"{given!r} is too long ago") from None


def _only(flag: str, help_: str, metavar: str = "NAME") -> Any:
    return typer.Option(flag, metavar=metavar, help=help_, show_default=False)


FILTERS: dict[str, Any] = {
    "type": _only("--type", "Only this event type.", "TYPE"),
    "project": _only("--project", "Only this project."),
    "environment": _only("--environment", "Only this environment."),
    "severity": _only("--severity", "Only this severity.", "WORD"),
    "channel": _only("--channel", "Only through this channel."),
    "subscription": _only("--subscription", "Only of this subscription."),
    "destination": _only("--destination", "Only to this destination."),
    "state": _only("--state", "Only in this state, such as dead or delivered.", "WORD"),
    "alert_id": _only("--alert-id", "Only of this alert.", "ID"),
    "digest_id": _only("--digest-id", "Only what came together in this digest.", "ID"),
    "since": typer.Option(
        "--since", metavar="TIME", help=f"From then on: {_MOMENT}.", callback=moment, show_default=False
    ),
    "until": typer.Option(
        "--until", metavar="TIME", help=f"Before then: {_MOMENT}.", callback=moment, show_default=False
    ),
    "text": _only("--text", "Only with this text in the event or the error.", "TEXT"),
}
"""Every option that chooses deliveries, by the name that the API has for it."""


def takes_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all of these options, between its arguments and its own options; it gets those given as `which`."""
    own = inspect.signature(command)

    @wraps(command)
    def run(**given: Any) -> None:
        which = {name: value for name in FILTERS if (value := given.pop(name)) is not None}
        command(which=which, **given)

    rest = [each for each in own.parameters.values() if each.name != "which"]
    arguments = [each for each in rest if _is_argument(each)]
    options = [each for each in rest if not _is_argument(each)]
    chosen = [keyword(name, Annotated[str | None, option]) for name, option in FILTERS.items()]
    seen_with(run, [*arguments, *chosen, *options])
    return run


def _is_argument(parameter: inspect.Parameter) -> bool:
    return any(isinstance(each, ArgumentInfo) for each in getattr(parameter.annotation, "__metadata__", ()))


def option_of(pointer: str) -> str | None:
    """Name the option that gave what a pointer of the API leads to; None: none of these did."""
    name = pointer.removeprefix("/filter").removeprefix("/")
    return f"--{name.replace('_', '-')}" if name in FILTERS else None


@contextmanager
def by_options(**others: str) -> Iterator[None]:
    """Let a refusal name options in place of the API's pointers; `others` are options that are called otherwise there."""
    from alertd.cli.client import Refusal

    try:
        yield
    except Refusal as refusal:
        raise refusal.named(lambda pointer: others.get(pointer.removeprefix("/")) or option_of(pointer)) from None


def with_query(path: str, which: dict[str, str]) -> str:
    """Write a path with its filters."""
    return f"{path}?{urlencode(which)}" if which else path
