"""Commands that work on files: check, backup, migrate; and version."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from alertd.cli.options import ConfigOption, JsonOption, counted, fail, find_config, harmless, note, print_json, say


def check(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The configuration file. Default: the one that `alertd run` would take."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Name everything that is wrong in a configuration, at once.

    Each error comes with its file, line and path; if there is any, the exit code is 1. An address that the egress guard refuses is one. What is allowed and odd is a warning, with its place as well. Secrets are looked up, as they would be at the start, and never printed.
    """
    from alertd.config.load import check_config
    from alertd.errors import ConfigError

    path = find_config(file)
    try:
        config, warnings = check_config(path, os.environ)
    except ConfigError as error:
        if json:
            shape = ("file", "line", "path", "found", "expected")
            print_json({"valid": False, "problems": [{n: getattr(p, n) for n in shape} for p in error.problems]})
        else:
            typer.echo(harmless(str(error)), err=True)
        raise typer.Exit(1) from None
    counts = {
        name: sum(len(getattr(w, name)) for w in config.workspaces)
        for name in ("channels", "destinations", "subscriptions")
    }
    if json:
        told = [asdict(warning) for warning in warnings]
        print_json({"valid": True, "file": str(path) if path else None, **counts, "warnings": told})
    else:
        for warning in warnings:
            note(f"warning: {warning}")
        listed = ", ".join(counted(count, name.removesuffix("s")) for name, count in counts.items())
        say(f"{path or 'no file, the defaults'}: valid ({listed})")


def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The copy to write; it must not exist yet.")],
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Write a consistent copy of the store.

    The daemon may go on running. To restore the copy, stop the daemon, remove the store's -wal and -shm files if they
    are there, and put the copy in the store's place, with the secrets.key that stands beside the store beside it. It is
    not in the copy, and without it the secrets there cannot be read. The tokens are in it, as hashes: admin.token goes along.
    """
    from alertd.cli.whereabouts import find_here
    from alertd.errors import AlertdError
    from alertd.store.sqlite.backup import backup_file

    database = find_here(config).store
    try:
        backup_file(database, target)
        size = target.stat().st_size
    except (AlertdError, OSError, ValueError) as error:
        fail(str(error))
    if json:
        print_json({"store": str(database), "file": str(target), "size_bytes": size})
    else:
        say(f"{target}: {size} bytes")


def migrate(json: JsonOption = False, config: ConfigOption = None) -> None:
    """Bring the store up to this version.

    A store that is not there is made. `alertd run` does both by itself; the daemon must not be running.
    """
    import asyncio

    from alertd.cli.whereabouts import find_here
    from alertd.clock import SystemClock
    from alertd.errors import AlertdError
    from alertd.log import configure_logging
    from alertd.store.sqlite.store import open_sqlite

    database = find_here(config).store

    async def open_and_close() -> None:
        database.parent.mkdir(parents=True, exist_ok=True)
        store = await open_sqlite(database, SystemClock())
        await store.close()

    configure_logging("auto", "error")
    before = _version_in(database)
    try:
        asyncio.run(open_and_close())
    except (AlertdError, OSError) as error:
        fail(str(error))
    version = _version_in(database)
    if json:
        print_json({"store": str(database), "migrated": version != before, "version": version})
    else:
        say(f"{database}: up to date")


def _version_in(database: Path) -> int:
    """Read which version a store has; 0 when there is none to be read: whoever opens it says what is wrong."""
    import sqlite3
    from contextlib import closing

    from alertd.store.sqlite.connection import reader_uri
    from alertd.store.sqlite.migrate import version_of

    try:
        with closing(sqlite3.connect(reader_uri(database), uri=True)) as conn:
            return version_of(conn)
    except sqlite3.Error:
        return 0


def print_version(wanted: bool) -> None:
    """Print the version and end, if that is wanted."""
    if wanted:
        version()
        raise typer.Exit


def version(json: JsonOption = False) -> None:
    """Print the version."""
    from importlib.metadata import version as version_of

    number = version_of("alertd")
    if json:
        print_json({"version": number})
    else:
        say(number)
