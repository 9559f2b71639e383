"""Standard Webhooks signatures."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from alertd.destinations.signing import Signer, parse_key

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the specification's example


def test_published_vector() -> None:
    """The specification's example comes out as published."""
    signature = Signer(parse_key(SECRET)).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(key=st.binary(min_size=1, max_size=200), body=st.text(), timestamp=st.integers(0, 2**33))
def test_signs_as_the_library_does(key: bytes, body: str, timestamp: int) -> None:
    """For any key, short or longer than a block, the signature is the library's."""
    theirs = Webhook(key).sign("dlv_1", datetime.fromtimestamp(timestamp, UTC), body)
    assert Signer(key).sign("dlv_1", timestamp, body.encode()) == theirs


def test_one_signer_signs_many() -> None:
    """A signer is not changed by signing."""
    signer = Signer(b"key")
    assert signer.sign("a", 1, b"x") == signer.sign("a", 1, b"x") != signer.sign("b", 1, b"x")


@given(st.binary(min_size=1))
def test_prefixed_key_is_base64(key: bytes) -> None:
    """After the prefix a key is base64, padded or not."""
    text = base64.b64encode(key).decode()
    assert parse_key("whsec_" + text) == parse_key("whsec_" + text.rstrip("=")) == key


@pytest.mark.parametrize("text", ["plain", "wHsec_x", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "ü"])
def test_other_text_is_its_bytes(text: str) -> None:
    """Any other text stands for its UTF-8 bytes."""
    assert parse_key(text) == text.encode()


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_====", "whsec_a", "whsec_ü", "whsec_ab cd", "whsec_ab-_"])
def test_bad_key_is_refused_without_repeating_it(text: str) -> None:
    """An empty key or broken base64 is refused, and the error does not tell the secret."""
    with pytest.raises(ValueError, match=r"not empty|base64 after") as caught:
        parse_key(text)
    assert len(text) <= len("whsec_") or text not in str(caught.value)
