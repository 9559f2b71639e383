"""What the configuration says reaches the part that it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alertd.app.translate import kafka_options, provisioned_tokens
from alertd.config.kafka import KafkaIntake, KafkaSecurity, KafkaTopic
from alertd.config.load import load_config
from alertd.config.settings import Config, Intake

if TYPE_CHECKING:
    from pathlib import Path

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
    "max_batch_bytes": 1_000_001,
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
    assert made.security == KafkaSecurity.model_validate(SECURITY)
    assert made.instance_id == "me"
    assert (made.topics["t"].format, made.topics["t"].workspace) == ("auto", "w")


def test_a_token_knows_where_it_is_written(tmp_path: Path) -> None:
    """Its file and line, also of one that is for all workspaces."""
    file = tmp_path / "alertd.yml"
    file.write_text(
        "tokens:\n"
        "  - {name: ci, role: intake, value: 0123456789abcdef}\n"
        "  - {name: root, role: admin, workspace: null, value: 123456789abcdef0}\n"
    )
    tokens = provisioned_tokens(load_config(file, {}))
    assert [(token.name, token.provisioned, token.origin) for token in tokens] == [
        ("ci", True, f"{file}:2"),
        ("root", True, f"{file}:3"),
    ]
