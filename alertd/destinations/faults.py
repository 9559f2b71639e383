"""Why no connection was made, or how it broke, in words that a person can act on. Pure."""

from __future__ import annotations

import os
import socket
import ssl

from alertd.destinations.base import SendError

WORDS_MAX = 200
"""Characters of foreign words in a reason."""
UNSENDABLE = "the request has a URL or a header that HTTP cannot carry"
CERTIFICATE_REFUSED = "the server refused the client certificate"
_ALERTS = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV1_ALERT_ACCESS_DENIED",
        "TLSV1_ALERT_UNKNOWN_CA",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    }
)
"""What a server says of the certificate that it was shown, or not shown (RFC 8446, 6.2), in OpenSSL's names."""
NO_ANSWER = "the connection was closed without an answer"
LOST = "the connection was lost"


class EgressRefusedError(OSError):
    """The guard refuses an address. An OSError, so that the connector treats it as a failed connection."""


def refused(error: EgressRefusedError) -> SendError:
    """Say what the guard refuses."""
    return SendError(f"egress refused: {error}", refused=True)


def unresolved(host: str, error: OSError) -> SendError:
    """Say that a name has no addresses."""
    return SendError(f"name does not resolve: {host}{_detail(error)}")


def unconnected(error: Exception) -> SendError:
    """Say why no connection was made."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return SendError(f"certificate verify failed: {_certificate(error)}")
    if isinstance(error, ssl.SSLError):
        failed = CERTIFICATE_REFUSED if refuses_certificate(error) else "TLS handshake failed"
        return SendError(f"{failed}{_detail(error)}")
    return SendError(os_reason(error) if isinstance(error, OSError) else LOST)


def refuses_certificate(error: BaseException | None) -> bool:
    """Say whether a server hung up because of our certificate: then it has read nothing of a request."""
    return isinstance(error, ssl.SSLError) and getattr(error, "reason", None) in _ALERTS


def no_http(reason: object) -> str:
    """Say that what came is no HTTP."""
    return f"the answer is not HTTP: {short(str(reason))}"


def os_reason(error: OSError) -> str:
    """Say what the system said."""
    if isinstance(error, ssl.SSLError):
        broke = CERTIFICATE_REFUSED if refuses_certificate(error) else "the TLS connection broke"
        return f"{broke}{_detail(error)}"
    if error.errno is None or isinstance(error, socket.gaierror):
        return short(str(error)).lower() or LOST
    return os.strerror(error.errno).lower()


def _detail(error: OSError) -> str:
    text = short(str(error.strerror or (error.args[-1] if error.args else "")))
    return f" ({text})" if text else ""


def _certificate(error: Exception) -> str:
    return short(str(getattr(error, "verify_message", "") or error))


def short(text: str) -> str:
    """Keep the first line of foreign text, printable and of bounded length."""
    first = text.strip().partition("\n")[0]
    first = first if len(first) <= WORDS_MAX else f"{first[: WORDS_MAX - 1]}…"
    return "".join(c if c.isprintable() else "?" for c in first).rstrip(": ")
