"""Signatures of requests: Standard Webhooks v1 (HMAC-SHA256) and v1a (ed25519), and a plain HMAC for headers of others.

Pure, and keyed once for many messages. Standard Webhooks signs `id.timestamp.body`.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY_PREFIX: Final = "whsec_"
KEY_BYTES_MIN: Final = 24
"""What Standard Webhooks asks of a key; a shorter one is taken, as receivers may have chosen it."""
PRIVATE_PREFIX: Final = "whsk_"
_BLOCK_BYTES: Final = 64
_SEED_BYTES: Final = 32
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


class Signing(Protocol):
    """What makes the value of `webhook-signature`."""

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str:
        """Sign; `timestamp` in seconds since 1970."""


def parse_key(secret: str) -> bytes:
    """Turn a secret into key bytes: base64 after `whsec_` (padding optional), else the text's UTF-8 bytes.

    Raises ValueError, which never repeats the secret.
    """
    key = _decoded(secret, KEY_PREFIX) if secret.startswith(KEY_PREFIX) else secret.encode()
    if not key:
        raise ValueError("a secret that is not empty")
    return key


def parse_private_key(text: str) -> bytes:
    """Turn `whsk_` and base64 into the 32 bytes of an ed25519 key; 64 are the same with the public key behind it.

    Raises ValueError, which never repeats the key.
    """
    if not text.startswith(PRIVATE_PREFIX):
        raise ValueError(f"a private key, which begins with {PRIVATE_PREFIX}")
    key = _decoded(text, PRIVATE_PREFIX)
    if len(key) not in {_SEED_BYTES, 2 * _SEED_BYTES}:
        raise ValueError("an ed25519 key of 32 bytes, or of 64 with its public key")
    if len(key) > _SEED_BYTES and Ed25519Signer(key[:_SEED_BYTES]).public_key != key[_SEED_BYTES:]:
        raise ValueError("an ed25519 key whose second half is the public key of the first")
    return key[:_SEED_BYTES]


def _decoded(secret: str, prefix: str) -> bytes:
    text = secret.removeprefix(prefix).rstrip("=")
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"base64 after {prefix}") from None


class Signer:
    """Signs messages with one key, as v1.

    HMAC is written out over two hashes that have taken the key in already: copying those costs less than keying anew
    (RFC 2104: H(key ^ opad, H(key ^ ipad, text))).
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        short = hashlib.sha256(key).digest() if len(key) > _BLOCK_BYTES else key
        block = short.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str:
        """Make the value of `webhook-signature`: `v1,` and base64. `timestamp` in seconds since 1970."""
        inner = self._inner.copy()
        inner.update(f"{message_id}.{timestamp}.".encode())
        inner.update(body)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return "v1," + binascii.b2a_base64(outer.digest(), newline=False).decode("ascii")


class Ed25519Signer:
    """Signs messages with one private key of 32 bytes, as v1a."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(key)

    @property
    def public_key(self) -> bytes:
        """The 32 bytes with which receivers verify."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str:
        """Make the value of `webhook-signature`: `v1a,` and base64. `timestamp` in seconds since 1970."""
        made = self._key.sign(f"{message_id}.{timestamp}.".encode() + body)
        return "v1a," + binascii.b2a_base64(made, newline=False).decode("ascii")


class Signers:
    """Signs with several keys: a receiver takes a request of which it can verify any signature.

    `former` are those of keys that were replaced; they sign up to `until` (seconds since 1970; None: without end).
    """

    __slots__ = ("_former", "_present", "_until")

    def __init__(self, present: Sequence[Signing], former: Sequence[Signing] = (), until: float | None = None) -> None:
        self._present = tuple(present)
        self._former = tuple(former)
        self._until = until

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str:
        """Make the value of `webhook-signature`: all of them, a space between."""
        old = self._former if self._until is None or timestamp < self._until else ()
        return " ".join(each.sign(message_id, timestamp, body) for each in (*self._present, *old))


def plain_signature(key: bytes, signed: bytes, encoding: str = "hex") -> str:
    """Make the HMAC-SHA256 of some bytes, written in hexadecimal, or in base64 (`base64`)."""
    made = hmac.digest(key, signed, "sha256")
    return made.hex() if encoding == "hex" else binascii.b2a_base64(made, newline=False).decode("ascii")
