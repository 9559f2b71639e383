"""libcurl's multi interface on asyncio, to be measured beside the senders. It guards nothing and is used nowhere else.

Handles and their connections are kept and used again. pycurl is the extra `bench`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pycurl

from alertd.destinations.base import HttpAnswer, SendError

if TYPE_CHECKING:
    from alertd.destinations.base import HttpRequest

IDLE_MAX = 256
"""Connections that libcurl keeps."""


class CurlSender:
    """Sends through libcurl on the running loop. `authority`: a PEM file that TLS trusts."""

    def __init__(self, authority: str) -> None:
        self._authority = authority
        self._loop = asyncio.get_running_loop()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, IDLE_MAX)
        self._timer: asyncio.TimerHandle | None = None
        self._idle: list[Any] = []
        self._waiting: dict[Any, asyncio.Future[None]] = {}

    async def send(self, request: HttpRequest, timeout_seconds: float) -> HttpAnswer:
        """Send and return the answer. Raises SendError."""
        handle = self._idle.pop() if self._idle else self._make()
        kept = bytearray()
        handle.setopt(pycurl.URL, request.url)
        handle.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in request.headers.items()])
        handle.setopt(pycurl.POSTFIELDS, request.body)
        handle.setopt(pycurl.TIMEOUT_MS, int(timeout_seconds * 1000))
        handle.setopt(pycurl.WRITEFUNCTION, kept.extend)
        self._waiting[handle] = done = self._loop.create_future()
        self._multi.add_handle(handle)
        try:
            await done
        finally:
            self._multi.remove_handle(handle)
            self._idle.append(handle)
        return HttpAnswer(handle.getinfo(pycurl.RESPONSE_CODE), {}, bytes(kept))

    async def close(self) -> None:
        """Let go of everything."""
        self._multi.close()

    def _make(self) -> Any:
        handle = pycurl.Curl()
        handle.setopt(pycurl.POST, 1)
        handle.setopt(pycurl.CAINFO, self._authority)
        handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.NOPROXY, "*")
        return handle

    def _watch(self, what: int, descriptor: int, multi: object, data: object) -> None:
        self._loop.remove_reader(descriptor)
        self._loop.remove_writer(descriptor)
        if what in {pycurl.POLL_IN, pycurl.POLL_INOUT}:
            self._loop.add_reader(descriptor, self._act, descriptor, pycurl.CSELECT_IN)
        if what in {pycurl.POLL_OUT, pycurl.POLL_INOUT}:
            self._loop.add_writer(descriptor, self._act, descriptor, pycurl.CSELECT_OUT)

    def _set_timer(self, milliseconds: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if milliseconds >= 0:
            self._timer = self._loop.call_later(milliseconds / 1000, self._act, pycurl.SOCKET_TIMEOUT, 0)

    def _act(self, descriptor: int, event: int) -> None:
        self._multi.socket_action(descriptor, event)
        while True:
            left, good, bad = self._multi.info_read()
            for handle in good:
                self._waiting.pop(handle).set_result(None)
            for handle, _, words in bad:
                self._waiting.pop(handle).set_exception(SendError(words))
            if not left:
                return
