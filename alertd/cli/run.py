"""`alertd run`: the daemon in the foreground."""

import gc
import os
import sys
from typing import TYPE_CHECKING

from alertd.cli.options import ConfigOption, fail, find_config

if TYPE_CHECKING:
    from alertd.api.bootstrap import Access
    from alertd.config.settings import Config


def run(config: ConfigOption = None) -> None:
    """Run the daemon in the foreground, until SIGTERM or Ctrl-C.

    SIGHUP reads the configuration again. The first screen says where it listens and what to type next.
    """
    from alertd.cli.absent import absent

    gc.disable()  # what a start makes stays, and to look for garbage in it took a seventh; `calm_collector` begins to
    with absent("rich"):  # for tracebacks that no log of ours prints: a twenty-fifth of the start
        import structlog  # noqa: F401

    from alertd.cli.welcome import welcome
    from alertd.cli.whereabouts import broken
    from alertd.config.load import load_config
    from alertd.errors import AlertdError, ConfigError

    path = find_config(config)
    try:
        loaded = load_config(path, os.environ)
    except ConfigError as error:
        fail(broken(error))

    import uvloop

    from alertd.app.daemon import Launch, serve
    from alertd.log import configure_logging
    from alertd.runtime import share_heaps

    share_heaps()
    configure_logging(loaded.log.format, loaded.log.level)

    def greet(url: str, access: "Access") -> None:
        try:
            write_line(welcome(loaded.store.path, path, url, access))
        except (OSError, ValueError):
            return  # nobody reads stdout: no reason to end a daemon

    gc.freeze()
    try:
        uvloop.run(serve(Launch(path, dict(os.environ), greet, write_line), loaded))
    except AlertdError as error:
        fail(str(error))
    except OSError as error:
        fail(_reason(error, loaded))


def write_line(line: str) -> None:
    """Print one line at once, also when stdout is no terminal."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _reason(error: OSError, config: "Config") -> str:
    """Say what could not be had: a file that the error names, else the address."""
    if error.filename is not None:
        return f"{error.filename}: {(error.strerror or str(error)).lower()}"
    reason = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else error.strerror or str(error)
    return f"cannot listen on {config.server.listen}: {reason} (server.listen, or ALERTD_SERVER__LISTEN, says where)"
