"""Test sends: what they answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.daemon import BELOW, Daemon
from tests.receiver import Receiver, status

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


async def test_a_test_is_an_incident_of_its_own(tmp_path: Path) -> None:
    """PagerDuty pages for each test anew, and no alert disappears in the incident that a test has opened."""
    async with Daemon(tmp_path, {"egress": {"allow": ["127.0.0.1"]}}) as daemon, Receiver() as receiver:
        receiver.script("/v2/enqueue", then=status(202, b'{"status":"success"}'))
        settings = {"routing_key": "0123456789abcdef0123456789abcdef", "api_url": receiver.url("")}
        await daemon.post(f"{BELOW}/destinations", {"name": "pager", "type": "pagerduty", "settings": settings})
        made = {"name": "runs", "channels": ["run:failed"], "destinations": ["pager"]}
        assert (await daemon.post(f"{BELOW}/subscriptions", made)).status == 201
        for _ in range(2):
            assert (await daemon.post(f"{BELOW}/destinations/pager/test")).json["outcome"] == "delivered"
            reply = await daemon.post(f"{BELOW}/subscriptions/runs/test", {"type": "run:failed"})
            assert reply.json["results"][0]["outcome"] == "delivered"
        assert (await daemon.post("/api/v1/events", {"type": "run:failed"})).status == 202
        sent = [json.loads(request.body) for request in await receiver.expect("/v2/enqueue", 5)]
        assert {each["event_action"] for each in sent} == {"trigger"}
        assert len({each["dedup_key"] for each in sent}) == 5
