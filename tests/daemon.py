"""The whole daemon as its operator has it: a real `alertd run` in a folder of its own, steered by signals and HTTP.

`Daemon` starts it, learns its address from the first screen and its token from `state/admin.token`, and keeps every line
that it prints. It is no test double: nothing of alertd is imported here.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import inspect
import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

DEADLINE = 60.0
"""How long anything is waited for, in seconds."""
TICK_SECONDS = 0.02
"""How often something is looked at of which no event tells."""
PROGRAM = Path(sys.executable).with_name("alertd")
BELOW = "/api/v1/workspaces/default"
_PR_SET_PDEATHSIG = 1
_URL = re.compile(r"^alertd listens on (http://\S+)$")
_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the daemon answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def pointers(self) -> list[str]:
        """Where a problem document says that the body is wrong."""
        return [error["pointer"] for error in self.json["errors"]]


class Daemon:
    """One daemon and its folder. Everything here may be used from one event loop, and from none."""

    def __init__(self, folder: Path, config: Mapping[str, Any] | str = "", **environ: str) -> None:
        self.folder = folder
        self.environ = {**os.environ, **environ}
        self.config_file = folder / "alertd.yml"
        self.state = folder / "state"
        self.base_url = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.limits: Callable[[], None] = lambda: None
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._closed = True
        self._reader: threading.Thread | None = None
        self._session: aiohttp.ClientSession | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.configure(config)

    # -- its life -------------------------------------------------------------------------------------------------

    def configure(self, config: Mapping[str, Any] | str) -> None:
        """Write the configuration file: text as it is, a mapping with what a test needs laid under it."""
        if not isinstance(config, str):
            config = json.dumps(_with_defaults(config), indent=1)
        fresh = self.config_file.with_suffix(".new")
        fresh.write_text(config)
        fresh.replace(self.config_file)

    async def start(self) -> Self:
        """Start it and return when it listens. Raises AssertionError with its output when it does not."""
        self.launch()
        await self.wait_line(lambda line: _URL.match(line) is not None, "the first screen")
        self.base_url = next(found[1] for line in self.lines if (found := _URL.match(line)))
        return self

    def launch(self) -> None:
        """Start it and wait for nothing."""
        assert self.process is None
        self.lines = []
        self._closed = False
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [PROGRAM, "run", "--config", str(self.config_file)],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=self._in_child,  # noqa: PLW1509 - one libc call; the tests hold no lock that it needs
        )
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()

    def _in_child(self) -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        self.limits()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            for line in stream:
                with self._news:
                    self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._closed = True
            self._news.notify_all()

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    @property
    def memory_bytes(self) -> int:
        """How much of it is in memory."""
        assert self.process is not None
        with open(f"/proc/{self.process.pid}/statm") as stream:  # noqa: PTH123 - no file on a disk
            return int(stream.read().split()[1]) * 4096

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    async def wait_exit(self, seconds: float = DEADLINE) -> int:
        """Wait until the process has ended and all that it said is here; return its exit code."""
        process, reader = self.process, self._reader
        assert process is not None
        assert reader is not None
        try:
            code = await asyncio.to_thread(process.wait, seconds)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            raise AssertionError(f"the daemon did not end within {seconds} s:\n{self.tail()}") from None
        await asyncio.to_thread(reader.join)
        self.process = None
        return code

    async def stop(self) -> int:
        """Ask it to end (SIGTERM) and return its exit code."""
        self.signal(signal.SIGTERM)
        return await self.wait_exit()

    async def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        await self.wait_exit()

    async def restart(self) -> None:
        """Kill it and start it again on the same folder."""
        await self.kill()
        await self.start()

    async def close(self) -> None:
        """Leave nothing behind."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self.process is not None:
            if self.process.poll() is None:
                self.signal(signal.SIGKILL)
            await self.wait_exit()

    # -- what it says ---------------------------------------------------------------------------------------------

    def log(self, event: str | None = None) -> list[dict[str, Any]]:
        """Return its log lines, or those of one event."""
        found = []
        for line in list(self.lines):
            if line.startswith("{"):
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    if event in (None, entry.get("event")):
                        found.append(entry)
        return found

    def tail(self, count: int = 40) -> str:
        """Return its last lines, for messages."""
        return "\n".join(self.lines[-count:])

    async def wait_line(self, matches: Callable[[str], bool], what: str, seconds: float = DEADLINE) -> None:
        """Wait until it printed a line like that. Raises AssertionError when it ends or the time is over."""

        def wait() -> bool:
            with self._news:
                self._news.wait_for(lambda: self._closed or any(map(matches, self.lines)), seconds)
                return any(map(matches, self.lines))

        if not await asyncio.to_thread(wait):
            why = ", and it has ended" if self._closed else f" in {seconds} s"
            raise AssertionError(f"no sign of {what}{why}:\n{self.tail()}")

    async def wait_log(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until it logged an event so many times, and return the entries."""
        mark = f'"{event}"'

        def wait() -> None:
            with self._news:
                self._news.wait_for(
                    lambda: self._closed or sum(mark in line for line in self.lines) >= count, timeout=DEADLINE
                )

        await asyncio.to_thread(wait)
        found = self.log(event)
        assert len(found) >= count, f"{event} was logged {len(found)} times:\n{self.tail()}"
        return found

    # -- what it answers ------------------------------------------------------------------------------------------

    @property
    def token(self) -> str:
        """The first token."""
        return (self.state / "admin.token").read_text().strip()

    @property
    def database(self) -> Path:
        """The store's file."""
        return self.state / "alertd.db"

    @property
    def session(self) -> aiohttp.ClientSession:
        """An HTTP session of this event loop."""
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60))
        return self._session

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Make one request. `token` None: the first token, "": none at all; a `body` that is no bytes is sent as JSON."""
        sent = {**self._authorization(token), **(headers or {})}
        if body is not None and not isinstance(body, bytes) and not hasattr(body, "__aiter__"):
            body = json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        url = path if path.startswith("http") else self.base_url + path
        async with self.session.request(method, url, data=body, headers=sent) as answer:
            return Reply(answer.status, {k.lower(): v for k, v in answer.headers.items()}, await answer.read())

    def _authorization(self, token: str | None) -> dict[str, str]:
        token = self.token if token is None else token
        return {"Authorization": f"Bearer {token}"} if token else {}

    async def get(self, path: str, **options: Any) -> Any:
        """Return the JSON at a path; a path without a leading slash is below the default workspace."""
        reply = await self.call("GET", path if path.startswith("/") else f"{BELOW}/{path}", **options)
        assert reply.status == 200, (reply.status, reply.body)
        return reply.json

    async def post(self, path: str, body: Any = None, **options: Any) -> Reply:
        """Post to a path; one without a leading slash is below the default workspace."""
        return await self.call("POST", path if path.startswith("/") else f"{BELOW}/{path}", body, **options)

    async def send(self, *events: Mapping[str, Any] | str, **options: Any) -> list[str]:
        """Send events (a text is a type) and return their ids; they must be accepted."""
        reply = await self.offer(*events, **options)
        assert reply.status == 202, (reply.status, reply.body)
        ids: list[str] = reply.json["ids"]
        return ids

    async def offer(self, *events: Mapping[str, Any] | str, **options: Any) -> Reply:
        """Send events and return whatever the answer is; one event as an object, more as an array."""
        made = [{"type": event} if isinstance(event, str) else event for event in events]
        return await self.call("POST", "/api/v1/events", made[0] if len(made) == 1 else made, **options)

    async def deliveries(self, event_id: str) -> list[dict[str, Any]]:
        """Return the deliveries of an event, with their attempts."""
        found: list[dict[str, Any]] = (await self.get(f"events/{event_id}"))["deliveries"]
        return found

    async def wait_state(self, event_id: str, state: str) -> dict[str, Any]:
        """Wait until the one delivery of an event is in a state, and return it."""
        found: list[dict[str, Any]] = []

        async def look() -> dict[str, Any] | None:
            found[:] = await self.deliveries(event_id)
            return found[0] if len(found) == 1 and found[0]["state"] == state else None

        try:
            return await eventually(look, f"the delivery of {event_id} to be {state}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {found}") from None

    async def metrics(self) -> dict[str, float]:
        """Return all samples, written as Prometheus writes them: `name{label="value"}`."""
        reply = await self.call("GET", "/metrics", token="")
        assert reply.status == 200
        found = {}
        for family in text_string_to_metric_families(reply.body.decode()):
            for sample in family.samples:
                labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
                found[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
        return found

    @contextlib.asynccontextmanager
    async def tail_stream(self) -> AsyncIterator[AsyncIterator[tuple[str, dict[str, Any]]]]:
        """Listen to the live stream: (kind, entry) pairs until the daemon ends."""
        url, headers = self.base_url + f"{BELOW}/deliveries/stream", self._authorization(None)
        async with self.session.get(url, headers=headers, timeout=aiohttp.ClientTimeout(sock_read=60)) as answer:
            assert answer.status == 200
            assert await answer.content.readline() == b": ready\n"
            yield _entries(answer.content)

    async def __aenter__(self) -> Self:
        """Start."""
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()


async def _entries(lines: aiohttp.StreamReader) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    kind = ""
    while line := await lines.readline():
        field, _, value = line.rstrip(b"\n").partition(b": ")
        if field == b"event":
            kind = value.decode()
        elif field == b"data":
            yield kind, json.loads(value)


async def eventually(look: Callable[[], Any], what: object, seconds: float = DEADLINE) -> Any:
    """Look again and again until what is seen is true, and return it: for what no event tells.

    `look` gives a value or an awaitable of one; `what` is waited for, in words or as something that finds them.
    """
    try:
        async with asyncio.timeout(seconds):
            while not (seen := await _given(look())):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(TICK_SECONDS)
    except TimeoutError:
        raise AssertionError(f"waited {seconds} s for {what() if callable(what) else what}") from None
    return seen


async def _given(seen: Any) -> Any:
    return await seen if inspect.isawaitable(seen) else seen


async def ended(end: asyncio.Event, seconds: float) -> bool:
    """Wait for an end, so many seconds at most, and tell whether it has come: the pace of what goes on until then."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await end.wait()
    return end.is_set()


def _with_defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a test's configuration over: a free port, a store in the folder, loopback allowed, JSON logs."""
    base: dict[str, Any] = {
        "server": {"listen": "127.0.0.1:0"},
        "store": {"url": "sqlite:///state/alertd.db"},
        "egress": {"allow": ["127.0.0.0/8"]},
        "log": {"format": "json"},
    }
    return {**base, **config}


def hook(name: str, url: str, *, secret: str | None = None, **options: Any) -> dict[str, Any]:
    """Configure a webhook destination."""
    settings = {"url": url} | ({"secret": secret} if secret else {})
    return {"name": name, "type": "webhook", "settings": settings, **options}


def route(name: str, pattern: str, *destinations: str, **options: Any) -> dict[str, Any]:
    """Configure a channel and the subscription that joins it to destinations; `add` them to a workspace."""
    return {
        "channel": {"name": name, "kind": "glob", "pattern": pattern},
        "subscription": {"name": name, "channels": [name], "destinations": list(destinations), **options},
    }


def workspace(
    destinations: list[dict[str, Any]], routes: list[dict[str, Any]], name: str = "default", **more: Any
) -> dict[str, Any]:
    """Configure a workspace."""
    return {
        "name": name,
        "destinations": destinations,
        "channels": [made["channel"] for made in routes],
        "subscriptions": [made["subscription"] for made in routes],
        **more,
    }
