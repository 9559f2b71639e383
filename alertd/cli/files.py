"""Commands that work on files: check, backup, migrate, version."""

import asyncio
import os
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated

import typer

from alertd.cli.client import read_config
from alertd.cli.options import ConfigOption, JsonOption, fail, find_config, print_json
from alertd.clock import SystemClock
from alertd.config.load import load_config
from alertd.errors import AlertdError, ConfigError
from alertd.store.sqlite.backup import backup_file
from alertd.store.sqlite.store import open_sqlite


def check(
    file: Annotated[Path | None, typer.Argument(help="The configuration file; absent: where run would look.")] = None,
    json: JsonOption = False,
) -> None:
    """Check a configuration: print every error at once, with file, line and path, and end with 1 if there is any."""
    path = find_config(file)
    try:
        config = load_config(path, os.environ)
    except ConfigError as error:
        if json:
            shape = ("file", "line", "path", "found", "expected")
            print_json({"valid": False, "problems": [{n: getattr(p, n) for n in shape} for p in error.problems]})
        else:
            typer.echo("\n".join(map(str, error.problems)), err=True)
        raise typer.Exit(1) from None
    counts = {
        name: sum(len(getattr(w, name)) for w in config.workspaces)
        for name in ("channels", "destinations", "subscriptions")
    }
    if json:
        print_json({"valid": True, "file": str(path) if path else None, **counts})
    else:
        listed = ", ".join(f"{count} {name}" for name, count in counts.items())
        typer.echo(f"{path or 'defaults'}: valid ({listed})")


def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="A file that does not exist yet.")],
    config: ConfigOption = None,
) -> None:
    """Write a consistent copy of the store, also while the daemon runs."""
    database = read_config(config).store.path
    if not database.exists():
        fail(f"there is no store at {database}")
    try:
        backup_file(database, target)
    except (AlertdError, OSError) as error:
        fail(str(error))
    typer.echo(f"{target}: {target.stat().st_size} bytes")


def migrate(config: ConfigOption = None) -> None:
    """Bring the store's file up to this version (run does so too). The daemon must not be running."""
    database = read_config(config).store.path

    async def open_and_close() -> None:
        database.parent.mkdir(parents=True, exist_ok=True)
        store = await open_sqlite(database, SystemClock())
        await store.close()

    try:
        asyncio.run(open_and_close())
    except (AlertdError, OSError) as error:
        fail(str(error))
    typer.echo(f"{database}: up to date")


def version(json: JsonOption = False) -> None:
    """Print the version."""
    if json:
        print_json({"version": version_of("alertd")})
    else:
        typer.echo(version_of("alertd"))
