"""Why no answer came, in words that a person can act on. Pure: aiohttp's errors in, one SendError out."""

from __future__ import annotations

import os
import socket

import aiohttp

from alertd.destinations.base import SendError


class EgressRefusedError(OSError):
    """The guard refuses an address. An OSError, so that the connector treats it as a failed connection."""


def send_error(error: Exception, timeout: aiohttp.ClientTimeout, *, written: bool) -> SendError:
    """Say what went wrong. `written`: the whole request was handed to the network, so it may have been processed."""
    refused = _refusal(error)
    if refused is not None:
        return SendError(refused, refused=True)
    if isinstance(error, TimeoutError):
        return _timed_out(error, timeout, written=written)
    return SendError(_connecting(error) or _answering(error), ambiguous=written)


def _refusal(error: Exception) -> str | None:
    """Say what no later attempt would change: the guard's refusal, or a request that HTTP cannot carry."""
    cause = _os_error(error)
    if isinstance(cause, EgressRefusedError):
        return f"egress refused: {cause}"
    if isinstance(error, (aiohttp.InvalidURL, ValueError)) and not isinstance(error, OSError):
        return "the request has a URL or a header that HTTP cannot carry"
    return None


def _timed_out(error: Exception, timeout: aiohttp.ClientTimeout, *, written: bool) -> SendError:
    connecting = isinstance(error, aiohttp.ConnectionTimeoutError) and timeout.connect != timeout.total
    if connecting:
        return SendError(f"connecting timed out after {timeout.connect:g} s")
    return SendError(f"timed out after {timeout.total:g} s", ambiguous=written)


def _connecting(error: Exception) -> str | None:
    """Say why no connection was made, or None when there was one."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"certificate verify failed: {_certificate(error.certificate_error)}"
        case aiohttp.ClientConnectorDNSError():
            return f"name does not resolve: {error.host}{_detail(error.os_error)}"
        case aiohttp.ClientConnectorSSLError():
            return f"TLS handshake failed{_detail(error.os_error)}"
        case aiohttp.ClientConnectorError():
            return _os_reason(error.os_error)
        case _:
            return None


def _answering(error: Exception) -> str:
    match error:
        case aiohttp.ClientResponseError():
            return f"the answer is not HTTP: {_short(error.message)}"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed without an answer"
        case OSError():
            return _os_reason(error)
        case _:
            return "the connection was lost"


def _os_error(error: Exception) -> BaseException:
    certificate = isinstance(error, aiohttp.ClientConnectorCertificateError)  # the one that has no os_error
    return error.os_error if isinstance(error, aiohttp.ClientConnectorError) and not certificate else error


def _os_reason(error: OSError) -> str:
    if error.errno is None or isinstance(error, socket.gaierror):
        return _short(str(error)).lower() or "the connection was lost"
    return os.strerror(error.errno).lower()


def _detail(error: OSError) -> str:
    text = _short(str(error.strerror or (error.args[-1] if error.args else "")))
    return f" ({text})" if text else ""


def _certificate(error: Exception) -> str:
    return _short(str(getattr(error, "verify_message", "") or error))


def _short(text: str) -> str:
    """Keep the first line of foreign text, printable and of bounded length."""
    first = text.strip().partition("\n")[0][:200]
    return "".join(c if c.isprintable() else "?" for c in first).rstrip(": ")
