"""Why no answer came, in words that a person can act on. Pure: errors in, one SendError out."""

from __future__ import annotations

import os
import socket
import ssl
from http import HTTPStatus

import aiohttp

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
PROXY_LOGIN = "the proxy wants a login: it answered 407 (egress.proxy)"
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
    return f"the answer is not HTTP: {_short(str(reason))}"


def os_reason(error: OSError) -> str:
    """Say what the system said."""
    if isinstance(error, ssl.SSLError):
        broke = CERTIFICATE_REFUSED if refuses_certificate(error) else "the TLS connection broke"
        return f"{broke}{_detail(error)}"
    if error.errno is None and isinstance(error, aiohttp.ClientOSError):
        return LOST  # its own words repeat the URL, in which there may be a secret
    if error.errno is None or isinstance(error, socket.gaierror):
        return _short(str(error)).lower() or LOST
    return os.strerror(error.errno).lower()


def send_error(error: Exception, timeout: aiohttp.ClientTimeout, *, written: bool) -> SendError:
    """Say what went wrong in aiohttp. `written`: the whole request was handed over, so it may have been processed."""
    cause = _os_error(error)
    if isinstance(cause, EgressRefusedError):
        return refused(cause)
    if isinstance(error, (aiohttp.InvalidURL, ValueError)) and not isinstance(error, OSError):
        return SendError(UNSENDABLE, refused=True)
    if isinstance(error, TimeoutError):
        return _timed_out(error, timeout, written=written)
    return _connecting(error) or _broken(error, written=written)


def _timed_out(error: Exception, timeout: aiohttp.ClientTimeout, *, written: bool) -> SendError:
    connecting = isinstance(error, aiohttp.ConnectionTimeoutError) and timeout.connect != timeout.total
    if connecting:
        return SendError(f"connecting timed out after {timeout.connect:g} s")
    return SendError(f"timed out after {timeout.total:g} s", ambiguous=written)


def _connecting(error: Exception) -> SendError | None:
    """Say why no connection was made, or None when there was one."""
    match error:
        case aiohttp.ClientHttpProxyError():
            return SendError(_no_tunnel(error))
        case aiohttp.ClientProxyConnectionError():
            return SendError(f"the proxy: {unconnected(error.os_error)}")
        case aiohttp.ClientConnectorCertificateError():
            return unconnected(error.certificate_error)
        case aiohttp.ClientConnectorDNSError():
            return unresolved(error.host, error.os_error)
        case aiohttp.ClientConnectorError():
            return unconnected(error.os_error)
        case _:
            return None


def _no_tunnel(error: aiohttp.ClientHttpProxyError) -> str:
    wants_login = error.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
    return PROXY_LOGIN if wants_login else f"the proxy answered {error.status}: {_short(error.message)}"


def _broken(error: Exception, *, written: bool) -> SendError:
    """Say how an open connection ended; aiohttp shows an error of TLS as one of the system's, and keeps it as the cause."""
    shown = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
    return SendError(_answering(shown), ambiguous=written and not refuses_certificate(shown))


def _answering(error: Exception) -> str:
    match error:
        case aiohttp.ClientResponseError():
            return no_http(error.message)
        case aiohttp.ServerDisconnectedError():
            return NO_ANSWER
        case OSError():
            return os_reason(error)
        case _:
            return LOST


def _os_error(error: Exception) -> BaseException:
    certificate = isinstance(error, aiohttp.ClientConnectorCertificateError)  # the one that has no os_error
    return error.os_error if isinstance(error, aiohttp.ClientConnectorError) and not certificate else error


def _detail(error: OSError) -> str:
    text = _short(str(error.strerror or (error.args[-1] if error.args else "")))
    return f" ({text})" if text else ""


def _certificate(error: Exception) -> str:
    return _short(str(getattr(error, "verify_message", "") or error))


def _short(text: str) -> str:
    """Keep the first line of foreign text, printable and of bounded length."""
    first = text.strip().partition("\n")[0]
    first = first if len(first) <= WORDS_MAX else f"{first[: WORDS_MAX - 1]}…"
    return "".join(c if c.isprintable() else "?" for c in first).rstrip(": ")
