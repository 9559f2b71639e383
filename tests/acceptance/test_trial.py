"""Test sends: what they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.daemon import BELOW, Daemon

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_test_shows_the_request_without_secrets(tmp_path: Path) -> None:
    """What was sent stands in the answer of a test, but for the secrets in it."""
    async with Daemon(tmp_path, {"egress": {"allow": ["127.0.0.1"]}}) as daemon:
        settings = {
            "url": "http://127.0.0.1:9/hook",
            "secret": "planted-secret-1",
            "headers": {"Authorization": "Bearer planted-secret-2"},
            "query": {"k": "planted-secret-3"},
        }
        reply = await daemon.post(f"{BELOW}/destinations", {"name": "hook", "type": "webhook", "settings": settings})
        assert reply.status == 201, reply.body
        reply = await daemon.post(f"{BELOW}/destinations/hook/test")
        assert (reply.json["outcome"], reply.json["status"]) == ("retry_later", None)
        request = reply.json["request"]
        assert request["target"] == "POST http://127.0.0.1:9/[redacted]?k=[redacted]"
        assert request["headers"]["Authorization"] == "[redacted]"
        assert '"type":"alertd.test"' in request["body"]
        assert b"planted-secret" not in reply.body
