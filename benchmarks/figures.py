"""Figures: what one run gave, and what a line of the table says about several of them."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True)
class Run:
    """One run of one subject: events a second, and CPU microseconds per event of each process."""

    subject: str
    rate: float
    cpu_us: dict[str, float] = field(default_factory=dict)
    more: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spread:
    """Minimum, median and maximum."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Measure some values."""
        return cls(min(values), statistics.median(values), max(values))


@dataclass(slots=True)
class Line:
    """One line of the table: a figure, its spread, and what it must reach. No `limit`: for information."""

    row: str
    what: str
    values: list[float]
    unit: str = "x"
    limit: float | None = None
    sense: Literal["least", "most"] = "least"
    void: str = ""

    @property
    def spread(self) -> Spread:
        """Its minimum, median and maximum."""
        return Spread.of(self.values)

    @property
    def verdict(self) -> str:
        """Return pass, FAIL, void, or nothing when it is for information."""
        if self.void:
            return "void"
        if self.limit is None:
            return ""
        median = self.spread.median
        return "pass" if (median >= self.limit if self.sense == "least" else median <= self.limit) else "FAIL"

    def as_json(self) -> dict[str, Any]:
        """Write everything."""
        return {**asdict(self), **asdict(self.spread), "verdict": self.verdict}


@dataclass(slots=True)
class Result:
    """What a row of benchmarks found: its lines, and every run behind them."""

    lines: list[Line] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    def rates(self, subject: str) -> list[float]:
        """Return the rates of one subject, in the order of the rounds."""
        return [run.rate for run in self.runs if run.subject == subject]

    def more(self, subject: str, key: str) -> list[float]:
        """Return another figure of one subject, in the order of the rounds."""
        return [run.more[key] for run in self.runs if run.subject == subject]

    def ratio(self, above: str, below: str) -> list[float]:
        """Divide the rates of two subjects, pair by pair."""
        return ratios(self.rates(above), self.rates(below))

    def ratio_by_cpu(self, above: str, below: str) -> list[float]:
        """Divide what two subjects would reach with a core to themselves, pair by pair: it stands on a busy machine."""
        return ratios(self._cpu(below), self._cpu(above))

    def _cpu(self, subject: str) -> list[float]:
        return [run.cpu_us["subject"] for run in self.runs if run.subject == subject]


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Divide pair by pair."""
    return [a / b for a, b in zip(above, below, strict=True)]
