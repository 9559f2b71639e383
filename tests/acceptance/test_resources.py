"""Acceptance: resources over the API of the real daemon. Live at once, there after a kill, and a file again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.daemon import BELOW, Daemon

if TYPE_CHECKING:
    from pathlib import Path

    from tests.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")

RUNS = {"name": "runs", "kind": "glob", "pattern": "run:*"}
TELL = {"name": "tell", "channels": ["runs"], "destinations": ["hook"], "min_severity": "error"}
SECRET = "a-secret-that-nobody-may-see"  # noqa: S105 - a test


async def make(daemon: Daemon, receiver: Receiver, path: str) -> None:
    """Make a route to the receiver over the API."""
    settings = {"url": receiver.url(path), "secret": SECRET}
    hook = {"name": "hook", "type": "webhook", "settings": settings}
    for collection, document in (("channels", RUNS), ("destinations", hook), ("subscriptions", TELL)):
        reply = await daemon.post(f"{BELOW}/{collection}", document)
        assert reply.status == 201, reply.body


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    """Make a daemon without any resource of its own."""
    return Daemon(tmp_path, {"egress": {"allow": ["127.0.0.1"]}})


async def test_made_over_the_api_outlives_a_kill(daemon: Daemon, receiver: Receiver) -> None:
    """What was acknowledged delivers the next event, and after SIGKILL still does; no file holds the secret in clear."""
    async with daemon:
        await make(daemon, receiver, "/kept")
        await daemon.send({"type": "run:failed", "severity": "error"})
        first = await receiver.expect("/kept")
        await daemon.kill()
        files = b"".join(file.read_bytes() for file in daemon.database.parent.iterdir())
        assert SECRET.encode() not in files
        assert (daemon.database.parent / "secrets.key").stat().st_mode & 0o777 == 0o600
        await daemon.start()
        await daemon.send({"type": "run:failed", "severity": "error"})
        second = await receiver.expect("/kept", 2)
        assert all("webhook-signature" in post.headers for post in (*first, *second))
    assert SECRET not in daemon.tail(100_000)


async def test_an_export_runs_and_exports_the_same(daemon: Daemon, receiver: Receiver) -> None:
    """The exported file, run on the same store, delivers with the same secrets, and its export is the same bytes."""
    async with daemon:
        await make(daemon, receiver, "/exported")
        first = await daemon.post(f"{BELOW}/export")
        assert SECRET.encode() not in first.body
        exported: dict[str, Any] = yaml.safe_load(first.body)
        daemon.configure({"egress": {"allow": ["127.0.0.1"]}, **exported})
        reply = await daemon.post("/-/reload")
        assert reply.status == 200, reply.body
        second = await daemon.post(f"{BELOW}/export")
        assert second.body == first.body
        await daemon.restart()
        assert (await daemon.post(f"{BELOW}/export")).body == first.body
        shown = await daemon.get("destinations/hook")
        assert (shown["provisioned"], shown["settings"]["secret"]) == (True, "***")
        await daemon.send({"type": "run:failed", "severity": "error"})
        (post,) = await receiver.expect("/exported")
        assert "webhook-signature" in post.headers


async def test_a_reload_may_not_take_what_is_used(tmp_path: Path, receiver: Receiver) -> None:
    """A file that no longer holds what a resource of the API refers to is refused whole, and names both."""
    file = {"workspaces": [{"name": "default", "channels": [RUNS], "destinations": [{"name": "hook", "type": "null"}]}]}
    daemon = Daemon(tmp_path, file)
    async with daemon:
        assert (await daemon.post(f"{BELOW}/subscriptions", TELL)).status == 201
        daemon.configure({})
        reply = await daemon.post("/-/reload")
        assert reply.status == 422
        assert b"runs" in reply.body
        assert b"tell" in reply.body
        await daemon.send({"type": "run:failed", "severity": "error", "id": "still"})
        await daemon.wait_state("still", "delivered")


async def test_a_workspace_that_is_removed_takes_nothing_more(daemon: Daemon) -> None:
    """Its tokens may send no longer, nobody else may name it, and no restart is needed for either; all others go on."""
    async with daemon:
        assert (await daemon.post("/api/v1/workspaces", {"name": "lab"})).status == 201
        made = await daemon.post("/api/v1/workspaces/lab/tokens", {"name": "probe", "role": "intake"})
        secret = made.json["value"]
        await daemon.send({"type": "t"}, token=secret)
        await daemon.send({"type": "t", "workspace": "lab"})
        assert (await daemon.call("DELETE", "/api/v1/workspaces/lab?cascade=true")).status == 204
        assert (await daemon.offer({"type": "t"}, token=secret)).status in (401, 403)
        reply = await daemon.offer({"type": "t", "workspace": "lab"})
        assert (reply.status, reply.pointers) == (422, ["/workspace"])
        await daemon.send({"type": "t"})
