"""Acceptance: alertd tells of itself, where somebody listens, and its heart beats while events are stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.daemon import Daemon, hook, route, workspace
from tests.receiver import status

if TYPE_CHECKING:
    from pathlib import Path

    from tests.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")


def config(receiver: Receiver, name: str, **more: Any) -> dict[str, Any]:
    """Tell of alertd itself at one path, of everything else at another."""
    hooks = [hook("ops", receiver.url(f"/{name}-ops")), hook("work", receiver.url(f"/{name}-work"))]
    routes = [route("self", "alertd.*", "ops"), route("all", "*", "work")]
    retry = {"initial_seconds": 0.02, "max_seconds": 0.05, "jitter": "none", "max_attempts": 3}
    return {
        "delivery": {"retry": retry, "breaker": {"failures": 3, "cool_seconds": 60}},
        "workspaces": [workspace(hooks, routes)],
        **more,
    }


async def told(receiver: Receiver, path: str, kind: str) -> dict[str, Any]:
    """Wait until a report of a type is received, and return its event."""

    def find() -> dict[str, Any] | None:
        for request in receiver.got(path):
            body = json.loads(request.body)
            if body["type"] == kind:
                found: dict[str, Any] = body["data"]["event"]
                return found
        return None

    await receiver.until(lambda: find() is not None, f"{kind} at {path}")
    event = find()
    assert event is not None
    return event


async def test_starts_and_crashes_are_told(tmp_path: Path, receiver: Receiver) -> None:
    """The start is told; after SIGKILL the next start tells of the crash with the last lines of the log, and no other does."""

    def kinds(kind: str) -> set[str]:
        bodies = [json.loads(request.body) for request in receiver.got("/crash-ops")]
        return {body["data"]["event"]["id"] for body in bodies if body["type"] == kind}

    async with Daemon(tmp_path, config(receiver, "crash")) as daemon:
        started = await told(receiver, "/crash-ops", "alertd.started")
        assert started["data"]["url"] == daemon.base_url
        await daemon.send("something")
        await receiver.expect("/crash-work")
        await daemon.kill()
        await daemon.start()
        crashed = await told(receiver, "/crash-ops", "alertd.crashed")
        assert crashed["severity"] == "critical"
        assert any("daemon.ready" in line for line in crashed["data"]["lines"])
        await daemon.stop()
        await daemon.start()
        await receiver.until(lambda: len(kinds("alertd.started")) == 3, "the third start")
        await daemon.stop()
        assert len(kinds("alertd.crashed")) == 1
        assert [r for r in receiver.got("/crash-work") if b"alertd." in r.body] == []


async def test_a_broken_destination_is_told_through_another(tmp_path: Path, receiver: Receiver) -> None:
    """Failing and dead, with the destination and the reason; a refused reload too."""
    receiver.script("/broken-work", then=status(503))
    async with Daemon(tmp_path, config(receiver, "broken")) as daemon:
        await daemon.send("something")
        failing = await told(receiver, "/broken-ops", "alertd.destination_failing")
        assert failing["data"]["destination"] == "work"
        dead = await told(receiver, "/broken-ops", "alertd.delivery_dead")
        assert "503" in dead["message"]
        daemon.configure("nonsense: [")
        assert (await daemon.post("/-/reload")).status == 422
        refused = await told(receiver, "/broken-ops", "alertd.reload_failed")
        assert refused["severity"] == "error"


async def test_without_a_listener_the_history_holds_only_what_was_sent(tmp_path: Path) -> None:
    """Where no channel is about alertd itself, its starts and ends leave nothing in the history."""
    async with Daemon(tmp_path, {}) as daemon:
        await daemon.kill()
        await daemon.start()
        await daemon.wait_log("about.only_logged", 2)
        assert (await daemon.get("events"))["items"] == []


async def test_the_heart_beats(tmp_path: Path, receiver: Receiver) -> None:
    """Requests reach the dead man's switch one after the other; no log line shows where it is."""
    beat = {"url": receiver.url("/switch/s3cr3t-token-1234567890"), "method": "POST", "interval_seconds": 0.05}
    async with Daemon(tmp_path, config(receiver, "beat", heartbeat=beat)) as daemon:
        await receiver.expect("/switch/s3cr3t-token-1234567890", 3)
        assert "s3cr3t-token" not in daemon.tail(100_000)
