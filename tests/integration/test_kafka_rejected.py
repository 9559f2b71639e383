"""A record that could not be read, tried again: the real daemon, a real broker, and the setting that was wrong."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from tests.daemon import BELOW, Daemon, eventually, route, workspace
from tests.kafka_lab import Feeder, fresh_group

if TYPE_CHECKING:
    from pathlib import Path

    from tests.broker import Broker

HEADERS = [("ce_specversion", b"1.0"), ("ce_id", b"b-1"), ("ce_source", b"/shop"), ("ce_type", b"order.sent")]
VALUE = b'{"n": 1}'


def config(address: str, topic: str, form: str) -> dict[str, Any]:
    """Configure a daemon that reads a topic in a format, and sends all of it to nowhere."""
    kafka = {
        "bootstrap_servers": [address],
        "group_id": fresh_group(),
        "topics": [{"name": topic, "format": form}],
    }
    return {
        "intake": {"kafka": kafka},
        "workspaces": [workspace([{"name": "off", "type": "null"}], [route("all", "*", "off")])],
    }


async def test_a_record_is_read_after_its_format_was_put_right(kafka: Broker, topic: str, tmp_path: Path) -> None:
    """It is kept with bytes and headers, stays while its format is wrong, and after a reload becomes a delivered event."""
    async with Daemon(tmp_path, config(kafka.bootstrap, topic, "native")) as daemon, Feeder(kafka) as feeder:
        await feeder.send_values(topic, [(VALUE, 0)], headers=HEADERS)

        async def listed() -> list[dict[str, Any]]:
            items: list[dict[str, Any]] = (await daemon.get("/api/v1/rejected"))["items"]
            return items

        (item,) = await eventually(listed, "the record to be rejected")
        path = f"/api/v1/rejected/{item['id']}"
        (said,) = await daemon.wait_log("kafka.rejected")
        told = {name: said[name] for name in ("level", "topic", "offset", "records", "reason")}
        assert told == {"level": "warning", "topic": topic, "offset": 0, "records": 1, "reason": item["reason"]}
        whole = await daemon.get(path)
        assert (item["topic"], item["offset"], base64.b64decode(whole["bytes_base64"])) == (topic, 0, VALUE)
        assert [(each["name"], base64.b64decode(each["value_base64"])) for each in whole["headers"]] == HEADERS

        assert (await daemon.post(f"{path}/replay")).status == 422
        assert await daemon.get(path) == whole

        daemon.configure(config(kafka.bootstrap, topic, "cloudevents"))
        assert (await daemon.post("/-/reload")).status == 200
        reply = await daemon.post(f"{path}/replay")
        assert (reply.status, reply.json["result"], reply.json["event_id"]) == (200, "accepted", "/shop#b-1")
        assert reply.json["origin"]["id"] == item["id"]
        await daemon.wait_state("%2Fshop%23b-1", "delivered")
        assert await listed() == []


async def test_the_bounds_of_events_follow_a_reload(kafka: Broker, topic: str, tmp_path: Path) -> None:
    """What is larger than the configuration permits now is rejected, with the reason, by the consumer that runs already."""
    given = config(kafka.bootstrap, topic, "native")
    large = b'{"type": "large", "id": "%d", "message": "' + b"x" * 500 + b'"}'
    async with Daemon(tmp_path, given) as daemon, Feeder(kafka) as feeder:
        await feeder.send_values(topic, [(large % 1, 0)])

        async def stored() -> bool:
            return (await daemon.call("GET", f"{BELOW}/events/1")).status == 200

        await eventually(stored, "the first record to be read")
        daemon.configure({**given, "intake": {**given["intake"], "http": {"max_event_bytes": 200}}})
        assert (await daemon.post("/-/reload")).status == 200
        await feeder.send_values(topic, [(large % 2, 0)])

        async def listed() -> list[dict[str, Any]]:
            items: list[dict[str, Any]] = (await daemon.get("/api/v1/rejected"))["items"]
            return items

        (item,) = await eventually(listed, "the record to be rejected")
        assert (item["offset"], "200 bytes" in item["reason"]) == (1, True), item["reason"]
