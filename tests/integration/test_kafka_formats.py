"""What outside services send, as values of a real broker's records: each format of a topic, and all of them in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from tests.daemon import Daemon, eventually, route, workspace
from tests.kafka_lab import Feeder, fresh_group
from tests.unit.sources.sentry_samples import alert, issue
from tests.unit.sources.test_outside import GUID, INCIDENT, PUSH

if TYPE_CHECKING:
    from pathlib import Path

    from tests.broker import Broker
    from tests.kafka_fixtures import MakeTopic

SENT: dict[str, tuple[Any, list[tuple[str, bytes]], str]] = {
    "sentry": (issue("resolved"), [("Sentry-Hook-Resource", b"issue")], "sentry.issue.resolved"),
    "github": (PUSH, [("X-GitHub-Event", b"push"), ("X-GitHub-Delivery", GUID.encode())], "github.push"),
    "incidents": (INCIDENT, [], "incident.reported"),
    "native": ({"type": "run:failed"}, [], "run:failed"),
    "auto": (alert(), [], "sentry.error"),
}
"""By format: a value, its headers, and the type of its event."""
AGAIN: dict[str, tuple[Any, list[tuple[str, bytes]], str]] = {
    "sentry": (issue("assigned"), SENT["sentry"][1], "sentry.issue.assigned"),
    "github": (PUSH, [("X-GitHub-Event", b"push"), ("X-GitHub-Delivery", b"another")], "github.push"),
    "incidents": ({**INCIDENT, "message": "another"}, [], "incident.reported"),
    "native": ({"type": "run:failed"}, [], "run:failed"),
}
"""The same services once more, for the topic that all of them share."""
MADE = {"issue.new", "incident.opened", "incident.resolved"}
"""What alertd makes of these for whoever listens."""


async def test_each_format_of_a_topic(kafka: Broker, make_topic: MakeTopic, tmp_path: Path) -> None:
    """The daemon reads each topic as its format says, and one of `auto` whatever comes; an error is an issue's, a push a change."""
    topics = {form: await make_topic() for form in SENT}
    configured = {
        "intake": {
            "kafka": {
                "bootstrap_servers": [kafka.bootstrap],
                "group_id": fresh_group(),
                "topics": [{"name": name, "format": form} for form, name in topics.items()],
            }
        },
        "workspaces": [workspace([{"name": "off", "type": "null"}], [route("all", "*", "off")])],
    }
    wanted = sorted(kind for _, _, kind in (*SENT.values(), *AGAIN.values()))
    async with Feeder(kafka) as feeder, Daemon(tmp_path, configured) as daemon:
        for form, (value, headers, _) in SENT.items():
            await feeder.send_values(topics[form], [(orjson.dumps(value), 0)], headers=headers)
        for value, headers, _ in AGAIN.values():
            await feeder.send_values(topics["auto"], [(orjson.dumps(value), 0)], headers=headers)

        async def all_there() -> bool:
            found = (await daemon.get("events?limit=100"))["items"]
            return sorted(each["type"] for each in found if each["type"] not in MADE) == wanted

        await eventually(all_there, "an event of each record")
        assert [each["project"] for each in (await daemon.get("issues"))["items"]] == ["front-end"]
        assert (await daemon.get("/api/v1/rejected"))["items"] == []
