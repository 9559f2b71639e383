"""aiohttp's errors in words."""

from __future__ import annotations

import errno
import socket
import ssl
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from alertd.destinations.egress_faults import send_error
from alertd.destinations.faults import EgressRefusedError

LIMITS = aiohttp.ClientTimeout(total=10, connect=5, sock_connect=5)
KEY: Any = SimpleNamespace(host="hook.example", port=443, is_ssl=True, ssl=True)
INFO: Any = SimpleNamespace(real_url="http://secret.example/token")


def _bad_certificate() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] ...")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(errno.ECONNREFUSED, "x")), "connection refused"),
        (aiohttp.ClientConnectorError(KEY, OSError(errno.EHOSTUNREACH, "x")), "no route to host"),
        (aiohttp.ClientConnectorError(KEY, OSError("Multiple exceptions: a, b")), "multiple exceptions: a, b"),
        (
            aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(socket.EAI_AGAIN, "Temporary failure")),
            "name does not resolve: hook.example (Temporary failure)",
        ),
        (aiohttp.ClientConnectorCertificateError(KEY, _bad_certificate()), "certificate verify failed: self-signed certificate"),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "[SSL] wrong version")), "TLS handshake failed ([SSL] wrong version)"),
        (aiohttp.ConnectionTimeoutError("x"), "connecting timed out after 5 s"),
        (aiohttp.ServerTimeoutError("x"), "timed out after 10 s"),
        (TimeoutError(), "timed out after 10 s"),
        (aiohttp.ServerDisconnectedError(), "the connection was closed without an answer"),
        (aiohttp.ClientOSError(errno.ECONNRESET, "x"), "connection reset by peer"),
        (aiohttp.ClientOSError(None, "Can not write request body for http://x.example/token"), "the connection was lost"),
        (aiohttp.ClientConnectionError("Connector is closed"), "the connection was lost"),
        (RuntimeError("File descriptor 7 is used by transport"), "the connection was lost"),
        (aiohttp.ClientResponseError(INFO, (), status=400, message="Bad\n\n  b'\\x1b'"), "the answer is not HTTP: Bad"),
    ],
)  # fmt: skip
def test_words(error: Exception, words: str) -> None:
    """Each failure is named in one line that tells neither the URL nor what the receiver sent beyond it."""
    made = send_error(error, LIMITS, written=False)
    assert (str(made), made.refused) == (words, False)


@pytest.mark.parametrize("error", [TimeoutError(), aiohttp.ServerDisconnectedError(), aiohttp.ClientOSError(104, "x")])
@pytest.mark.parametrize("written", [False, True])
def test_ambiguous_only_when_written(error: Exception, written: bool) -> None:
    """A request that was not handed over in full was not processed."""
    assert send_error(error, LIMITS, written=written).ambiguous is written


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ClientConnectorError(KEY, EgressRefusedError("10.0.0.5 is private")),
        aiohttp.ClientConnectorDNSError(KEY, EgressRefusedError("10.0.0.5 is private")),
        EgressRefusedError("10.0.0.5 is private"),
    ],
)
def test_refusal_is_kept_through_the_wrapping(error: Exception) -> None:
    """What the guard said is found wherever aiohttp wrapped it."""
    made = send_error(error, LIMITS, written=False)
    assert (str(made), made.refused) == ("egress refused: 10.0.0.5 is private", True)


@pytest.mark.parametrize("error", [ValueError("Newline in header: hunter2"), aiohttp.InvalidURL("http://hunter2/")])
def test_unsendable_request_is_refused_without_repeating_it(error: Exception) -> None:
    """A request that HTTP cannot carry is refused for good, and the reason does not repeat it."""
    made = send_error(error, LIMITS, written=False)
    assert made.refused
    assert "hunter2" not in str(made)
