"""Processes of a benchmark: pinned, metered by the kernel's own count of CPU time, and never left behind."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
STOP_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1
_TICKS = os.sysconf("SC_CLK_TCK")
_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where: what is measured has the first core to itself, everything else shares the others."""

    subject: frozenset[int]
    others: frozenset[int]

    @classmethod
    def of_machine(cls) -> Cores:
        """Divide the cores that this process may use; with one core everything shares it."""
        first, *rest = sorted(os.sched_getaffinity(0))
        return cls(frozenset({first}), frozenset(rest or [first]))

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """Measure this process itself while the block runs: it has the subject's core."""
        os.sched_setaffinity(0, self.subject)
        try:
            yield
        finally:
            os.sched_setaffinity(0, self.others)


class Process:
    """One child process on its cores. `stdout` of the child can be read line by line with `lines`."""

    def __init__(self, command: Sequence[str], cores: frozenset[int], *, log: Path, piped: bool = False) -> None:
        self.log = log
        with log.open("ab") as out:
            self._popen = subprocess.Popen(  # noqa: S603 - our own programs
                command,
                cwd=ROOT,
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else out,
                stderr=out,
                preexec_fn=partial(_settle, cores),  # noqa: PLW1509 - two system calls, no lock
            )
        self.pid = self._popen.pid

    def line(self) -> str:
        """Read the next line that it says. Raises RuntimeError when it ended instead."""
        out = self._popen.stdout
        text = out.readline().decode() if out is not None else ""
        if not text:
            self._popen.wait(STOP_SECONDS)
            raise RuntimeError(f"{self.log.stem} ended with {self._popen.returncode}:\n{self.tail()}")
        return text

    def tell(self, line: str) -> None:
        """Write a line to it."""
        into = self._popen.stdin
        if into is not None:
            into.write(f"{line}\n".encode())
            into.flush()

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._popen.poll() is None

    def tail(self, count: int = 20) -> str:
        """Return the last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def cpu_seconds(self) -> float:
        """Read the CPU time of all its threads, user and system."""
        return cpu_seconds(self.pid)

    def memory(self, field: str = "VmRSS") -> float:
        """Read its resident memory in MB: `VmRSS` now, `VmHWM` the most so far."""
        text = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) * 1024 / 1e6 for line in text.splitlines() if line.startswith(field + ":"))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._popen.send_signal(number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Wait for its end and return its exit code."""
        return self._popen.wait(seconds)

    def kill(self) -> None:
        """End it at once; twice is fine."""
        if self.running:
            self._popen.kill()
        self._popen.wait(STOP_SECONDS)
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _settle(cores: frozenset[int]) -> None:
    os.sched_setaffinity(0, cores)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def cpu_seconds(pid: int) -> float:
    """Read the CPU time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@contextlib.contextmanager
def module(name: str, cores: frozenset[int], folder: Path, options: dict[str, Any] | None = None) -> Iterator[Process]:
    """Run `python -m benchmarks.NAME` with its options in a file; it is killed on leaving."""
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    if options is not None:
        file = folder / f"{name}.json"
        file.write_text(json.dumps(options), encoding="utf-8")
        command.append(str(file))
    process = Process(command, cores, log=folder / f"{name}.log", piped=True)
    try:
        yield process
    finally:
        process.kill()
