"""Why no answer came through aiohttp, in words that a person can act on. Pure: errors in, one SendError out."""

from __future__ import annotations

import ssl
from http import HTTPStatus

import aiohttp

from alertd.destinations.base import SendError
from alertd.destinations.faults import (
    LOST,
    NO_ANSWER,
    UNSENDABLE,
    EgressRefusedError,
    no_http,
    os_reason,
    refused,
    refuses_certificate,
    short,
    unconnected,
    unresolved,
)

PROXY_LOGIN = "the proxy wants a login: it answered 407 (egress.proxy)"


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
    return PROXY_LOGIN if wants_login else f"the proxy answered {error.status}: {short(error.message)}"


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
        case aiohttp.ClientOSError() if error.errno is None and not isinstance(error, ssl.SSLError):
            return LOST  # its own words repeat the URL, in which there may be a secret
        case OSError():
            return os_reason(error)
        case _:
            return LOST


def _os_error(error: Exception) -> BaseException:
    certificate = isinstance(error, aiohttp.ClientConnectorCertificateError)  # the one that has no os_error
    return error.os_error if isinstance(error, aiohttp.ClientConnectorError) and not certificate else error
