"""Providers that tell everything back: whatever they hear, secrets too, stands in what they answer, in every way to answer.

What an HTTP request asks for is in its body or path: `mode-400` is answered with the status, `mode-reset` and so on as below.
"""

from __future__ import annotations

import asyncio
import base64
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ANSWER_MAX: Final = 1024
"""Bytes of an answer that are kept, so that what lies across this border is cut."""
MODES: Final = ("200", "302", "400", "404", "429", "500", "cut", "headers", "garbage", "reset", "hang", "410")

_SECRET: Final = re.compile(rb"(?:[\w:.-]*[G-Zg-z_:.-])?(?<![0-9a-f])(?:[0-9a-f]{24}|[0-9a-f]{32})(?![0-9a-f])")
"""What planted secrets look like, with what may stand before them in the same word."""
_MODE: Final = re.compile(rb"mode-([a-z0-9]+)")


@asynccontextmanager
async def echoing() -> AsyncIterator[tuple[int, int]]:
    """Run both; give the ports of the HTTP provider and of the mail server."""
    http = await asyncio.start_server(_http, "127.0.0.1", 0)
    mail = await asyncio.start_server(_mail, "127.0.0.1", 0)
    try:
        yield http.sockets[0].getsockname()[1], mail.sockets[0].getsockname()[1]
    finally:
        for server in (http, mail):
            server.close()
            await server.wait_closed()


async def _http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        heard = head + (await reader.readexactly(int(length[1])) if length else b"")
        found = _MODE.search(heard)
        mode = found[1].decode() if found else "200"
        if mode == "hang":
            await reader.read()
        else:
            await _answer(mode, heard, writer)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # whoever gave up has what it wanted
    finally:
        writer.close()


async def _answer(mode: str, heard: bytes, writer: asyncio.StreamWriter) -> None:
    said = heard + b"\r\n" + unquote_to_bytes(heard) + b"\r\n" + base64.b64encode(heard)
    flat = b" ".join(said.split())
    match mode:
        case "reset":
            writer.transport.abort()
        case "garbage":
            writer.write(b"HTTP/1.1 " + flat[:4000] + b"\r\n\r\n")
        case "headers":
            told = b"\r\n".join(b"%b: %b" % (name, flat[:3000]) for name in (b"Retry-After", b"X-Told", b"Location"))
            writer.write(b"HTTP/1.1 400 %b\r\n%b\r\nContent-Length: 0\r\n\r\n" % (flat[:1000], told))
        case "cut":
            writer.write(b"HTTP/1.1 400 No\r\nContent-Length: 4096\r\n\r\n" + _across(heard))
        case _:
            status = int(mode)
            moved = b"Location: http://127.0.0.1/?%b\r\n" % flat[:1000] if status == 302 else b""
            writer.write(
                b"HTTP/1.1 %d Told\r\n%bRetry-After: 0\r\nContent-Length: %d\r\n\r\n%b"
                % (status, moved, len(said), said)
            )
    await writer.drain()


def _across(heard: bytes) -> bytes:
    """Let a secret lie across the border of what is kept: the first word of what was heard that looks like one."""
    found = _SECRET.search(heard)
    word = found[0] if found else b""
    return (b"." * (ANSWER_MAX - len(word) // 2) + word).ljust(4096, b".")


async def _mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        writer.write(b"220 told ESMTP\r\n")
        while line := await reader.readline():
            match line[:4].upper():
                case b"EHLO":
                    writer.write(b"250-told\r\n250 AUTH PLAIN\r\n")
                case b"AUTH":
                    word = line.split()[-1]
                    writer.write(b"535 no: %b, which is %b\r\n" % (word, base64.b64decode(word).replace(b"\0", b" ")))
                case _:
                    writer.write(b"221 bye\r\n")
    except ConnectionError:
        pass  # it has left
    finally:
        writer.close()
