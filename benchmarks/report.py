"""The report: the table that is printed and the JSON that is written."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Spread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.figures import Line, Run

LIBRARIES = ("aiohttp", "aiokafka", "httptools", "orjson", "uvloop", "google-re2")
PROCESSES = ("subject", "sink", "loader", "broker")


def machine(scratch: Path, broker: str) -> dict[str, Any]:
    """Collect what the figures depend on."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cores": len(os.sched_getaffinity(os.getppid())),
        "cpu": _field(Path("/proc/cpuinfo"), "model name"),
        "memory": _field(Path("/proc/meminfo"), "MemTotal"),
        "load_before": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "libraries": {name: version(name) for name in LIBRARIES},
        "broker": broker,
        "fsync_ms": fsync_ms(scratch),
    }


def fsync_ms(folder: Path, times: int = 50) -> float:
    """Measure what one write of 4 KB costs until it is on the disk, the median in milliseconds."""
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(times):
            file.write(bytes(4096))
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(taken)


def _field(file: Path, name: str) -> str:
    lines = file.read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "unknown")


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - constants
    return done.stdout.strip() or "unknown"


def print_lines(lines: Iterable[Line]) -> None:
    """Print the table of ratios and limits."""
    print(f"\n{'':36} {'figure':34} {'median':>9}  {'min .. max':>19}  {'must be':>10}")
    for line in lines:
        spread = line.spread
        between = f"{_number(spread.low)} .. {_number(spread.high)}"
        sign = ">=" if line.sense == "least" else "<="
        must = f"{sign} {line.limit:g}" if line.limit is not None else ""
        what = line.what if line.unit in {"x", ""} else f"{line.what}, {line.unit}"
        print(f"{line.row:36} {what:34} {_number(spread.median):>9}  {between:>19}  {must:>10}  {line.verdict}")
        if line.void:
            print(f"{'':36} void: {line.void}")


def print_runs(runs: Iterable[Run]) -> None:
    """Print the rates behind them, with the CPU of each process."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.subject, []).append(run)
    if not groups:
        return
    heads = " ".join(f"{name:>8}" for name in PROCESSES)
    print(f"\n{'':36} {'a second':>9}  {'min .. max':>19}  core  CPU us per event: {heads}")
    for subject, own in groups.items():
        rate = Spread.of([run.rate for run in own])
        between = f"{rate.low:,.0f} .. {rate.high:,.0f}"
        cells = " ".join(_cpu(own, name) for name in PROCESSES)
        print(f"{subject:36} {rate.median:>9,.0f}  {between:>19}  {_share(own):>4}  {'':17} {cells}")


def _cpu(runs: list[Run], name: str) -> str:
    values = [run.cpu_us[name] for run in runs if name in run.cpu_us]
    return f"{statistics.median(values):8.1f}" if values else f"{'':8}"


def _share(runs: list[Run]) -> str:
    """How much of its core the subject used; a subject that could use all of it and got less had to share it."""
    values = [run.rate * run.cpu_us["subject"] / 1e6 for run in runs if "subject" in run.cpu_us]
    return f"{statistics.median(values):.0%}" if values else ""


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"
