"""How commands talk to a running daemon: its HTTP interface, found and authorised as the README says."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import orjson

from alertd.api.bootstrap import FILE_NAME
from alertd.cli.options import fail, find_config
from alertd.config.load import load_config
from alertd.config.settings import Config
from alertd.errors import AlertdError, ConfigError

T = TypeVar("T")
CONNECT_SECONDS = 5


class RefusedError(AlertdError):
    """The daemon refused; the message is its own."""


class Client:
    """A session with one daemon."""

    def __init__(self, base_url: str, token: str, session: aiohttp.ClientSession) -> None:
        self.base_url = base_url
        self._session = session
        self._headers = {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Make one call and return its JSON. Raises RefusedError with the daemon's own words."""
        data = None if body is None else orjson.dumps(body)
        return await self.send(method, path, data, "application/json")

    async def send(self, method: str, path: str, data: bytes | None, content_type: str) -> Any:
        """Send raw bytes and return the answer's JSON. Raises RefusedError."""
        headers = {**self._headers, "Content-Type": content_type} if data is not None else self._headers
        async with self._session.request(method, self.base_url + path, data=data, headers=headers) as answer:
            raw = await answer.read()
            if answer.status >= 400:  # noqa: PLR2004 - HTTP errors begin here
                raise RefusedError(refusal(answer.status, raw))
            return orjson.loads(raw) if raw else None

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
        """Listen to server-sent events: (event, data) pairs until the daemon ends. Raises RefusedError."""
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS)
        async with self._session.get(self.base_url + path, headers=self._headers, timeout=timeout) as answer:
            if answer.status >= 400:  # noqa: PLR2004 - HTTP errors begin here
                raise RefusedError(refusal(answer.status, await answer.read()))
            yield _events(answer.content)


async def _events(lines: aiohttp.StreamReader) -> AsyncIterator[tuple[str, Any]]:
    kind = "message"
    while line := await lines.readline():
        field, _, value = line.rstrip(b"\r\n").partition(b": ")
        if field == b"event":
            kind = value.decode()
        elif field == b"data":
            yield kind, orjson.loads(value)


def refusal(status: int, raw: bytes) -> str:
    """Turn a problem document into lines for people."""
    try:
        problem = orjson.loads(raw)
        lines = [f"{problem['title']} ({status}): {problem['detail']}"]
        lines += [f"  {e['pointer'] or '(whole)'}: {e['detail']}" for e in problem.get("errors", [])]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status}: {raw[:200].decode('utf-8', 'replace')}"
    return "\n".join(lines)


def with_client(url: str | None, config: Path | None, work: Callable[[Client], Awaitable[T]]) -> T:
    """Run something against the daemon; ends the program with 1 and a sentence when it cannot."""
    base_url, token = find_server(url, config)
    try:
        return asyncio.run(_with_session(base_url, token, work))
    except RefusedError as error:
        fail(str(error))
    except aiohttp.ClientConnectionError as error:
        fail(f"cannot reach {base_url}: {error}. Is the daemon running? (alertd run, or make run)")
    except TimeoutError:
        fail(f"{base_url} did not answer in time")
    except KeyboardInterrupt:
        raise SystemExit(130) from None


async def _with_session(base_url: str, token: str, work: Callable[[Client], Awaitable[T]]) -> T:
    timeout = aiohttp.ClientTimeout(total=60, connect=CONNECT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        return await work(Client(base_url, token, session))


def find_server(url: str | None, config_path: Path | None) -> tuple[str, str]:
    """Return the base URL and the token: `--url`, ALERTD_URL or the configuration; ALERTD_TOKEN or admin.token."""
    url = url or os.environ.get("ALERTD_URL")
    token = os.environ.get("ALERTD_TOKEN")
    if url and token:
        return url.rstrip("/"), token
    config = read_config(config_path)
    if not url:
        server = config.server
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104 - only compared
        url = f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"
    return url.rstrip("/"), token or _token_file(config)


def _token_file(config: Config) -> str:
    file = config.store.path.with_name(FILE_NAME)
    try:
        return file.read_text().strip()
    except OSError as error:
        fail(f"no token: set ALERTD_TOKEN, or let me read {file} ({error.strerror})")


def read_config(path: Path | None) -> Config:
    """Load the configuration; ends the program with 1 and all problems when it is broken."""
    try:
        return load_config(find_config(path), os.environ)
    except ConfigError as error:
        fail("the configuration cannot be used:\n" + "\n".join(map(str, error.problems)))
