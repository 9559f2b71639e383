"""Options that several commands share, and how commands end.

Exit codes: 0 done, 1 refused or failed, 2 usage.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import orjson
import typer

CONFIG_PATHS = (Path("config/alertd.yml"), Path("/etc/alertd/alertd.yml"))
"""Where the configuration is looked for, in this order."""

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="The configuration file; else ALERTD_CONFIG, config/alertd.yml, /etc/alertd/alertd.yml.",
        show_default=False,
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="The server; else ALERTD_URL, else as the configuration says.", show_default=False),
]
WorkspaceOption = Annotated[str, typer.Option("--workspace", "-w", help="The workspace.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def find_config(given: Path | None) -> Path | None:
    """Return the configuration file to use: given, named by ALERTD_CONFIG, or the first that exists."""
    if given is not None:
        return given
    named = os.environ.get("ALERTD_CONFIG")
    if named:
        return Path(named)
    return next((path for path in CONFIG_PATHS if path.exists()), None)


def fail(text: str) -> NoReturn:
    """Say on stderr what went wrong and end with 1."""
    typer.echo(f"alertd: {text}", err=True)
    raise typer.Exit(1)


def print_json(value: Any) -> None:
    """Print one JSON document on a line of its own."""
    sys.stdout.write(orjson.dumps(value).decode() + "\n")
    sys.stdout.flush()
