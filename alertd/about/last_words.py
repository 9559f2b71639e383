"""Last words: the newest log lines in a small file that outlives the process, so that the next start can tell of a crash.

What is written is there even after SIGKILL (not after a loss of power, which takes the newest lines with it). The file has
its room from the beginning, so that a disk that is full takes the words that say so; one that refuses them all the same is
no reason to end. One process writes; whoever holds the store's lock is that one.
"""

from __future__ import annotations

import os
import traceback
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Final

import orjson

from alertd.model.text import sayable
from alertd.undo import OnFailure

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

LINES: Final = 20
"""How many lines are kept."""
LINE_MAX: Final = 1000
"""Characters of a line that are kept."""
EXCEPTION_MAX: Final = 8000
"""Characters of an exception's traceback that are kept, its end first."""
FILE_BYTES: Final = 1 << 18
_LENGTH_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Crash:
    """What a run that did not end in peace left: its last log lines, the exception when there was one, and its own id."""

    lines: tuple[str, ...]
    exception: str
    run: str = ""


class LastWords:
    """Keeps the last lines of this run. Open it, `add` each line, say when it is ready, and in the end how it ended.

    As a block around the run it says the last by itself.

    Until it is ready nothing is written: a start that fails is told where it fails, and must not hide the crash before it.
    """

    def __init__(self, file: int) -> None:
        self._file: int | None = file
        self._writing = RLock()  # lines come from other threads, and from garbage that is collected meanwhile
        self._lines: deque[str] = deque(maxlen=LINES)
        self._exception = ""
        self._run: str | None = None
        self._running = False

    @classmethod
    def open(cls, file: Path) -> tuple[LastWords, Crash | None]:
        """Open the file for this run; the second value is what the run before left when it crashed. Raises OSError."""
        number = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        with OnFailure(lambda: os.close(number)):
            before = _crash_in(os.pread(number, FILE_BYTES, 0))
            if os.fstat(number).st_size > FILE_BYTES:
                os.ftruncate(number, FILE_BYTES)
            with suppress(OSError):  # no room now: lines are kept from when there is some
                os.posix_fallocate(number, 0, FILE_BYTES)
        return cls(number), before

    def __enter__(self) -> None:
        """Listen for the end of the run."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say how the run ended; what ended it goes on."""
        if error is None:
            self.ended()
        else:
            self.failed(error)

    def begin(self, run: str) -> None:
        """Say that this run, which has an id of its own, is ready: from now on its end is a crash unless it says otherwise."""
        self._run, self._running = run, True
        self._write()

    def add(self, line: str) -> None:
        """Keep a line."""
        if self._running or self._run is None:
            self._lines.append(sayable(line[:LINE_MAX]))
            self._write()

    def failed(self, error: BaseException) -> None:
        """Keep the exception that ends this run."""
        text = "".join(traceback.format_exception(error, limit=20))
        self._exception = sayable(text[-EXCEPTION_MAX:])
        self._write()

    def ended(self) -> None:
        """Say that this run ended in peace."""
        self._running = False
        self._write()

    def close(self) -> None:
        """Let go of the file; lines that still come are not kept."""
        self._running = False
        with self._writing:
            if self._file is not None:
                os.close(self._file)
            self._file = None

    def _write(self) -> None:
        if self._run is None:
            return
        raw = orjson.dumps([self._running, self._run, self._exception, list(self._lines)])
        with self._writing, suppress(OSError):  # a full disk is told by who meets it, and the run goes on
            if self._file is None:
                return
            os.pwrite(self._file, bytes(_LENGTH_BYTES), 0)  # a crash between the two leaves nothing rather than a half
            if os.pwrite(self._file, raw, _LENGTH_BYTES) == len(raw):
                os.pwrite(self._file, len(raw).to_bytes(_LENGTH_BYTES, "little"), 0)


def _crash_in(content: bytes) -> Crash | None:
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    try:
        running, run, exception, lines = orjson.loads(content[_LENGTH_BYTES : _LENGTH_BYTES + min(length, FILE_BYTES)])
    except (orjson.JSONDecodeError, ValueError, TypeError):  # never written, or cut in the middle of it
        return None
    return Crash(tuple(map(str, lines)), str(exception), str(run)) if running else None
