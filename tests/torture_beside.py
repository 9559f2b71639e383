"""The parts of the torture that have a workspace of their own: envelopes of Sentry's SDKs, and a destination that is switched.

What was acknowledged was received, under one delivery id, and counted once; what came while the destination was off is seen to be so.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from tests.daemon import Daemon, ended, hook, route, workspace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from tests.receiver import Receiver, Request

SIDE: Final = "/api/v1/workspaces/side"
PAUSE_SECONDS: Final = 0.02
"""The pause between two switches, and before what was cut is tried again."""
PACE_SECONDS: Final = 0.004
"""The pause of an application between two envelopes."""
SENDERS: Final = 3
"""How many applications send envelopes."""
OFF: Final = "destination_disabled"


def side(receiver: Receiver) -> dict[str, Any]:
    """Configure the workspace: its errors go to one hook, its other events to one that is switched."""
    hooks = [hook("errors", receiver.url("/errors")), hook("switched", receiver.url("/switched"))]
    routes = [route("errors", "sentry.*", "errors"), route("switched", "switched", "switched")]
    return workspace(hooks, routes, name="side", projects=[{"name": "shop"}])


class Insistence:
    """Calls the daemon until it is told that it was done, however often it is killed over it."""

    def __init__(self, daemon: Daemon, up: asyncio.Event) -> None:
        self.daemon = daemon
        self._up = up
        self._never = asyncio.Event()
        self.problems: list[str] = []

    async def done(self, call: Callable[[], Awaitable[tuple[int, Any]]], status: int) -> Any:
        """Return what the answer holds that has this status; any other one than a refusal for now is a problem."""
        while True:
            await self._up.wait()
            try:
                found, said = await call()
            except (aiohttp.ClientError, OSError, TimeoutError):
                found, said = 503, ""
            if found == status:
                return said
            if found not in (429, 503):
                self.problems.append(f"instead of {status} the answer was {found}: {said!r}")
                return said
            await ended(self._never, PAUSE_SECONDS)

    async def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        """Post to a path until it is answered so."""

        async def call() -> tuple[int, Any]:
            reply = await self.daemon.call("POST", path, body)
            return reply.status, reply.json

        return await self.done(call, status)


class Envelopes:
    """Sends the errors of applications, each until it is taken."""

    def __init__(self, daemon: Daemon, up: asyncio.Event, receiver: Receiver) -> None:
        self._insist = Insistence(daemon, up)
        self._receiver = receiver
        self._number = 0
        self.taken: set[str] = set()

    async def run_until(self, over: asyncio.Event) -> None:
        """Send until it is over."""
        made = await self._insist.post(f"{SIDE}/projects/shop/keys", status=201)
        path = f"/sentry/api/{made['dsn'].rsplit('/', 1)[1]}/envelope/"
        auth = {"X-Sentry-Auth": f"Sentry sentry_key={made['public_key']}"}
        await asyncio.gather(*(self._send_on(path, auth, over) for _ in range(SENDERS)))

    async def _send_on(self, path: str, auth: dict[str, str], over: asyncio.Event) -> None:
        while not await ended(over, PACE_SECONDS):
            self._number += 1
            name = f"{self._number:032x}"
            body = b'{"event_id":"%s"}\n{"type":"event"}\n{"message":"it broke","level":"error"}' % name.encode()

            async def call(body: bytes = body) -> tuple[int, Any]:
                reply = await self._insist.daemon.call("POST", path, body, token="", headers=auth)
                return reply.status, reply.body

            await self._insist.done(call, 200)
            self.taken.add(name)

    async def reckon(self) -> Iterator[str]:
        """Compare what was received, and what the issues count, with what was taken."""
        problems = [*self._insist.problems, *_received(self._receiver.got("/errors"), self.taken)]
        issues = (await self._insist.daemon.get(f"{SIDE}/issues?limit=200"))["items"]
        if (counted := sum(issue["event_count"] for issue in issues)) != len(self.taken):
            problems.append(f"{len(self.taken)} envelopes are counted {counted} times in {len(issues)} issues")
        return iter(problems)


class Switches:
    """Switches a destination off and on, and sends an event in either state."""

    def __init__(self, daemon: Daemon, up: asyncio.Event, receiver: Receiver) -> None:
        self._insist = Insistence(daemon, up)
        self._receiver = receiver
        self.sent: dict[str, set[str]] = {"disable": set(), "enable": set()}

    async def run_until(self, over: asyncio.Event) -> None:
        """Go on until it is over; in the end the destination is on."""
        while not await ended(over, PAUSE_SECONDS):
            for action, sent in self.sent.items():
                await self._insist.post(f"{SIDE}/destinations/switched/{action}")
                name = f"{action}-{len(sent)}"
                event = {"type": "switched", "id": name, "workspace": "side"}
                await self._insist.post("/api/v1/events", event, status=202)
                sent.add(name)

    async def reckon(self) -> Iterator[str]:
        """Compare what was received with what was sent while it was on, and ask of the rest what was decided."""
        requests = self._receiver.got("/switched")
        problems = [*self._insist.problems, *_received(requests, self.sent["enable"])]
        for name in sorted(self.sent["disable"]):
            event = await self._insist.daemon.get(f"{SIDE}/events/{name}")
            verdicts = [each["verdict"] for each in event["verdicts"]]
            if verdicts != [OFF] or event["deliveries"]:
                problems.append(f"{name} came while the destination was off, and has {verdicts}")
        return iter(problems)


def _received(requests: Iterable[Request], sent: set[str]) -> Iterator[str]:
    named: dict[str, set[str]] = defaultdict(set)
    for request in requests:
        named[request.event["id"]].add(request.delivery_id)
    if named.keys() != sent:
        lost, strange = sorted(sent - named.keys()), sorted(named.keys() - sent)
        yield f"{len(lost)} were never received: {lost[:5]}; {len(strange)} should not have been: {strange[:5]}"
    if doubled := [name for name, ids in named.items() if len(ids) > 1]:
        yield f"{len(doubled)} were received under two delivery ids: {doubled[:5]}"
