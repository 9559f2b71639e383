"""The signature of Sentry's webhooks."""

from __future__ import annotations

import json
from hashlib import sha256
from hmac import new

import orjson
import pytest

from alertd.sources.sentry_signature import is_signed, sign
from tests.unit.sources.sentry_samples import ERROR, alert

SECRET = "my-client-secret"  # noqa: S105 - the secret of a published example
BODY = b'{"action":"test","installation":{"uuid":"test"}}'
VECTOR = "0287263fa501cb8bc1923b342faf46f3ed59d0251f2f9e276011a0840a322d79"


def test_the_known_vector() -> None:
    """Secret, body and signature that were computed elsewhere agree."""
    assert sign(SECRET, BODY) == VECTOR
    assert is_signed(SECRET, BODY, VECTOR)
    assert is_signed(SECRET, BODY, f" {VECTOR} ")


def test_it_is_a_plain_hmac() -> None:
    """It is the HMAC-SHA256 under the secret's UTF-8 bytes, whatever the body holds."""
    for secret, body in (("ключ", b"\x00\xff"), ("", b""), ("k" * 1000, b"{}")):
        assert sign(secret, body) == new(secret.encode(), body, sha256).hexdigest()


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        " ",
        "0",
        VECTOR[:-1],
        VECTOR + "0",
        VECTOR.upper(),
        f"sha256={VECTOR}",
        "ü" * 64,
        "\udcff" * 64,
        "0" * 64,
    ],
)
def test_what_is_no_signature(signature: str | None) -> None:
    """A missing, short, long, decorated or garbled signature is wrong, and raises nothing."""
    assert not is_signed(SECRET, BODY, signature)


def test_each_byte_counts() -> None:
    """A body that differs in any one byte is not signed."""
    for place in range(len(BODY)):
        changed = bytearray(BODY)
        changed[place] ^= 1
        assert not is_signed(SECRET, bytes(changed), VECTOR)


def test_another_secret() -> None:
    """A signature under another secret is wrong."""
    assert not is_signed(SECRET + " ", BODY, VECTOR)
    assert not is_signed("", BODY, VECTOR)


def test_a_body_that_was_written_anew_is_not_signed() -> None:
    """What Sentry signs are its bytes: compact and ASCII. The same JSON in other bytes has another signature."""
    value = alert(title="Zahlung für Müller fehlgeschlagen", timestamp=1566248777.0)
    wire = json.dumps(value, separators=(",", ":")).encode()
    signature = sign(SECRET, wire)
    assert is_signed(SECRET, wire, signature)
    for anew in (orjson.dumps(orjson.loads(wire)), json.dumps(json.loads(wire)).encode()):
        assert orjson.loads(anew) == orjson.loads(wire)
        assert not is_signed(SECRET, anew, signature)
    assert ERROR["title"] != value["data"]["event"]["title"]


def test_a_replay_is_signed_still() -> None:
    """The signature covers no time: it is right again, and it is the event's id that keeps a replay from doing harm."""
    assert is_signed(SECRET, BODY, VECTOR)
    assert is_signed(SECRET, BODY, VECTOR)
