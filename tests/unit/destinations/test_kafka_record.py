"""A delivery as a Kafka record, and the settings that shape it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from alertd.destinations.kafka_record import KEY_BYTES_MAX, record_of
from alertd.destinations.kafka_settings import RECORD_BYTES_MIN, SERVERS_MAX, KafkaSettings
from tests.conformance.messages import make_event, make_issue, make_message

GOOD: dict[str, Any] = {"bootstrap_servers": ["kafka-1:9092"], "topic": "alerts"}
SASL: dict[str, Any] = {"protocol": "SASL_SSL", "mechanism": "PLAIN", "username": "u", "password": "p"}


def settings(**changes: Any) -> KafkaSettings:
    """Validate settings."""
    return KafkaSettings.model_validate(GOOD | changes)


def places(**changes: Any) -> set[tuple[Any, ...]]:
    """Say where settings are wrong."""
    with pytest.raises(ValidationError) as caught:
        settings(**changes)
    return {error["loc"] for error in caught.value.errors(include_input=False)}


def test_alerts_about_one_problem_share_a_key() -> None:
    """Two alerts of one issue have the same key, those of another a different one."""
    first = record_of(make_message(event=make_event(message="a"), issue=make_issue()), settings())
    again = record_of(make_message(event=make_event(message="b"), issue=make_issue(), delivery_id="dlv_2"), settings())
    other = record_of(make_message(event=make_event(key="iss_7"), issue=make_issue(id="iss_7")), settings())
    assert first.key == again.key
    assert first.key != other.key


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("{{ event.project }}", b"shop"),
        ("{{ event.project }}/{{ event.environment }}", b"shop/prod"),
        ("fixed", b"fixed"),
        ("", None),
        ("{{ event.labels.team }}" * 200, (b"payments" * 200)[:KEY_BYTES_MAX]),
    ],
)
def test_a_key_of_ones_own(template: str, key: bytes | None) -> None:
    """A template makes the key; an empty one makes none."""
    assert record_of(make_message(event=make_event()), settings(key=template)).key == key


def test_a_key_that_cannot_be_made_gives_way() -> None:
    """Where the template fails the usual key keeps the order, and a header says why."""
    message = make_message(event=make_event())
    record = record_of(message, settings(key="{{ event.nothing }}"))
    assert record.key == record_of(message, settings()).key
    assert b"nothing" in dict(record.headers)["x-alertd-template-error"]


def test_headers_are_the_same_on_every_attempt() -> None:
    """The record of a repeat is the record itself."""
    assert record_of(make_message(attempt=1), settings()) == record_of(make_message(attempt=2), settings())


def test_cloudevents_structured() -> None:
    """Everything is in the value, and the content type says so."""
    record = record_of(make_message(event=make_event()), settings(format="cloudevents"))
    body = json.loads(record.value)
    assert (body["specversion"], body["id"], body["data"]["alert_id"]) == ("1.0", "dlv_0001", "alt_0001")
    assert dict(record.headers)["content-type"] == b"application/cloudevents+json; charset=UTF-8"


def test_cloudevents_binary() -> None:
    """The attributes are headers as the Kafka binding names them, in UTF-8; the value is the data."""
    message = make_message(event=make_event(project="Möbel"))
    record = record_of(message, settings(format="cloudevents", mode="binary"))
    headers = dict(record.headers)
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_id"] == b"dlv_0001"
    assert headers["ce_project"].decode() == "Möbel"
    assert headers["content-type"] == b"application/json"
    assert json.loads(record.value)["alert_id"] == "alt_0001"


@pytest.mark.parametrize("server", ["kafka-1:0", "::1:9092", "[::1:9092", "user@kafka:1", "127.1:9092", "a b:1"])
def test_a_broker_is_not_called_a_url(server: str) -> None:
    """What is expected is a broker's address, whatever is wrong with the one that is there."""
    with pytest.raises(ValidationError) as caught:
        settings(bootstrap_servers=[server])
    message = caught.value.errors(include_input=False)[0]["msg"]
    assert message.startswith("Value error, host:port, such as kafka-1:9092 or [2001:db8::1]:9092: ")
    assert "URL" not in message


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"bootstrap_servers": []}, ("bootstrap_servers",)),
        ({"bootstrap_servers": ["kafka-1"]}, ("bootstrap_servers", 0)),
        ({"bootstrap_servers": ["kafka-1:0"]}, ("bootstrap_servers", 0)),
        ({"bootstrap_servers": ["kafka-1:65536"]}, ("bootstrap_servers", 0)),
        ({"bootstrap_servers": ["a:1", "b b:1"]}, ("bootstrap_servers", 1)),
        ({"bootstrap_servers": ["user@kafka:1"]}, ("bootstrap_servers", 0)),
        ({"bootstrap_servers": ["2130706433:9092"]}, ("bootstrap_servers", 0)),
        ({"bootstrap_servers": ["a:1"] * (SERVERS_MAX + 1)}, ("bootstrap_servers",)),
        ({"topic": "a b"}, ("topic",)),
        ({"topic": ".."}, ("topic",)),
        ({"topic": "x" * 250}, ("topic",)),
        ({"key": "{{ event."}, ("key",)),
        ({"format": "avro"}, ("format",)),
        ({"max_record_bytes": RECORD_BYTES_MIN - 1}, ("max_record_bytes",)),
        ({"security": {"protocol": "SASL_SSL", "mechanism": "PLAIN", "username": "u"}}, ("security", "password")),
        ({"security": {"protocol": "SSL", "password": "p"}}, ("security", "password")),
        ({"security": {"ca_file": "/ca.pem"}}, ("security", "ca_file")),
        ({"security": {"protocol": "SSL", "key_file": "/key.pem"}}, ("security", "key_file")),
        ({"security": {"protocol": "SSL", "passwort": "p"}}, ("security", "passwort")),
        ({"security": SASL | {"mechanism": "GSSAPI"}}, ("security", "mechanism")),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], place: tuple[Any, ...]) -> None:
    """Each bad setting is an error at its own place."""
    assert place in places(**changes)


def test_all_that_a_protocol_needs_is_named_at_once() -> None:
    """A login that is missing whole is three errors, not one after the other."""
    assert places(security={"protocol": "SASL_PLAINTEXT"}) == {
        ("security", "mechanism"),
        ("security", "username"),
        ("security", "password"),
    }


@pytest.mark.parametrize("server", ["kafka-1:9092", "127.0.0.1:1", "[2001:db8::1]:9092", "a.b.example.com:65535"])
def test_addresses_of_every_form_are_taken(server: str) -> None:
    """Names and addresses, with a port."""
    assert settings(bootstrap_servers=[server], security=SASL).bootstrap_servers == (server,)
