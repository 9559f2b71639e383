"""Who a Sentry SDK says it is: the public key, in a header, in the query or in the envelope's DSN.

Any one is enough; several must agree. The key is no secret, it stands in every web page that uses it; so nothing here
is compared in constant time. A DSN is `PROTOCOL://KEY[:SECRET]@HOST[:PORT][PATH]/PROJECT`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from alertd.errors import AlertdError

KEY_MAX: Final = 128
"""Greatest length of a key, in characters."""
HEADER: Final = "X-Sentry-Auth"
"""The header that SDKs use."""
QUERY: Final = "sentry_key"
"""The parameter that browsers use, and the name of the key within the header."""

_SCHEME: Final = "sentry"
_RECENT: Final = 256


class SdkKeyError(AlertdError):
    """No key, or several that differ; HTTP answers 403."""


def key_of(header: str | None, authorization: str | None, query: str | None, dsn: str | None) -> str | None:
    """Return the public key of a request, None when nothing gives one. Raises `SdkKeyError` when two differ.

    Shapes: the values of `X-Sentry-Auth` and `Authorization`, of the query's `sentry_key`, and the envelope's DSN; each
    None when it is absent. An `Authorization` of another scheme gives none.
    """
    given = {key for key in (header_key(header), header_key(authorization), _plain(query), dsn_key(dsn)) if key}
    if len(given) > 1:
        raise SdkKeyError("the keys in header, query and DSN differ")
    return given.pop() if given else None


@lru_cache(_RECENT)
def header_key(text: str | None) -> str | None:
    """Return `sentry_key` of a header such as `Sentry sentry_version=7, sentry_key=…`; None when it has none."""
    if not text:
        return None
    scheme, _, rest = text.strip().partition(" ")
    if scheme.lower() != _SCHEME:
        return None
    for part in rest.split(","):
        name, _, value = part.partition("=")
        if name.strip().lower() == QUERY:
            return _plain(value.strip().strip('"'))
    return None


def dsn_key(dsn: str | None) -> str | None:
    """Return the public key of a DSN; None when it has none."""
    if not dsn:
        return None
    try:
        return _plain(urlsplit(dsn).username)
    except ValueError:
        return None


def _plain(key: str | None) -> str | None:
    return key if key and len(key) <= KEY_MAX else None
