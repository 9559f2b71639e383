"""Acceptance: what a destination remembers of its provider outlives the daemon."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.daemon import Daemon, route, workspace
from tests.receiver import Receiver, status

if TYPE_CHECKING:
    from pathlib import Path

POSTED = b'{"ok":true,"channel":"C0123","ts":"1700000000.000100"}'


def _event(event_id: str, message: str, **more: Any) -> dict[str, Any]:
    return {"type": "run:failed", "id": event_id, "project": "shop", "key": "k", "message": message, **more}


async def test_a_slack_bot_edits_its_message_after_a_restart(tmp_path: Path) -> None:
    """Killed and started again, the daemon brings the message up to date that it had posted, and posts no second one."""
    async with Receiver() as slack:
        slack.script("/api/chat.postMessage", then=status(200, POSTED))
        slack.script("/api/chat.update", then=status(200, POSTED))
        settings = {"token": "xoxb-1", "channel": "C0123", "follow": "edit", "api_url": slack.url("/api")}
        bot = {"name": "bot", "type": "slack", "settings": settings}
        config = {"workspaces": [workspace([bot], [route("runs", "run:*", "bot")])]}
        async with Daemon(tmp_path, config) as daemon:
            await daemon.send(_event("e-1", "first", time="2026-05-07T00:00:00Z"))
            await slack.expect("/api/chat.postMessage")
            await daemon.wait_state("e-1", "delivered")
            await daemon.kill()
            await daemon.start()
            await daemon.send(_event("e-2", "second", time="2026-05-07T00:01:00Z"))
            await daemon.wait_state("e-2", "delivered")
        (edit,) = slack.got("/api/chat.update")
        assert json.loads(edit.body)["ts"] == "1700000000.000100"
        assert b"second" in edit.body
        assert len(slack.got("/api/chat.postMessage")) == 1
