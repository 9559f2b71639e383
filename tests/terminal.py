"""The program at a terminal, as a person has it: a real pseudo-terminal that takes its stdout and stderr."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
from typing import TYPE_CHECKING

from tests.daemon import DEADLINE, PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNSET = {"NO_COLOR", "ALERTD_CONFIG", "ALERTD_TOKEN", "ALERTD_URL", "ALERTD_LOG__FORMAT"}
ENVIRON = {name: value for name, value in os.environ.items() if name not in UNSET} | {"TERM": "xterm"}


class Terminal:
    """One that a process writes to."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process = process
        self._screen = screen
        self._seen = b""

    @property
    def seen(self) -> str:
        """All that was written so far, colours and erasures among it."""
        return self._seen.decode("utf-8", "replace")

    def until(self, words: str) -> None:
        """Wait until words came. Raises AssertionError when the program ends before."""
        while words not in self.seen:
            assert self._read(), self.seen

    def ends(self, stdin: bytes = b"") -> int:
        """Give it an input and its end, wait for its own, with all that it writes until then, and return its exit code."""
        assert self.process.stdin is not None
        with self.process.stdin as stream:
            stream.write(stdin)
        while self._read():
            pass
        return self.process.wait(DEADLINE)

    def _read(self) -> bool:
        """Read what comes next; tell whether anything did before the last writer left."""
        ready, _, _ = select.select([self._screen], [], [], DEADLINE)
        assert ready, self.seen
        with contextlib.suppress(OSError):  # EIO: nobody writes here any more
            self._seen += os.read(self._screen, 65536)
            return True
        return False


@contextlib.contextmanager
def at_terminal(folder: Path, *words: str) -> Iterator[Terminal]:
    """Type a command at a terminal of its own; its stdin is a pipe. What still runs in the end is killed."""
    screen, end = pty.openpty()
    command = [str(PROGRAM), *words]
    try:
        process = subprocess.Popen(command, cwd=folder, env=ENVIRON, stdin=subprocess.PIPE, stdout=end, stderr=end)  # noqa: S603 - our own program
        os.close(end)
        with process:
            try:
                yield Terminal(process, screen)
            finally:
                process.kill()
    finally:
        os.close(screen)
