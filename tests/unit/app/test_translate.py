"""What the configuration says reaches the part that it is for."""

from __future__ import annotations

from typing import Any

from alertd.app.translate import kafka_options, live_verdicts
from alertd.config.kafka import KafkaIntake, KafkaSecurity, KafkaTopic
from alertd.config.settings import Config, Intake
from alertd.engine.plan import Plan
from alertd.model.event import from_payload
from alertd.model.ids import first_of
from alertd.model.verdict import Verdict, VerdictCode

SECURITY = {
    "protocol": "SASL_SSL",
    "mechanism": "SCRAM-SHA-512",
    "username": "u",
    "password": "p",
    "ca_file": "ca",
    "cert_file": "cert",
    "key_file": "key",
    "key_password": "kp",
}
KAFKA: dict[str, Any] = {
    "bootstrap_servers": ["a:1", "b:2"],
    "group_id": "g",
    "session_timeout_seconds": 11,
    "heartbeat_seconds": 2,
    "rebalance_timeout_seconds": 31,
    "request_timeout_seconds": 61,
    "max_poll_records": 7,
    "max_poll_seconds": 301,
    "stall_seconds": 59,
    "offset_reset": "stop",
}
APART = {"security", "topics", "static_membership", "instance_id"}


def test_every_setting_of_kafka_reaches_the_consumer() -> None:
    """Each under its own name; a setting that is added and not passed on fails here."""
    assert KAFKA.keys() == KafkaIntake.model_fields.keys() - APART
    assert SECURITY.keys() == KafkaSecurity.model_fields.keys()
    topic = {"name": "t", "format": "auto", "workspace": "w"}
    assert topic.keys() == KafkaTopic.model_fields.keys()
    given = KafkaIntake.model_validate({**KAFKA, "security": SECURITY, "topics": [topic]})
    made = kafka_options(Config(intake=Intake(kafka=given)), "me")
    for name in KAFKA:
        assert getattr(made, name) == getattr(given, name), name
    for name, value in SECURITY.items():
        assert getattr(made.security, name) == value, name
    assert made.instance_id == "me"
    assert (made.topics["t"].format, made.topics["t"].workspace) == ("auto", "w")


def test_a_live_verdict_tells_when() -> None:
    """With the time of the event's arrival, which its number holds."""
    payload = b'{"id":"e","type":"t","workspace":"default","severity":"info","time":"2026-05-07T00:00:00Z","key":"t"}'
    verdict = Verdict(5, 6, VerdictCode.SEVERITY)
    plan = Plan(from_payload(payload), first_of(1_778_112_000_123), 1, True, [verdict], [], {})
    [entry] = live_verdicts(plan, {5: ("subscription", "default", "s")})
    assert (entry["at"], entry["subscription"], entry["reason"]) == ("2026-05-07T00:00:00.123Z", "s", "severity")
