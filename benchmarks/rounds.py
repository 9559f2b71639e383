"""Rounds: every subject once in each, one after the other, and every second round backwards: ratios are made of neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.bench import Bench
    from benchmarks.figures import Result, Run


def rounds(bench: Bench, result: Result, subjects: Sequence[Callable[[], Run]]) -> None:
    """Run as many rounds as there are to be pairs, and keep every run."""
    for number in range(bench.size.pairs):
        for subject in subjects if number % 2 == 0 else reversed(subjects):
            made = subject()
            bench.note(made)
            result.runs.append(made)
