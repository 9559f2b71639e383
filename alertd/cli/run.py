"""`alertd run`: the daemon in the foreground."""

import gc
import os
import sys
from typing import TYPE_CHECKING

from alertd.cli.options import ConfigOption, fail, find_config

if TYPE_CHECKING:
    from alertd.api.bootstrap import Access
    from alertd.app.daemon import Foresight


def run(config: ConfigOption = None) -> None:
    """Run the daemon in the foreground, until SIGTERM or Ctrl-C.

    SIGHUP reads the configuration again. The first screen says where it listens and what to type next.
    """
    from alertd.cli.absent import absent

    gc.disable()  # what a start makes stays, and to look for garbage in it took a seventh; `calm_collector` begins to
    with absent("rich"):  # for tracebacks that no log of ours prints: a twenty-fifth of the start
        import structlog  # noqa: F401 - loaded while there is no rich

    from alertd.cli.welcome import EVENT, welcome
    from alertd.cli.whereabouts import broken
    from alertd.config.load import load_config
    from alertd.errors import AlertdError, CannotListenError, ConfigError

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

    def greet(url: str, access: "Access", prints: "Foresight") -> None:
        try:
            write_line(welcome(loaded.store.path, path, url, access, seen=prints(EVENT)))
        except (OSError, ValueError, AlertdError):
            return  # nobody reads stdout, or the event is none: no reason to end a daemon

    gc.freeze()
    try:
        uvloop.run(serve(Launch(path, dict(os.environ), greet, write_line), loaded))
    except CannotListenError as error:
        fail(
            f"cannot listen on {error}: {_reason(error.__cause__)} (server.listen, or ALERTD_SERVER__LISTEN, says where)"
        )
    except AlertdError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {_reason(error)}" if error.filename is not None else _reason(error))


def write_line(line: str) -> None:
    """Print one line at once, also when stdout is no terminal."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _reason(error: BaseException | None) -> str:
    """Say what the system said."""
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(getattr(error, "strerror", None) or error).lower()
