"""How a webhook's request says whose it is: the headers that name, date and sign it. Pure, keyed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from alertd.destinations.signing import (
    Ed25519Signer,
    Signer,
    Signers,
    parse_key,
    parse_private_key,
    plain_signature,
)
from alertd.destinations.webhook_settings import HUB_HEADER

if TYPE_CHECKING:
    from pydantic import SecretStr

    from alertd.destinations.signing import Signing
    from alertd.destinations.webhook_settings import WebhookSettings

RUSTRAK: Final = "X-Rustrak-"


class Seal(Protocol):
    """Puts headers on a request."""

    def put(self, headers: dict[str, str], message_id: str, now_seconds: int, body: bytes) -> None:
        """Add them; `message_id` is the same on every attempt, `body` what is signed."""


class StandardSeal:
    """`webhook-id`, `webhook-timestamp` and, with a key, `webhook-signature`."""

    def __init__(self, signing: Signing | None) -> None:
        self._signing = signing

    def put(self, headers: dict[str, str], message_id: str, now_seconds: int, body: bytes) -> None:
        """Add them."""
        headers["webhook-id"] = message_id
        headers["webhook-timestamp"] = str(now_seconds)
        if self._signing is not None:
            headers["webhook-signature"] = self._signing.sign(message_id, now_seconds, body)


class HeaderSeal:
    """`webhook-id`, `webhook-timestamp` and a signature in a header of another name."""

    def __init__(self, key: bytes | None, name: str, prefix: str, encoding: str, *, dated: bool) -> None:
        self._key = key
        self._name = name
        self._prefix = prefix
        self._encoding = encoding
        self._dated = dated

    def put(self, headers: dict[str, str], message_id: str, now_seconds: int, body: bytes) -> None:
        """Add them."""
        headers["webhook-id"] = message_id
        headers["webhook-timestamp"] = str(now_seconds)
        if self._key is not None:
            signed = _dated(now_seconds, body) if self._dated else body
            headers[self._name] = self._prefix + plain_signature(self._key, signed, self._encoding)


class RustrakSeal:
    """Rustrak's `X-Rustrak-Timestamp`, `X-Rustrak-Request-ID` and `X-Rustrak-Signature`."""

    def __init__(self, key: bytes | None, *, dated: bool) -> None:
        self._key = key
        self._dated = dated

    def put(self, headers: dict[str, str], message_id: str, now_seconds: int, body: bytes) -> None:
        """Add them."""
        headers[f"{RUSTRAK}Timestamp"] = str(now_seconds)
        headers[f"{RUSTRAK}Request-ID"] = message_id
        if self._key is not None:
            signed = _dated(now_seconds, body) if self._dated else body
            headers[f"{RUSTRAK}Signature"] = f"sha256={plain_signature(self._key, signed)}"


def seal_of(settings: WebhookSettings) -> Seal:
    """Choose the seal."""
    dated = settings.signed == "ts_body"
    if settings.format == "rustrak":
        return RustrakSeal(
            None if settings.secret is None else settings.secret.get_secret_value().encode(), dated=dated
        )
    if settings.signature == "standard":
        return StandardSeal(signing_of(settings))
    key = None if settings.secret is None else parse_key(settings.secret.get_secret_value())
    if settings.signature == "hub":
        return HeaderSeal(key, HUB_HEADER, "sha256=", "hex", dated=False)
    name = settings.signature_header or ""
    return HeaderSeal(key, name, settings.signature_prefix, settings.signature_encoding, dated=dated)


def signing_of(settings: WebhookSettings) -> Signing | None:
    """Choose what signs as Standard Webhooks demands; None: nothing does."""
    present = _signings(settings.secret, settings.private_key)
    former = _signings(settings.previous_secret, settings.previous_private_key)
    if len(present) + len(former) < 2:  # noqa: PLR2004 - one alone needs no joining
        return next(iter((*present, *former)), None)
    until = settings.previous_until
    return Signers(present, former, None if until is None else until.timestamp())


def _signings(secret: SecretStr | None, private_key: SecretStr | None) -> list[Signing]:
    found: list[Signing] = []
    if secret is not None:
        found.append(Signer(parse_key(secret.get_secret_value())))
    if private_key is not None:
        found.append(Ed25519Signer(parse_private_key(private_key.get_secret_value())))
    return found


def _dated(now_seconds: int, body: bytes) -> bytes:
    return f"{now_seconds}.".encode() + body
