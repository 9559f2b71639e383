"""What aiokafka is told."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from alertd.intake.kafka.options import KafkaOptions, Topic
from alertd.model.kafka_security import KafkaSecurity

OPTIONS = KafkaOptions(("a:1",), {"t": Topic()})


def test_positions_are_never_moved_behind_our_back() -> None:
    """Aiokafka neither commits nor resets by itself, and aborted transactions are not read."""
    found = OPTIONS.arguments()

    assert found["enable_auto_commit"] is False
    assert found["auto_offset_reset"] == "none"
    assert found["isolation_level"] == "read_committed"


def test_versions_are_left_to_the_handshake() -> None:
    """`api_version` comes and goes with the client's versions; the broker tells what it speaks."""
    assert "api_version" not in OPTIONS.arguments()


def test_a_request_outlasts_a_rebalance() -> None:
    """A request time-out below the rebalance's would give up each join before it is done, for ever."""
    found = KafkaOptions(("a:1",), {"t": Topic()}, rebalance_timeout_seconds=30, request_timeout_seconds=5).arguments()

    assert found["request_timeout_ms"] > found["rebalance_timeout_ms"]


def test_secrets_are_not_shown() -> None:
    """No password is in a representation."""
    security = KafkaSecurity(password=SecretStr("pass-word"), key_password=SecretStr("key-word"))
    shown = repr(KafkaOptions(("a:1",), {}, security=security))

    assert "pass-word" not in shown
    assert "key-word" not in shown


@pytest.mark.parametrize("setting", ["ca_file", "cert_file", "key_file"])
def test_only_files_are_read(setting: str) -> None:
    """A pipe or a device may never come to an end, and everybody would wait for it."""
    files = {"cert_file": "/nonexistent"} | {setting: "/dev/null"}
    options = KafkaOptions(("a:1",), {}, security=KafkaSecurity.model_validate({"protocol": "SSL", **files}))
    with pytest.raises(OSError, match=f"security.{setting} /dev/null: not a file"):
        options.arguments()
