"""The command line, put together. Commands import what they need when they run, so that `--help` is quick."""

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from alertd.cli import (
    destination,
    explain,
    files,
    rejected,
    replay,
    run,
    send,
    subscription,
    tail,
    token,
    transfer,
)
from alertd.cli.options import note, unwritten

_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What a stream says that takes nothing more: help and completion are written by the library."""
app = typer.Typer(
    name="alertd",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Events in, notifications out, nothing lost.

    `alertd run` is the daemon; the other commands work with its files or talk to it.

    Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 130 cut short by Ctrl-C, which ends `run` and `tail` in order, with 0.""",
)


@app.callback()
def program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=files.print_version, is_eager=True, help="Print the version and end."),
    ] = False,
) -> None:
    """Take what stands before the command."""


app.command()(run.run)
app.command()(files.check)
app.command()(send.send)
app.command()(explain.explain)
app.command()(tail.tail)
app.command()(replay.replay)
app.add_typer(rejected.app, name="rejected")
app.add_typer(token.app, name="token")
app.add_typer(destination.app, name="destination")
app.add_typer(subscription.app, name="subscription")
app.command()(transfer.export)
app.command()(transfer.diff)
app.command()(files.backup)
app.command()(files.migrate)
app.command()(files.version)


def _fill_streams() -> None:
    """Lead standard streams that are closed to nowhere: else the next file or socket that is opened takes their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - as long as the program


def _write_out() -> None:
    """Write what is left for stdout; where that fails nothing more goes there, nor is it tried at the very end."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:  # it may be no file of the system's
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def main() -> None:
    """Run the program. An installation that lacks a part says which one, an argument that is no text is named."""
    _fill_streams()
    try:
        app(prog_name="alertd")
    except ImportError as error:
        typer.echo(f"alertd: this installation is broken: {error}. Install it again (make run, or pip).", err=True)
        raise SystemExit(1) from None
    except UnicodeEncodeError as error:
        typer.echo(f"alertd: {os.fsencode(error.object)!r} is not UTF-8", err=True)
        raise SystemExit(2) from None
    except OSError as error:
        if error.filename is not None or error.errno not in _UNWRITABLE:
            raise
        note(unwritten(error))
        raise SystemExit(1) from None
    finally:
        _write_out()
