"""The parts of the torture that change resources and the configuration while the daemon is killed.

What is found afterwards was acknowledged, or stands in the file.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.daemon import BELOW, Daemon, ended

if TYPE_CHECKING:
    import asyncio
    import random
    from collections.abc import Callable, Iterator

CHANNELS = 5
PAUSE_SECONDS = 0.01
RELOAD_SECONDS = 0.05
WIDER = "wider"
"""The route that only one of two configurations has; nothing ever takes it."""
GONE = ""
"""The title of a channel that is not there."""


class Changes:
    """Makes, changes and deletes channels without end, and remembers in which states each may now be.

    After an answer that is one state; after a call that was cut it may be the old one or the new one.
    """

    def __init__(self, daemon: Daemon, up: asyncio.Event, chance: random.Random) -> None:
        self._daemon = daemon
        self._up = up
        self._random = chance
        self._possible: dict[str, set[str]] = {f"c{n}": {GONE} for n in range(CHANNELS)}
        self._number = 0
        self.acknowledged = 0
        self.cut = 0
        self.problems: list[str] = []

    async def run_until(self, over: asyncio.Event) -> None:
        """Change one channel after the other until it is over."""
        while not await ended(over, PAUSE_SECONDS):
            await self._up.wait()
            name = self._random.choice(list(self._possible))
            try:
                await self._change(name)
            except (aiohttp.ClientError, OSError, TimeoutError):
                self.cut += 1

    async def _change(self, name: str) -> None:
        self._number += 1
        title = f"t{self._number}"
        if self._possible[name] == {GONE}:
            document = {"name": name, "title": title, "kind": "literal", "pattern": f"never.{name}"}
            await self._call("POST", f"{BELOW}/channels", name, title, 201, document)
        elif self._random.random() < 0.3:
            await self._call("DELETE", f"{BELOW}/channels/{name}", name, GONE, 204)
        else:
            await self._call("PATCH", f"{BELOW}/channels/{name}", name, title, 200, {"title": title})

    async def _call(self, method: str, path: str, name: str, title: str, status: int, body: Any = None) -> None:
        before = self._possible[name]
        self._possible[name] = before | {title}
        reply = await self._daemon.call(method, path, body, headers={"If-Match": "*"} if method == "PATCH" else {})
        if reply.status == status:
            self._possible[name] = {title}
            self.acknowledged += 1
        elif reply.status in (404, 409) and len(before) > 1:
            self._possible[name] = {GONE} if reply.status == 404 else before - {GONE}  # now it is known which it was
        elif reply.status == 503:
            self._possible[name] = before
        else:
            self.problems.append(f"{method} {path} answered {reply.status}: {reply.body!r}")

    async def reckon(self) -> Iterator[str]:
        """Compare what is there with what may be."""
        items = (await self._daemon.get("channels?limit=200"))["items"]
        there = {item["name"]: item["title"] for item in items}
        wrong = [
            f"the channel {name} is {there.get(name, GONE)!r}, not one of {sorted(possible)}"
            for name, possible in self._possible.items()
            if there.get(name, GONE) not in possible
        ]
        return iter([*self.problems, *wrong])


class Reloads:
    """Writes the configuration anew, with one more route or without it, and has it read, without end."""

    def __init__(self, daemon: Daemon, up: asyncio.Event, config: Callable[[bool], dict[str, Any]]) -> None:
        self._daemon = daemon
        self._up = up
        self._config = config
        self._wider = False
        self.acknowledged = 0
        self.problems: list[str] = []

    async def run_until(self, over: asyncio.Event) -> None:
        """Reload again and again until it is over; whatever was cut is read by the next start."""
        while not await ended(over, RELOAD_SECONDS):
            await self._up.wait()
            self._wider = not self._wider
            self._daemon.configure(self._config(self._wider))
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                reply = await self._daemon.call("POST", "/-/reload")
                self.acknowledged += reply.status == 200
                if reply.status not in (200, 503):
                    self.problems.append(f"a reload answered {reply.status}: {reply.body!r}")

    async def reckon(self) -> Iterator[str]:
        """Compare what decides with what the file says."""
        names = {item["name"] for item in (await self._daemon.get("subscriptions?limit=200"))["items"]}
        wrong = [] if (WIDER in names) is self._wider else [f"the route {WIDER} is not as the file has it"]
        return iter([*self.problems, *wrong])
