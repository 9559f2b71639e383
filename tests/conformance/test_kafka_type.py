"""The destination type `kafka`, held to its contract."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import orjson
import pytest
from typing_extensions import override

from alertd.destinations.kafka import KafkaType
from alertd.destinations.kafka_record import KEY_BYTES_MAX, record_of
from alertd.destinations.kafka_settings import KafkaSettings
from alertd.model.delivery import OutcomeKind
from tests.conformance.destination_suite import DestinationSuite, ScriptedSender, make_message

if TYPE_CHECKING:
    from alertd.destinations.base import Message


class TestKafka(DestinationSuite):
    """The type `kafka`."""

    kind = KafkaType()
    settings = {  # noqa: RUF012 - read only
        "bootstrap_servers": ["kafka-1.example.com:9092"],
        "topic": "alerts",
        "security": {
            "protocol": "SASL_SSL",
            "mechanism": "SCRAM-SHA-512",
            "username": "alertd",
            "password": "hunter2-hunter2",
        },
    }
    secrets = ("hunter2",)

    @override
    async def check(self, message: Message) -> None:
        """Whatever is said leaves as one record with a key, JSON, and the delivery's id; names that no UTF-8 holds do not."""
        settings = self.valid()
        assert isinstance(settings, KafkaSettings)
        for changes in ({}, {"format": "cloudevents"}, {"format": "cloudevents", "mode": "binary"}):
            try:
                record = record_of(message, settings.model_copy(update=changes))
            except orjson.JSONEncodeError:
                assert not _is_utf8(message.subscription)
                continue
            assert record.key
            assert len(record.key) <= KEY_BYTES_MAX
            assert dict(record.headers)["x-alertd-delivery"] == b"dlv_0001"
            for name, text in record.headers:
                assert name.isascii()
                text.decode("utf-8")
            record.value.decode("utf-8")
            if changes:
                json.loads(record.value)

    @pytest.mark.parametrize("kind", [OutcomeKind.REJECTED])
    async def test_a_world_without_connections_refuses(self, kind: OutcomeKind) -> None:
        """Every connection is asked of the world, which here makes none."""
        outcome = await self.attempt(ScriptedSender(), make_message())
        assert outcome.kind is kind
        assert "egress refused" in outcome.detail


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
