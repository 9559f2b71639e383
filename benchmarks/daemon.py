"""The daemon under test: a real `alertd run` on its own core, with a configuration and a store of its own."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from alertd.undo import OnFailure
from benchmarks.process import Process

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAM = Path(sys.executable).with_name("alertd")
READY_SECONDS = 60.0
TICK_SECONDS = 0.01
_URL = re.compile(r"^alertd listens on http://127\.0\.0\.1:(\d+)$", re.MULTILINE)
FINAL = "state >= 2"
SENT = "type NOT LIKE 'alertd.%'"
"""Events that were sent, as against those that the daemon makes about itself."""


class Daemon:
    """One daemon; leaving the context kills it, `stop` ends it in good order. Times: monotonic, nanoseconds."""

    def __init__(self, folder: Path, config: Mapping[str, Any], cores: frozenset[int]) -> None:
        self.folder = folder
        self.store = Path(config["store"]["url"].removeprefix("sqlite:///"))
        self._file = folder / "alertd.yml"
        self._file.write_text(json.dumps(config, indent=1), encoding="utf-8")
        self._cores = cores
        self.process: Process
        self.started_ns = 0
        self.port = 0

    def __enter__(self) -> Self:
        """Start it and wait until it listens."""
        self.launch()
        with OnFailure(self.process.kill):
            self.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind."""
        self.process.kill()

    def launch(self) -> None:
        """Start it."""
        log = self.folder / "alertd.log"
        log.unlink(missing_ok=True)
        self.started_ns = time.monotonic_ns()
        self.process = Process([str(PROGRAM), "run", "--config", str(self._file)], self._cores, log=log)

    def wait_ready(self) -> None:
        """Wait until it listens, and learn its port."""
        deadline = time.monotonic() + READY_SECONDS
        while not (found := _URL.search(self.process.log.read_text(errors="replace"))):
            if not self.process.running or time.monotonic() > deadline:
                raise RuntimeError(f"the daemon does not listen:\n{self.process.tail()}")
            time.sleep(TICK_SECONDS)
        self.port = int(found[1])

    def stop(self) -> None:
        """Ask it to end; it must end well."""
        self.process.signal(signal.SIGTERM)
        code = self.process.wait()
        if code:
            raise RuntimeError(f"the daemon ended with {code}:\n{self.process.tail()}")

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()

    def ask(self, sql: str) -> tuple[Any, ...]:
        """Read one row of its store, also while it runs."""
        return ask(self.store, sql)


def ask(store: Path, sql: str) -> tuple[Any, ...]:
    """Read one row of a store."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=10)) as conn:
        found: tuple[Any, ...] = conn.execute(sql).fetchone()
        return found
