"""`python -m benchmarks`: run the rows, print the tables, write JSON to benchmarks/results/."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import selfcheck
from benchmarks.bench import Bench, Size
from benchmarks.report import machine, print_lines, print_runs
from benchmarks.rows import (
    changes,
    footprint,
    isolation,
    issues,
    latency,
    lookups,
    pages,
    restart,
    scopes,
    sender,
    singles,
    stores,
    throughput,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.figures import Result

ROWS: dict[str, Callable[[Bench], Result]] = {
    "sender": sender.run,
    "http_singles": singles.run,
    "envelopes": issues.envelopes,
    "issues": issues.within,
    "matching": lookups.run,
    "scopes": scopes.scopes,
    "cooldowns": scopes.cooldowns,
    "latency": latency.run,
    "changes": changes.run,
    "isolation": isolation.run,
    "backlog": stores.backlog,
    "history": stores.history,
    "pages": pages.pages,
    "restart": restart.run,
    "disk": footprint.disk,
    "idle": footprint.idle,
}
NAMES = [*throughput.PARTS, *ROWS]
TOGETHER = "throughput"
"""The rows of `throughput.PARTS` share their rounds."""
RESULTS = Path(__file__).resolve().parent / "results"


def main() -> int:
    """Run what is asked for; 1 when a line fails, 2 when a row could not be measured."""
    options = _arguments()
    size = Size.quick() if options.quick else Size.full()
    if options.pairs:
        size = replace(size, pairs=options.pairs)
    rows = {"self-check": selfcheck.run} if options.self_check else _rows(options.only or NAMES)
    found: dict[str, Result] = {}
    errors: dict[str, str] = {}
    with Bench(size, options.scratch) as bench:
        facts = machine(bench.folder, bench.broker.kind)
        print(json.dumps(facts, indent=1))
        for name, row in rows.items():
            print(f"{name} ...", file=sys.stderr, flush=True)
            begun = time.monotonic()
            try:
                found[name] = row(bench)
            except Exception as error:  # noqa: BLE001 - the boundary of a row: the others are measured all the same
                errors[name] = repr(error) if not isinstance(error, RuntimeError) else str(error)
                print(f"  could not be measured: {error}", file=sys.stderr)
            print(f"  {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    _tell(found, errors)
    _write({"machine": facts, "size": asdict(size), "errors": errors}, found, options.json)
    verdicts = [line.verdict for result in found.values() for line in result.lines]
    return 2 if errors else int(any(verdict in {"FAIL", "void"} for verdict in verdicts))


def _rows(names: list[str]) -> dict[str, Callable[[Bench], Result]]:
    """Return what to run for these names."""
    parts = [name for name in throughput.PARTS if name in names]
    first = {TOGETHER: lambda bench: throughput.run(bench, parts)} if parts else {}
    return first | {name: row for name, row in ROWS.items() if name in names}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="3 minutes: few pairs, short runs, small stores")
    parser.add_argument(
        "--self-check", action="store_true", help="measure the harness instead: a slowed daemon must show"
    )
    parser.add_argument("--pairs", type=int, help="how many interleaved pairs (5; quick: 2)")
    parser.add_argument(
        "--scratch", type=Path, help="where stores are made; a real disk with 10 GB free (default: /tmp)"
    )
    parser.add_argument("--json", type=Path, help="where the JSON goes (default: benchmarks/results/TIME.json)")
    return parser.parse_args()


def _tell(found: dict[str, Result], errors: dict[str, str]) -> None:
    print_runs(run for result in found.values() for run in result.runs)
    print_lines(line for result in found.values() for line in result.lines)
    for name, error in errors.items():
        print(f"\n{name} could not be measured: {error}")


def _write(head: dict[str, Any], found: dict[str, Result], file: Path | None) -> None:
    if file is None:
        file = RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}.json"
        RESULTS.mkdir(exist_ok=True)
    rows = {
        name: {"lines": [line.as_json() for line in result.lines], "runs": [asdict(run) for run in result.runs]}
        for name, result in found.items()
    }
    file.write_text(json.dumps({**head, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten to {file}")


if __name__ == "__main__":
    sys.exit(main())
