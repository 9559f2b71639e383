"""The signature of Sentry's webhooks: `Sentry-Hook-Signature`, an HMAC-SHA256 of the raw body in small hexadecimal digits.

It covers the bytes of the body and nothing else, no header and no time: whoever has a request can send it again. That
it then does nothing twice is the business of the events' ids.
"""

from __future__ import annotations

import hmac
from typing import Final

HEADER: Final = "Sentry-Hook-Signature"
"""The header that carries it."""


def sign(secret: str, body: bytes) -> str:
    """Return the signature of a body as it is on the wire."""
    return hmac.digest(secret.encode(), body, "sha256").hex()


def is_signed(secret: str, body: bytes, signature: str | None) -> bool:
    """Tell whether a header's value is the signature of these bytes; in constant time, False for a missing one."""
    given = (signature or "").strip().encode("utf-8", "surrogateescape")
    return hmac.compare_digest(sign(secret, body).encode(), given)
