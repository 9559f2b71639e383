"""Acceptance: the first alert of a project that nobody has defined."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.daemon import Daemon
from tests.receiver import status

if TYPE_CHECKING:
    from pathlib import Path

    from tests.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")


def configuration(url: str) -> dict[str, Any]:
    """Tell Rustrak's receiver of new issues, and try again soon."""
    hook = {"name": "hook", "type": "webhook", "settings": {"url": url, "format": "rustrak"}}
    own = {
        "name": "default",
        "channels": [{"name": "errors", "kind": "glob", "pattern": "sentry.*"}],
        "destinations": [hook | {"retry": {"initial_seconds": 0.02, "max_seconds": 0.1}}],
        "subscriptions": [{"name": "new", "channels": ["errors"], "destinations": ["hook"], "triggers": ["new"]}],
    }
    return {"workspaces": [own]}


def error(number: int, project: str) -> dict[str, Any]:
    """Make an error of a project."""
    data = {"event_id": f"{number:032x}", "title": f"KeyError: {number}", "level": "error"}
    return {"type": "sentry.error", "project": project, "key": f"k{number}", "severity": "error", "data": data}


async def test_rustrak_is_told_the_number_of_a_new_project(tmp_path: Path, receiver: Receiver) -> None:
    """From the first attempt on, so that the alert's id, which begins with it, is the same on every attempt."""
    receiver.script("/rustrak", status(503), then=status(204))
    async with Daemon(tmp_path, configuration(receiver.url("/rustrak"))) as daemon:
        assert (await daemon.post("/api/v1/events", [error(1, "shop"), error(2, "blog")])).status == 202
        bodies = [json.loads(each.body) for each in await receiver.expect("/rustrak", 3)]
        numbers = {name: (await daemon.get(f"projects/{name}"))["number"] for name in ("shop", "blog")}
        assert {each["project"]["slug"]: each["project"]["id"] for each in bodies} == numbers
        assert [*filter(None, numbers.values())] == [*numbers.values()]
        assert len({each["alert_id"] for each in bodies}) == 2
