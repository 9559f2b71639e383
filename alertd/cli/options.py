"""Options that several commands share, and how commands speak and end.

Exit codes: 0 done, 1 refused or failed, 2 usage; 130, as shells have it, when Ctrl-C cut a command short. It ends `run` and
`tail` in order, with 0.
"""

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn

import typer

CONFIG_PATHS = (Path("config/alertd.yml"), Path("/etc/alertd/alertd.yml"))
"""Where the configuration is looked for, in this order."""

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Configuration file. Default: $ALERTD_CONFIG, else config/alertd.yml, else /etc/alertd/alertd.yml.",
        show_default=False,
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Where the daemon is. Default: $ALERTD_URL, else server.listen of the configuration.",
        show_default=False,
    ),
]
TokenOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="File with the token. Default: $ALERTD_TOKEN itself, else admin.token beside the store.",
        show_default=False,
    ),
]
WorkspaceOption = Annotated[str, typer.Option("--workspace", "-w", metavar="NAME", help="Workspace to work in.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


class Server(NamedTuple):
    """Where the daemon is, and what to say who we are."""

    url: str | None
    config: Path | None
    token_file: Path | None


_SERVER: dict[str, Any] = {"url": UrlOption, "config": ConfigOption, "token_file": TokenOption}
"""The options that say where the daemon is and who asks."""


def keyword(name: str, annotation: Any) -> inspect.Parameter:
    """Make the parameter of an option that need not be given."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def seen_with(command: Callable[..., None], parameters: Iterable[inspect.Parameter]) -> None:
    """Let whoever inspects a command find these parameters instead of its own, all of them by name."""
    every = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    command.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]  # what inspect looks for
    command.__annotations__ = {each.name: each.annotation for each in every} | {"return": None}


def takes_server(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, behind its own options, those that say where the daemon is and who asks; it gets them as `server`."""

    @wraps(command)
    def run(**given: Any) -> None:
        command(server=Server(*(given.pop(name) for name in _SERVER)), **given)

    own = [each for each in inspect.signature(command).parameters.values() if each.name != "server"]
    seen_with(run, [*own, *(keyword(name, option) for name, option in _SERVER.items())])
    return run


def one_of(*words: str) -> Callable[[str | None], str | None]:
    """Make the check of an option that takes one of these words, and says so of another."""

    def check(given: str | None) -> str | None:
        if given is not None and given not in words:
            raise typer.BadParameter(f"{given!r} is none of {', '.join(words)}")
        return given

    return check


def counted(count: int, noun: str) -> str:
    """Write a number of things, `noun` being the word for one: `1 channel`, `2 channels`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def find_config(given: Path | None) -> Path | None:
    """Return the configuration file to use: given, named by ALERTD_CONFIG, or the first that exists.

    One that nobody may look for counts as there: whoever reads it says why it cannot be read.
    """
    if given is not None:
        return given
    named = os.environ.get("ALERTD_CONFIG")
    if named:
        return Path(named)
    return next((path for path in CONFIG_PATHS if _is_there(path)), None)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return True


def fail(text: str) -> NoReturn:
    """Say on stderr what went wrong and end with 1."""
    note(text)
    raise typer.Exit(1)


def note(text: str) -> None:
    """Say something beside the result, on stderr."""
    typer.echo(f"alertd: {harmless(text)}", err=True)


def say(text: str) -> None:
    """Print a result for people, at once."""
    with written():
        typer.echo(harmless(text))


@contextmanager
def written() -> Iterator[None]:
    """End the program with 1 and a sentence when a result cannot be written; that nobody reads on is for others to see."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        fail(unwritten(error))


def unwritten(error: OSError) -> str:
    """Say that a result cannot be written."""
    return f"the result cannot be written: {(error.strerror or str(error)).lower()}"


def harmless(text: str) -> str:
    """Replace what a terminal would obey: texts come from events, receivers and other servers."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in text)


def print_json(value: Any) -> None:
    """Print one JSON document on a line of its own, at once."""
    import orjson

    with written():
        typer.echo(orjson.dumps(value))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns as wide as they need to be, whatever the terminal's width, so that they can be cut by programs."""
    table = [[harmless(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    with written():
        for row in table:
            typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
