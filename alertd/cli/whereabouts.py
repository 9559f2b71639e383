"""Where the daemon is and where its store is, read from the configuration without the rest of it.

A caller needs two settings, and none of the daemon's secrets: a configuration whose `${PASSWORD}` is set only for the
daemon still says where it listens. Whatever is unusual about the two is left to the true loader and its words.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import typer

from alertd.cli.options import fail, find_config

DEFAULT_LISTEN = "127.0.0.1:8080"
DEFAULT_STORE = "sqlite:///state/alertd.db"
TOKEN_FILE = "admin.token"  # noqa: S105 - a name; alertd.api.bootstrap writes it
_SQLITE = "sqlite:///"


class Whereabouts(NamedTuple):
    """The address that the daemon listens on, and its database."""

    host: str
    port: int
    store: Path

    @property
    def url(self) -> str:
        """How this machine reaches the daemon."""
        return reachable(self.host, self.port)

    @property
    def token_file(self) -> Path:
        """Where the first token is kept."""
        return self.store.with_name(TOKEN_FILE)


def reachable(host: str, port: int) -> str:
    """Write the URL for an address listened on; one that stands for all interfaces becomes loopback."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - only compared
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def whereabouts(path: Path | None, environ: Mapping[str, str]) -> Whereabouts:
    """Read the two settings. Raises ConfigError."""
    from alertd.config.network import split_address
    from alertd.config.references import UnresolvedError

    try:
        root = _root(path)
        listen = _setting(root, "server", "listen", environ, DEFAULT_LISTEN)
        store = _setting(root, "store", "url", environ, DEFAULT_STORE)
        host, port = split_address(listen)
        return Whereabouts(host, port, _file_of(store))
    except (ValueError, OSError, UnresolvedError):
        return _in_full(path, environ)


def _root(path: Path | None) -> Mapping[str, Any]:
    from alertd.config.lines import read_document

    if path is None:
        return {}
    root = read_document(path.read_text("utf-8-sig"), str(path)).root
    if root is not None and not isinstance(root, dict):
        raise ValueError("no mapping")
    return root or {}


def _setting(root: Mapping[str, Any], section: str, name: str, environ: Mapping[str, str], default: str) -> str:
    from alertd.config.references import References

    given = environ.get(f"ALERTD_{section}__{name}".upper())
    if given is not None:
        return given
    inner = root.get(section)
    if inner is None:
        return default
    value = inner.get(name, default) if isinstance(inner, dict) else None
    if not isinstance(value, str):
        raise ValueError(f"{section}.{name}")  # noqa: TRY004 - what is unusual is all the same here
    return References(environ, Path()).resolve(value, variables=True, files=False)


def _file_of(url: str) -> Path:
    head, found, file = url.partition(_SQLITE)
    if head or not found or not file:
        raise ValueError(url)
    return Path(file)


def _in_full(path: Path | None, environ: Mapping[str, str]) -> Whereabouts:
    from alertd.config.load import load_config

    config = load_config(path, environ)
    return Whereabouts(config.server.host, config.server.port, config.store.path)


def find_here(config: Path | None) -> Whereabouts:
    """Read the whereabouts as the command line says; ends the program with 1 and all problems when it cannot."""
    from alertd.errors import ConfigError

    try:
        return whereabouts(find_config(config), os.environ)
    except ConfigError as error:
        fail(broken(error))


def broken(error: Exception) -> str:
    """Write the problems of a configuration for people."""
    return f"the configuration cannot be used:\n{error}"


def find_server(url: str | None, config: Path | None, token_file: Path | None) -> tuple[str, str, str]:
    """Return the base URL, the token and where the token came from; ends the program when there is none."""
    given = url or os.environ.get("ALERTD_URL")
    base = _checked(given, "--url" if url else "ALERTD_URL") if given else None
    if token_file is not None:
        token, origin = _token_in(token_file), str(token_file)
    else:
        token, origin = os.environ.get("ALERTD_TOKEN", "").strip(), "ALERTD_TOKEN"
    if base and token:
        return base, _usable(token, origin), origin
    here = find_here(config)
    if not token:
        token, origin = _token_in(here.token_file), str(here.token_file)
    if base is None and here.port == 0:
        fail("the configuration lets the daemon take any free port: say which one with --url or ALERTD_URL")
    return base or here.url, _usable(token, origin), origin


def _checked(url: str, origin: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or not (url.isascii() and url.isprintable()) or " " in url or parts.query or parts.fragment:
        raise typer.BadParameter(
            f"{url!r} is not the address of a server, such as http://127.0.0.1:8080", param_hint=origin
        )
    return url.rstrip("/")


def _token_in(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        fail(
            f"there is no token: {file} cannot be read ({reason}). Set ALERTD_TOKEN, name a file with --token-file, "
            "or run this where the daemon was started"
        )


def _usable(token: str, origin: str) -> str:
    if not token or not (token.isascii() and token.isprintable()) or " " in token:
        fail(f"what {origin} holds is not a token")
    return token
