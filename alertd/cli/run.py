"""`alertd run`: the daemon in the foreground."""

import os
import shlex
import shutil
import sys
from pathlib import Path

import uvloop

from alertd.app import Launch, serve
from alertd.cli.client import read_config
from alertd.cli.options import ConfigOption, fail, find_config
from alertd.config.settings import Config
from alertd.errors import AlertdError
from alertd.log import configure_logging


def run(config: ConfigOption = None) -> None:
    """Run the daemon in the foreground until SIGTERM or Ctrl-C; SIGHUP reads the configuration again."""
    path = find_config(config)
    loaded = read_config(config)
    configure_logging(loaded.log.format, loaded.log.level)
    launch = Launch(path, dict(os.environ), lambda url, token: welcome(loaded, url, token), write_line)
    try:
        uvloop.run(serve(launch, loaded))
    except (AlertdError, OSError) as error:
        fail(f"{error}")


def write_line(line: str) -> None:
    """Print one line at once, also when stdout is no terminal."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def welcome(config: Config, url: str, first_token: str | None) -> None:
    """Print the first screen: where the daemon is, and what to type next."""
    program = _program()
    token_file = config.store.path.with_name("admin.token")
    lines = ["", f"alertd listens on {url}"]
    if first_token is not None:
        lines += ["", "Admin token, shown this once (also kept in " + str(token_file) + "):", first_token]
    lines += ["", "Send an event from another terminal, and see it delivered here:", ""]
    lines += [f'{program} send run:failed --severity error --message "Run 17 failed"']
    if token_file.exists():
        lines += ["", "or with curl:", "", _curl(url, token_file)]
    write_line("\n".join([*lines, ""]))


def _curl(url: str, token_file: Path) -> str:
    event = '{"type": "run:failed", "severity": "error", "message": "Run 18 failed"}'
    return (
        f'curl -sS -H "Authorization: Bearer $(cat {shlex.quote(str(token_file))})" '
        f"-H 'Content-Type: application/json' -d '{event}' {url}/api/v1/events"
    )


def _program() -> str:
    """How to call this program again: by its name when the shell finds it, else by its path."""
    here = Path(sys.argv[0])
    found = shutil.which("alertd")
    if found and Path(found).resolve() == here.resolve():
        return "alertd"
    try:
        return str(here.resolve().relative_to(Path.cwd()))
    except ValueError:
        return shlex.quote(str(here))
