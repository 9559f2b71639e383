"""What issues cost: `python -m benchmarks.issues [--json]`. Single-threaded CPU time, and memory.

Microseconds per event, the median of interleaved rounds: planning a plain event (one subscription, one delivery), which
is what the others are compared with; asking a plain event whether it bears an issue; weighing events of one issue, of a
thousand, and of issues that all are new; then the fingerprint of an error with 30 frames and of a message, the copying,
writing and reading of one issue, and the ranking of 100 commits. Memory: bytes for each issue in the working set.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import tracemalloc
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from alertd.engine.issues.batch import IssueRules, Loaded
from alertd.engine.issues.changes import candidates
from alertd.engine.issues.fingerprint import fingerprint_of
from alertd.engine.issues.stored import decode_issue, encode_issue
from alertd.engine.issues.suspects import suspects
from alertd.engine.issues.working_set import WorkingSet
from alertd.engine.router import plan
from alertd.engine.ruleset import compile_ruleset, name_keys
from alertd.engine.state import EngineState
from alertd.model.change import Change, ChangeKind, Commit
from alertd.model.event import Event
from alertd.model.severity import Severity
from alertd.model.workspace import Workspace
from alertd.runtime import calm_collector

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_800_000_000_000
BATCH = 500
UNBOUNDED = IssueRules(issues_per_hour=10**9)
FRAMES = [
    {"filename": f"shop/m{number}.py", "module": f"shop.m{number}", "function": f"f{number}", "in_app": number % 3 > 0}
    for number in range(30)
]
RAISED = {"type": "KeyError", "value": "'sku'", "stacktrace": {"frames": FRAMES}}
ERROR = {"event_id": "0", "title": "KeyError: 'sku'", "level": "error", "exception": {"values": [RAISED]}}


def event(number: int, key: str, data: dict[str, Any]) -> Event:
    """Make an event."""
    at = (
        datetime.fromtimestamp(NOW / 1000 + number * 0.02, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
    body = {"type": "sentry.error", "project": "shop", "environment": "staging", "data": data}
    return Event(
        "sentry.error", f"{number:032x}", "default", "shop", "staging", Severity.ERROR, at, key, body, b"{}" * 200
    )


def error(number: int, key: str) -> Event:
    """Make one that bears an issue, of one of a hundred users."""
    more = {"culprit": "shop.cart in total", "release": "shop@1.2.3", "user": {"id": f"user-{number % 100}"}}
    return event(number, key, {**ERROR, **more})


def weighing(keys: int | None) -> Callable[[int], object]:
    """Weigh a batch of events of so many issues that are known, or of none that is."""
    memory = WorkingSet(20_000)
    made = [error(number, f"1:{number % keys}" if keys else "") for number in range(BATCH)]
    if keys:
        batch = memory.begin(Loaded(), UNBOUNDED)
        for number in range(keys):
            batch.weigh(error(0, f"1:{number}"), 1, number, NOW)
        memory.keep(batch)

    def run(turn: int) -> object:
        for number, each in enumerate(made):
            if not keys:
                each.key = f"1:{turn}/{number}"
            elif keys > BATCH:
                each.key = f"1:{(turn * BATCH + number) % keys}"
        batch = memory.begin(Loaded(), UNBOUNDED)
        weigh = batch.weigh
        for number, each in enumerate(made):
            weigh(each, 1, (turn * BATCH + number) << 20, NOW + 600_000)
        memory.keep(batch)
        return batch

    return run


def planning() -> Callable[[int], object]:
    """Plan a batch of plain events, each with one delivery."""
    workspace = Workspace.model_validate(
        {
            "name": "default",
            "channels": [{"name": "all", "kind": "glob", "pattern": "*"}],
            "destinations": [{"name": "a", "type": "null"}],
            "subscriptions": [{"name": "s", "channels": ["all"], "destinations": ["a"]}],
        }
    )
    ids = {key: number for number, key in enumerate(name_keys([workspace]), 1)}
    ruleset, state = compile_ruleset([workspace], ids, 1), EngineState()
    made = [event(number, "k", {"run_id": number}) for number in range(BATCH)]

    def run(turn: int) -> object:
        return [plan(ruleset, state, each, turn * BATCH + number, NOW) for number, each in enumerate(made)]

    return run


def asking() -> Callable[[int], object]:
    """Ask a batch of plain events whether they bear an issue."""
    made = [event(number, "k", {"run_id": number}) for number in range(BATCH)]
    memory = WorkingSet()

    def run(_turn: int) -> object:
        batch = memory.begin(Loaded())
        return [batch.weigh(each, 1, number, NOW) for number, each in enumerate(made)]

    return run


def parts() -> dict[str, Callable[[int], object]]:
    """Name the parts that are measured alone, each done so often as a batch has events."""
    known = weighing(1)
    batch = known(0)
    issue = next(iter(batch.issues.values()))  # type: ignore[attr-defined]  # the batch that was weighed
    stored = encode_issue(issue)
    message = {"title": "Order 17 failed", "logentry": {"formatted": "Order 17 failed", "message": "Order %s failed"}}
    commits = tuple(
        Commit(f"{n:040x}", NOW, "Ann", f"Commit {n}", (f"shop/m{n % 40}.py", f"x/y{n}.py")) for n in range(100)
    )
    found = candidates([Change(ChangeKind.PUSH, "shop", NOW, commits=commits)], NOW, "prod")
    return {
        "fingerprint, 30 frames": lambda _: [fingerprint_of(ERROR) for _ in range(BATCH)],
        "fingerprint, message": lambda _: [fingerprint_of(message) for _ in range(BATCH)],
        "copy an issue": lambda _: [issue.copy() for _ in range(BATCH)],
        "write an issue": lambda _: [encode_issue(issue) for _ in range(BATCH)],
        "read an issue": lambda _: [decode_issue(stored) for _ in range(BATCH)],
        "rank 100 commits (ms / 1000)": lambda _: [suspects(ERROR, found, NOW) for _ in range(BATCH // 100)],
    }


def memory_bytes(issues: int = 10_000) -> float:
    """Bytes of memory for each issue, of two events each, in a full working set."""
    memory = WorkingSet(issues)
    tracemalloc.start()
    for begin in range(0, issues, BATCH):
        batch = memory.begin(Loaded(), UNBOUNDED)
        for number in (*range(begin, begin + BATCH), *range(begin, begin + BATCH)):
            batch.weigh(error(number, f"1:{number:032x}"), 1, number << 20, NOW)
        memory.keep(batch)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / issues


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Run every case once a round."""
    cases = {
        "plan a plain event": planning(),
        "a plain event bears none": asking(),
        "weigh, one issue": weighing(1),
        "weigh, 1,000 issues": weighing(1000),
        "weigh, all new": weighing(None),
        **parts(),
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(1, rounds + 1):
        for name, run in cases.items():
            begin = time.process_time()
            run(turn)
            times[name].append((time.process_time() - begin) / BATCH * 1e6)
    base = statistics.median(times["plan a plain event"])
    return {
        name: {"us": round(statistics.median(taken), 2), "ratio": round(statistics.median(taken) / base, 2)}
        for name, taken in times.items()
    }


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=60, help="interleaved rounds (default 60)")
    options = parser.parse_args()
    calm_collector()
    figures, held = measure(max(1, options.rounds)), memory_bytes()
    if options.json:
        print(json.dumps({"us": figures, "bytes_per_issue": round(held)}, indent=2))
        return
    print(f"{'us of CPU':34}{'median':>8}{'to plan':>9}")
    for name, figure in figures.items():
        print(f"{name:34}{figure['us']:8.2f}{figure['ratio']:9.2f}")
    print(f"\n{held:.0f} bytes of memory for each issue in the working set")


if __name__ == "__main__":
    main()
