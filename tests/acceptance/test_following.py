"""Acceptance: deliveries are followed and sent again while the daemon is killed, with nothing missing and nothing twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.daemon import BELOW, Daemon, eventually, hook, route, workspace
from tests.receiver import status

if TYPE_CHECKING:
    from pathlib import Path

    from tests.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONG = 150.0
"""How long a whole story may take, in seconds; the machine may be busy."""


def config_of(receiver: Receiver, name: str) -> dict[str, Any]:
    """Configure one hook for the types `<name>.*`."""
    retry = {"initial_seconds": 0.05, "max_seconds": 0.1, "jitter": "none", "max_attempts": 50}
    told = workspace([hook(name, receiver.url(f"/{name}"))], [route(name, f"{name}.*", name)])
    return {"delivery": {"retry": retry, "breaker": {"failures": 1000}}, "workspaces": [told]}


class Listener:
    """A client of the stream that comes back with the last id whenever it is cut off. `told` is all that it read."""

    def __init__(self, daemon: Daemon) -> None:
        self.told: list[tuple[str, str, dict[str, Any]]] = []
        self.connections = 0
        self.up = asyncio.Event()
        self._daemon = daemon
        self._last = ""

    async def listen(self) -> None:
        """Listen for ever, whenever the daemon is up."""
        while True:
            await self.up.wait()
            with contextlib.suppress(aiohttp.ClientError, ConnectionError):
                await self._once()

    async def _once(self) -> None:
        headers = {"Authorization": f"Bearer {self._daemon.token}"}
        if self._last:
            headers["Last-Event-ID"] = self._last
        url = f"{self._daemon.base_url}{BELOW}/deliveries/stream"
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
            assert answer.status == 200
            self.connections += 1
            kind = number = ""
            async for raw in answer.content:
                field, _, value = raw.decode().rstrip("\n").partition(": ")
                if field == "event":
                    kind = value
                elif field == "id":
                    self._last = number = value
                elif field == "data":
                    self.told.append((kind, number, json.loads(value)))


async def test_a_follower_hears_of_everything_once_though_the_daemon_is_killed(
    tmp_path: Path, receiver: Receiver
) -> None:
    """Killed three times in the middle: every verdict and every stored attempt is told exactly once, in one stream."""
    receiver.script("/kills", *[status(503), status(200)] * 20, then=status(200))
    names = [f"kills-{n}" for n in range(60)]
    async with asyncio.timeout(LONG), Daemon(tmp_path, config_of(receiver, "kills")) as daemon:
        listener = Listener(daemon)
        listener.up.set()
        listening = asyncio.create_task(listener.listen())
        await eventually(lambda: _value(listener.connections), "the stream")
        for start in range(0, len(names), 20):
            await daemon.send(*[{"type": "kills.x", "id": name} for name in names[start : start + 20]])
            await receiver.until(lambda start=start: len(receiver.got("/kills")) > start, "some deliveries")  # type: ignore[misc]  # a lambda's default has no type
            before = listener.connections
            listener.up.clear()
            await daemon.restart()
            listener.up.set()
            await eventually(lambda before=before: _value(listener.connections > before), "the stream again")  # type: ignore[misc]  # a lambda's default has no type
        found = await eventually(lambda: _in_state(daemon, "delivered", len(names)), "all to be delivered", LONG)
        stored = Counter((each["id"], attempt["number"]) for each in found for attempt in each["attempts"])

        def attempts() -> Counter[tuple[str, int]]:
            return Counter((i["delivery"], i["attempt"]) for kind, _, i in listener.told if kind == "delivery")

        await eventually(lambda: _value(len(attempts()) >= len(stored)), "every attempt to be told")
        listening.cancel()
        await asyncio.wait([listening])
    assert attempts() == stored
    verdicts = Counter(item["event_id"] for kind, _, item in listener.told if kind == "verdict")
    assert verdicts == Counter(names)
    assert len({number for _, number, _ in listener.told}) == len(listener.told)
    assert {kind for kind, _, _ in listener.told} == {"verdict", "delivery"}
    assert listener.connections >= 4


async def _value(found: object) -> object:
    return found


async def test_a_replay_goes_on_though_the_daemon_is_killed(tmp_path: Path, receiver: Receiver) -> None:
    """Killed in the middle of sending sixty again: after the restart the rest goes out, each origin exactly once."""
    receiver.script("/again", *[status(400)] * 60, then=status(200))
    names = [f"again-{n}" for n in range(60)]
    async with asyncio.timeout(LONG), Daemon(tmp_path, config_of(receiver, "again")) as daemon:
        await daemon.send(*[{"type": "again.x", "id": name} for name in names])
        await eventually(lambda: _in_state(daemon, "dead", len(names)), "all to be given up", LONG)
        body = {"filter": {"state": "dead", "destination": "again"}, "rate_per_second": 30}
        preview = await daemon.post("deliveries/replay", {**body, "dry_run": True})
        assert (preview.status, preview.json["count"]) == (200, 60)
        begun = await daemon.post("deliveries/replay", body)
        assert begun.status == 202
        await receiver.until(lambda: len(receiver.got("/again")) >= 70, "the replay to be under way")
        await daemon.kill()
        await daemon.start()

        async def ended() -> Any:
            now = await daemon.get(f"deliveries/replays/{begun.json['id']}")
            return now if now["state"] != "running" else None

        done = await eventually(ended, "the replay to end", LONG)
        assert (done["state"], done["replayed"], done["left_out"]) == ("done", 60, 0)
        await receiver.until(lambda: set(receiver.events("/again")[60:]) == set(names), "all of it")
        found = await eventually(lambda: _in_state(daemon, "delivered", len(names)), "all to be delivered", LONG)
        assert {each["replay_id"] for each in found} == {done["id"]}
        assert len({each["replay_of"] for each in found}) == len(names)
        assert {each["id"] for each in found} == {request.delivery_id for request in receiver.got("/again")[60:]}
        after = await daemon.post("deliveries/replay", {**body, "dry_run": True})
        assert (after.json["matched"], after.json["count"]) == (60, 0)


async def _in_state(daemon: Daemon, state: str, count: int) -> list[dict[str, Any]] | None:
    """Return all deliveries in a state, once there are so many."""
    found: list[dict[str, Any]] = (await daemon.get(f"deliveries?state={state}&limit=200"))["items"]
    return found if len(found) == count else None
