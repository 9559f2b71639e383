"""The destination type `file`: one line of JSON for each delivery, in a file that is rotated by its size.

Several destinations should not share a file. A line is written whole or not at all, and one that was cut off by a crash is
ended before the next one.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import orjson
from pydantic import AfterValidator, Field

from alertd.destinations.base import Preview
from alertd.destinations.own_thread import in_own_thread
from alertd.destinations.redaction import BODY_MAX
from alertd.destinations.standard_body import body_of
from alertd.model.delivery import DELIVERED, Outcome, OutcomeKind
from alertd.model.fields import Resource

if TYPE_CHECKING:
    from pydantic import BaseModel

    from alertd.destinations.base import Message, World

NAME: Final = "file"
SUFFIXES: Final = (".ndjson", ".jsonl")
"""What a file's name ends in: rotating must never put aside a database or a key."""
MODE: Final = 0o640
"""Who may read a new file: its owner and group."""


def _check_path(path: str) -> str:
    if not path.startswith("/") or "\0" in path or path.endswith("/"):
        raise ValueError("an absolute path of a file")
    if ".." in path.split("/"):
        raise ValueError("a path without ..")
    if not path.endswith(SUFFIXES):
        raise ValueError(f"a file whose name ends in {' or '.join(SUFFIXES)}, so that it is nobody else's")
    return path


class FileSettings(Resource):
    """Where to write, and how much is kept."""

    path: Annotated[str, AfterValidator(_check_path)] = Field(
        description="an absolute path; its folder must be there, and alertd must be allowed to write in it",
        examples=["/var/lib/alertd/alerts.ndjson"],
    )
    max_bytes: Annotated[int, Field(ge=1024)] = Field(
        16 * 1024 * 1024, description="a file that would grow beyond it is put aside as PATH.1 first, that as PATH.2 …"
    )
    keep: Annotated[int, Field(ge=0, le=1000)] = Field(5, description="files that are kept beside the present one")


class FileDestination:
    """Appends to one file."""

    def __init__(self, settings: FileSettings) -> None:
        self._settings = settings
        self._path = Path(settings.path)
        self._lock = asyncio.Lock()

    async def attempt(self, message: Message) -> Outcome:
        """Append one line; retry later when the disk does not take it."""
        try:
            line = body_of(message) + b"\n"
        except orjson.JSONEncodeError:
            return Outcome(OutcomeKind.REJECTED, detail="file: a name in the delivery is not valid Unicode")
        try:
            async with self._lock:
                await in_own_thread(partial(self._append, line), NAME)
        except OSError as error:
            return Outcome(OutcomeKind.RETRY_LATER, detail=f"file: cannot write: {os.strerror(error.errno or 0)}")
        return DELIVERED

    def preview(self, message: Message) -> Preview:
        """Show the line."""
        return Preview(f"append to {self._path}", {}, body_of(message)[:BODY_MAX].decode("utf-8", "replace"))

    async def close(self) -> None:
        """Hold nothing open."""

    def _append(self, line: bytes) -> None:
        """Write one line, in a thread. Raises OSError; then nothing of it is there."""
        if self._size() + len(line) > self._settings.max_bytes:
            self._rotate()
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, MODE)
        try:
            size = os.fstat(descriptor).st_size
            ended = size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"
            _write(descriptor, line if ended else b"\n" + line, size)
        finally:
            os.close(descriptor)

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def _rotate(self) -> None:
        if not self._size():
            return
        if not self._settings.keep:
            self._path.unlink()
            return
        for number in range(self._settings.keep - 1, 0, -1):
            older = self._aside(number)
            if older.exists():
                older.replace(self._aside(number + 1))
        self._path.replace(self._aside(1))

    def _aside(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class FileType:
    """The type `file`."""

    name: ClassVar[str] = NAME
    about: ClassVar[str] = (
        "A file on alertd's own machine, one line of JSON for each delivery: the body that a webhook with `format:"
        " standard` receives. It is rotated by size; the newest of the older ones is `PATH.1`. It may be wherever the"
        " process may write: under systemd, `ProtectSystem=strict` is the guard."
    )
    settings_model: ClassVar[type[BaseModel]] = FileSettings

    def rate_per_second(self, settings: FileSettings) -> float | None:
        """No pace."""
        return None

    def open(self, settings: FileSettings, timeout_seconds: float, world: World) -> FileDestination:
        """Open one."""
        return FileDestination(settings)


def _write(descriptor: int, line: bytes, size: int) -> None:
    """Write all of it, or take back what was written. Raises OSError."""
    view = memoryview(line)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError:
        os.ftruncate(descriptor, size)
        raise
