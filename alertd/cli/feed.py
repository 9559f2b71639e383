"""Many events from a stream of lines: bodies within the intake's bounds, progress for people, the bad line's number.

Lines are sent as soon as no more wait to be read, so that a live pipe is not held up, and full bodies when they do.
"""

import http.client
import os
import re
import select
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from alertd.cli.client import Client, NotAlertdError, Refusal
from alertd.cli.options import note

CHUNK_LINES = 1000
CHUNK_BYTES = 512 * 1024
LINE_BYTES = 16 << 20
"""What is longer than this is no line of events."""
PATH = "/api/v1/events"
_TOO_LARGE = 413
_INDEX = re.compile(r"/(\d+)(?=/|$)")
_LINE = re.compile(r"line \d+: ")


class Chunk(NamedTuple):
    """Lines that follow each other; `first` is the number of the first one, from 1."""

    first: int
    lines: list[bytes]


class Feed:
    """Counts what was sent: `accepted` and `duplicates` of events, `lines` read and sent, blank ones among them."""

    def __init__(self) -> None:
        self.accepted = 0
        self.duplicates = 0
        self.lines = 0

    def send(self, client: Client, source: BinaryIO) -> None:
        """Send all lines. Raises Refusal that names the line, and what the client raises."""
        with progress(source) as advance:
            for chunk in chunks(source):
                with _told(chunk):
                    self._send(client, chunk)
                advance(sum(map(len, chunk.lines)), self.accepted + self.duplicates)

    def _send(self, client: Client, chunk: Chunk) -> None:
        try:
            answer = client.send(
                "POST", PATH, b"".join(chunk.lines), "application/x-ndjson", ("accepted", "duplicates")
            )
        except Refusal as refusal:
            if refusal.status != _TOO_LARGE or len(chunk.lines) == 1:
                raise named(refusal, chunk) from None
            middle = len(chunk.lines) // 2
            self._send(client, Chunk(chunk.first, chunk.lines[:middle]))
            self._send(client, Chunk(chunk.first + middle, chunk.lines[middle:]))
            return
        self.accepted += answer["accepted"]
        self.duplicates += answer["duplicates"]
        self.lines += len(chunk.lines)


@contextmanager
def _told(chunk: Chunk) -> Iterator[None]:
    """Say which lines were not answered for when the daemon does not answer at all."""
    try:
        yield
    except (OSError, http.client.HTTPException, NotAlertdError):
        note(f"{_where(chunk)} may not be stored, and what follows is not sent")
        raise


def named(refusal: Refusal, chunk: Chunk) -> Refusal:
    """Say the same of lines of the whole input; nothing of the chunk was stored."""
    places = []
    for pointer, detail in refusal.places:
        found = _INDEX.match(pointer)
        if found is None:
            places.append((pointer, detail))
            continue
        rest = pointer[found.end() :]
        words = _LINE.sub("", detail)
        places.append((f"line {chunk.first + int(found[1])}", f"{rest}: {words}" if rest else words))
    title = re.sub(r": .*", "", str(refusal.args[0]), flags=re.DOTALL) if places else refusal.args[0]
    return Refusal(refusal.status, f"{_where(chunk)}, and what follows, not sent: {title}", places)


def _where(chunk: Chunk) -> str:
    last = chunk.first + len(chunk.lines) - 1
    return f"line {chunk.first}" if last == chunk.first else f"lines {chunk.first} to {last}"


def chunks(source: BinaryIO) -> Iterator[Chunk]:
    """Cut a stream into chunks within the intake's usual bounds."""
    chunk, size = Chunk(1, []), 0
    for line in lines(source):
        if line is not None:
            if chunk.lines and (len(chunk.lines) == CHUNK_LINES or size + len(line) > CHUNK_BYTES):
                yield chunk
                chunk, size = Chunk(chunk.first + len(chunk.lines), []), 0
            chunk.lines.append(line)
            size += len(line)
        elif chunk.lines:
            yield chunk
            chunk, size = Chunk(chunk.first + len(chunk.lines), []), 0
    if chunk.lines:
        yield chunk


def lines(source: BinaryIO) -> Iterator[bytes | None]:
    """Give every line with its end, and None whenever the next one is not there yet."""
    rest = b""
    while block := source.read1(CHUNK_BYTES):  # type: ignore[attr-defined]  # every buffered stream has it
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield line + b"\n"
        if len(rest) > LINE_BYTES:
            raise Refusal(_TOO_LARGE, f"a line has more than {LINE_BYTES} bytes", [])
        if not _waits(source):
            yield None
    if rest:
        yield rest


def _waits(source: BinaryIO) -> bool:
    """Whether more can be read at once (the end of the input, too)."""
    try:
        return bool(select.select([source.fileno()], [], [], 0)[0])
    except (OSError, ValueError):
        return True


@contextmanager
def progress(source: BinaryIO) -> Iterator[Callable[[int, int], None]]:
    """Show how far it is on stderr, if that is a terminal: of a file how much of it, of a pipe how many events."""
    if not sys.stderr.isatty():
        yield lambda size, events: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.fields[events]} events"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("send", total=_size(source), events=0)
        yield lambda size, events: bar.update(task, advance=size, events=events)


def _size(source: BinaryIO) -> int | None:
    try:
        found = os.fstat(source.fileno())
    except (OSError, ValueError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
