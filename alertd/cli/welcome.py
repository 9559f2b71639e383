"""The first screen of `alertd run`: where the daemon is, and what to type next, tried out before it is printed.

The lines must work as they stand, typed in another terminal in the same folder, where none of this process's
environment can be counted on.
"""

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from alertd.cli.options import CONFIG_PATHS
from alertd.cli.whereabouts import DEFAULT_LISTEN, reachable, whereabouts
from alertd.errors import ConfigError

if TYPE_CHECKING:
    from alertd.api.bootstrap import Access


EVENT = {"type": "run:failed", "severity": "error", "message": "Run 17 failed"}
"""What the printed line sends."""


def welcome(store: Path, config: Path | None, url: str, access: "Access", *, seen: bool) -> str:
    """Write the screen for a daemon that is at `url`, has its database at `store`, and lets in as `access` says.

    `config` is the file that it was started with; None: there was none, and so there are no destinations. `seen` says
    whether EVENT would be printed below this screen.
    """
    url = _reachable(url)
    token_file = store.with_name("admin.token")
    lines = ["", f"alertd listens on {url}"]
    if access.first is not None:
        lines += ["", f"Admin token, shown this once (also kept in {token_file}):", access.first]
    if config is None:
        places = " or ".join(str(path) for path in CONFIG_PATHS)
        lines += ["", f"There is no configuration at {places}: with the defaults nothing is delivered to anybody."]
    lines += ["", f"Send an event from another terminal{', and see it delivered here' if seen else ''}:", ""]
    options = _options(config, url, token_file if access.filed else None)
    send = 'send {type} --severity {severity} --message "{message}"'.format_map(EVENT)
    lines += [" ".join([program(), send, *options])]
    if access.filed:
        lines += ["", "or with curl:", "", _curl(url, token_file)]
    else:
        lines += ["", _whence(token_file, access)]
    return "\n".join([*lines, ""])


def _whence(token_file: Path, access: "Access") -> str:
    """Say where a token is to be had when the file holds none that is good."""
    made = f"made before (the store keeps only their hashes; of a restored backup, that in its own {token_file.name})"
    sources = [
        text for is_so, text in ((access.configured, "that the configuration holds"), (access.stored, made)) if is_so
    ]
    return f"Set ALERTD_TOKEN there to one of the tokens {', or '.join(sources)}."


def _reachable(url: str) -> str:
    parts = urlsplit(url)
    return reachable(str(parts.hostname), parts.port or 80)


def _options(config: Path | None, url: str, token_file: Path | None) -> list[str]:
    """The fewest options with which a command finds this daemon and its token from a bare environment."""
    options = [] if url == f"http://{DEFAULT_LISTEN}" == _found(None, "url") else ["--url", url]
    if token_file is None or _found(None, "token_file") == token_file:
        return options
    if config is not None and _found(config, "token_file") == token_file:
        options = [] if url == f"http://{DEFAULT_LISTEN}" == _found(config, "url") else ["--url", url]
        return [*options, "--config", shlex.quote(str(config))]
    return ["--url", url, "--token-file", shlex.quote(str(token_file))]


def _found(config: Path | None, what: str) -> object:
    path = config or next((path for path in CONFIG_PATHS if path.exists()), None)
    try:
        return getattr(whereabouts(path, {}), what)
    except ConfigError:
        return None


def _curl(url: str, token_file: Path) -> str:
    event = '{{"type": "{type}", "severity": "{severity}", "message": "Run 18 failed"}}'.format_map(EVENT)
    return (
        f'curl -sS -H "Authorization: Bearer $(cat {shlex.quote(str(token_file))})" '
        f"-H 'Content-Type: application/json' -d '{event}' {url}/api/v1/events"
    )


def program() -> str:
    """How to call this program again: by its name if any shell finds it, else by its path from here.

    A virtual environment's own folder does not count: it is on the path only where it was activated.
    """
    here = Path(os.path.abspath(sys.argv[0]))  # noqa: PTH100 - a link to the program stays a link
    found = shutil.which("alertd")
    own = sys.prefix != sys.base_prefix and found is not None and Path(found).is_relative_to(sys.prefix)
    if found and not own and Path(found).resolve() == here.resolve():
        return "alertd"
    try:
        inside = str(here.relative_to(Path.cwd()))
    except ValueError:
        return shlex.quote(str(here))
    return shlex.quote(inside if os.sep in inside else f"./{inside}")
