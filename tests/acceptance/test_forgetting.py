"""Acceptance: issues that nobody has heard of go at the next walk, through kills, and what comes again is new."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.daemon import BELOW, Daemon, eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")
AT_ONCE = 1e-9
"""Days that are no time at all."""
HURRIED = """
from alertd import forgetting, housekeeping

forgetting.WALK_SECONDS = housekeeping.RETAIN_SECONDS = 0
housekeeping.COUNT_SECONDS = housekeeping.ROUND_SECONDS = 0.05
"""
"""What Python runs before the daemon whose rounds follow one another without an hour between them."""


def error(key: str) -> dict[str, Any]:
    """Make an error of an issue."""
    data = {"event_id": "0" * 32, "title": f"KeyError: {key}", "level": "error"}
    return {
        "type": "sentry.error",
        "project": "shop",
        "environment": "prod",
        "severity": "error",
        "key": key,
        "data": data,
    }


async def issues(daemon: Daemon) -> list[tuple[str, int]]:
    """All issues, newest first."""
    return [(one["short_id"], one["event_count"]) for one in (await daemon.get(f"{BELOW}/issues"))["items"]]


async def test_a_kill_and_a_reload(tmp_path: Path) -> None:
    """Nothing goes before its time; with a shorter one the next walk takes all but what was decided, and counts it."""
    async with Daemon(tmp_path, {}) as daemon:
        await daemon.send(error("a"), error("b"), error("c"))
        await daemon.post(f"{BELOW}/issues/SHOP-2/mute")
        for incident in (await daemon.get(f"{BELOW}/incidents?state=open"))["items"]:
            await daemon.post(f"{BELOW}/incidents/{incident['id']}/resolve")
        await daemon.restart()
        assert len(await issues(daemon)) == 3
        await daemon.kill()
        daemon.configure({"store": {"issue_retention_days": AT_ONCE}})
        await daemon.start()
        (told,) = await daemon.wait_log("issues.forgotten")
        assert (told["issues"], told["incidents"], told["changes"]) == (2, 3, 0)
        assert await issues(daemon) == [("SHOP-2", 1)]
        assert (await daemon.metrics())["alertd_issues_forgotten_total"] == 2
        assert (await daemon.get(f"{BELOW}/incidents"))["items"] == []
        await daemon.send(error("a"), error("b"))
        assert await issues(daemon) == [("SHOP-4", 1), ("SHOP-2", 2)]
        assert len((await daemon.get(f"{BELOW}/events?type=sentry.error"))["items"]) == 5


async def test_another_retention_by_a_reload(tmp_path: Path) -> None:
    """It holds from the next round on, for issues and for the history each by itself, with nothing restarted."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(HURRIED)
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    async with Daemon(tmp_path / "daemon", {}, PYTHONPATH=path) as daemon:

        async def reload(**days: float) -> None:
            daemon.configure({"store": days})
            reply = await daemon.post("/-/reload")
            assert (reply.status, reply.json["restart_needed"]) == (200, [])

        async def errors() -> list[Any]:
            found: list[Any] = (await daemon.get(f"{BELOW}/events?type=sentry.error"))["items"]
            return found

        async def no_issues() -> bool:
            return not await issues(daemon)

        async def no_errors() -> bool:
            return not await errors()

        await daemon.send(error("a"), error("b"))
        for incident in (await daemon.get(f"{BELOW}/incidents?state=open"))["items"]:
            await daemon.post(f"{BELOW}/incidents/{incident['id']}/resolve")
        assert len(await issues(daemon)) == 2
        await reload(issue_retention_days=AT_ONCE)
        await eventually(no_issues, "the issues to be forgotten")
        assert len(await errors()) == 2
        await reload(retention_days=AT_ONCE)
        await eventually(no_errors, "the history to be deleted")
        await daemon.send(error("c"))
        assert len(await issues(daemon)) == 1
