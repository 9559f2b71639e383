"""What errors cost between arrival and commit, beside plain events: `python -m benchmarks.planning [--json]`.

Microseconds of CPU per event of the real pipeline, in batches of 500, over a store that keeps issues in memory and
nothing else: so all but decoding and writing. One subscription takes everything that a plain event is, with one delivery
each; another the triggers of issues, as a team would have it. Errors come as Sentry's decoders hand them over, which
have read their facts; `native` ones as from a producer who writes what Sentry would: the pipeline reads their facts. The
median of interleaved rounds; `ratio` is to the plain event of the same round.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from typing import TYPE_CHECKING

from typing_extensions import override

from alertd.clock import SystemClock
from alertd.engine.issues.facts import facts_of
from alertd.engine.issues.working_set import WorkingSet
from alertd.engine.ruleset import compile_ruleset, name_keys
from alertd.metrics import Metrics
from alertd.model.ids import IdSource
from alertd.model.workspace import Workspace
from alertd.pipeline import Pipeline
from alertd.runtime import calm_collector
from alertd.store.memory import MemoryStore
from benchmarks.issues import UNBOUNDED, error, event

if TYPE_CHECKING:
    from alertd.engine.issues.batch import IssueBatch, IssueRules, Loaded
    from alertd.model.event import Event
    from alertd.store.base import Batch

BATCH = 500
PLAIN = "plain"
RULES = Workspace.model_validate(
    {
        "name": "default",
        "channels": [
            {"name": "runs", "kind": "glob", "pattern": "run.*"},
            {"name": "errors", "kind": "glob", "pattern": "sentry.*"},
        ],
        "destinations": [{"name": "a", "type": "null"}],
        "subscriptions": [
            {"name": "runs", "channels": ["runs"], "destinations": ["a"]},
            {
                "name": "errors",
                "channels": ["errors"],
                "destinations": ["a"],
                "triggers": ["new", "regression", "spike"],
            },
        ],
    }
)
FLOOD = "of 1 issue"
UNREAD = "of 1 issue, native"
CASES = {PLAIN: 0, FLOOD: 1, UNREAD: 1, "of 1,000 issues": 1_000, "of 100,000 issues": 100_000}


class Forgetful(MemoryStore):
    """A store that keeps issues, and of all else nothing. `writing` is the CPU that this has taken, in seconds."""

    writing = 0.0

    @override
    async def commit(self, batch: Batch) -> None:
        """Take the issues of a batch."""
        begun = time.process_time()
        if batch.issues is not None:
            self._take_issues(batch.issues)
        self.writing += time.process_time() - begun


class Generous(WorkingSet):
    """A memory under whose rules a project may begin any number of issues."""

    @override
    def begin(self, read: Loaded, rules: IssueRules | None = None) -> IssueBatch:
        """Begin a batch."""
        return super().begin(read, UNBOUNDED)


class Case:
    """One pipeline, and the events for it."""

    def __init__(self, issues: int, *, native: bool = False) -> None:
        self._native = native
        clock = SystemClock()
        ids = {key: number for number, key in enumerate(name_keys([RULES]), 1)}
        ruleset = compile_ruleset([RULES], ids, 1)
        self._store = store = Forgetful(clock)
        self.pipeline = Pipeline(store, IdSource(clock), 1, clock, Metrics(), ruleset, lambda _: None)
        self.pipeline.issues.memory = Generous()
        self.issues = issues
        self.times: list[float] = []
        self._turn = 0

    def events(self) -> list[Event]:
        """Make the events of the next batch."""
        first = self._turn * BATCH
        self._turn += 1
        if not self.issues:
            made = [event(number, "k", {"run_id": number}) for number in range(first, first + BATCH)]
            for each in made:
                each.type = each.body["type"] = "run.failed"
            return made
        errors = [error(number, f"1:{number % self.issues}") for number in range(first, first + BATCH)]
        if not self._native:
            for each in errors:
                each.facts = facts_of(each, time.time_ns() // 1_000_000)
        return errors

    async def fill(self) -> None:
        """Begin all issues."""
        for _ in range(0, self.issues, BATCH):
            await self.pipeline.submit(self.events(), 1)

    async def round(self) -> None:
        """Measure one batch."""
        made = self.events()
        begun, written = time.process_time(), self._store.writing
        await self.pipeline.submit(made, 1)
        taken = time.process_time() - begun - (self._store.writing - written)
        self.times.append(taken / BATCH * 1e6)


async def measure(rounds: int) -> dict[str, list[float]]:
    """Measure every case once a round; return its microseconds per event."""
    cases = {name: Case(issues, native=name == UNREAD) for name, issues in CASES.items()}
    running = [asyncio.ensure_future(case.pipeline.run()) for case in cases.values()]
    for case in cases.values():
        await case.fill()
    calm_collector()
    for _ in range(rounds):
        for case in cases.values():
            await case.round()
    for case in cases.values():
        case.pipeline.stop()
    await asyncio.gather(*running)
    return {name: case.times for name, case in cases.items()}


def ratios(times: dict[str, list[float]]) -> dict[str, list[float]]:
    """Put each case beside the plain one of the same round."""
    plain = times[PLAIN]
    return {
        name: [one / other for one, other in zip(taken, plain, strict=True)]
        for name, taken in times.items()
        if name != PLAIN
    }


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=60, help="interleaved rounds (default 60)")
    options = parser.parse_args()
    times = asyncio.run(measure(max(1, options.rounds)))
    middle = {name: statistics.median(taken) for name, taken in times.items()}
    beside = {name: statistics.median(found) for name, found in ratios(times).items()}
    if options.json:
        print(json.dumps({"us": middle, "ratio": beside}, indent=2))
        return
    print(f"{'us of CPU per event':24}{'median':>8}{'ratio':>8}")
    for name, found in middle.items():
        print(f"{name:24}{found:8.2f}{beside.get(name, 1.0):8.2f}")


if __name__ == "__main__":
    main()
