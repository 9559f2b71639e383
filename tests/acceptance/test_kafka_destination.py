"""Acceptance: a daemon whose alerts become records of a topic."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.broker import USERS, require
from tests.daemon import Daemon, route, workspace
from tests.kafka_fixtures import create_topic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.broker import Broker

DEADLINE = 60.0


async def values(broker: Broker, topic: str, count: int) -> list[dict[str, Any]]:
    """Read so many records from the beginning."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap)
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(DEADLINE), consumer:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [json.loads(record.value) for record in records]
    return found


async def test_alerts_become_records(tmp_path: Path, kafka: Broker, topic: str) -> None:
    """Every alert is in the topic, a test send says where it went, and the daemon ends with nothing left open."""
    require(kafka, "transactions")
    destination = {
        "name": "log",
        "type": "kafka",
        "settings": {"bootstrap_servers": [kafka.bootstrap], "topic": topic},
    }
    async with Daemon(tmp_path, {"workspaces": [workspace([destination], [route("all", "a.*", "log")])]}) as daemon:
        ids = await daemon.send(*[{"type": "a.b", "key": f"k{number % 5}"} for number in range(100)])
        for each in ids:
            await daemon.wait_state(each, "delivered")
        reply = await daemon.post("destinations/log/test")
        assert reply.status == 200, reply.body
        assert "offset 100" in json.dumps(reply.json)
        found = await values(kafka, topic, 101)
        assert {value["data"]["event"].get("id") for value in found[:100]} == set(ids)
        assert found[100]["data"]["test"] is True
        assert await daemon.stop() == 0
        assert not [line for line in daemon.log() if "nclosed" in json.dumps(line)]


async def test_a_destination_made_over_the_api(tmp_path: Path, kafka_secure: Broker) -> None:
    """Its password is sealed and never shown, a login that is refused disables it, and the right one delivers."""
    require(kafka_secure, "sasl")
    topic = await create_topic(kafka_secure.bootstrap)
    user, password = USERS["SCRAM-SHA-256"]
    security = {"protocol": "SASL_PLAINTEXT", "mechanism": "SCRAM-SHA-256", "username": user, "password": "wr0ng-wr0ng"}
    servers = [kafka_secure.listeners["sasl_plaintext"]]
    settings = {"bootstrap_servers": servers, "topic": topic, "security": security}
    async with Daemon(tmp_path, {"egress": {"allow": ["127.0.0.0/8"]}}) as daemon:
        made = await daemon.post("destinations", {"name": "log", "type": "kafka", "settings": settings})
        assert made.status == 201, made.body
        assert made.json["settings"]["security"]["password"] == "***"  # noqa: S105 - what stands for one
        refused = await daemon.post("destinations/log/test")
        assert "SaslAuthenticationFailed" in json.dumps(refused.json)
        assert b"wr0ng" not in daemon.database.read_bytes()
        bad = await daemon.post(
            "destinations",
            {"name": "bad", "type": "kafka", "settings": settings | {"security": {"protocol": "SASL_SSL"}}},
        )
        assert (bad.status, "/settings/security/password" in bad.pointers) == (422, True)
        patch = {"settings": {"security": {"password": password}}}
        changed = await daemon.call(
            "PATCH", "/api/v1/workspaces/default/destinations/log", patch, headers={"If-Match": "*"}
        )
        assert changed.status == 200, changed.body
        delivered = await daemon.post("destinations/log/test")
        assert "offset 0" in json.dumps(delivered.json), delivered.body
    assert len(await values(kafka_secure, topic, 1)) == 1
