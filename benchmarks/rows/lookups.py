"""Matching alone, from 10 to 10,000 channels: what `benchmarks/matching.py` measures, held to the table's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks import matching
from benchmarks.figures import Line, Result, ratios

if TYPE_CHECKING:
    from benchmarks.bench import Bench


def run(bench: Bench) -> Result:
    """Measure on the subject's core, and compare the greatest ruleset with the least and with the loop."""
    repeats, matching.REPEATS = matching.REPEATS, max(3, bench.size.pairs)
    try:
        with bench.cores.here():
            rows = matching.measure()
    finally:
        matching.REPEATS = repeats
    matching.report(rows)
    few, many = _ends(rows, "mixed")
    few_anchored, many_anchored = _ends(rows, "anchored")
    return Result(
        [
            _line("seen types: cost of 10 channels", many, few, "seen", 1.2),
            _faster("seen types: faster than the loop", many, "seen", 1000.0),
            Line(_title(many), "unseen types, each", _values(many, "unseen"), "us", 100.0, "most"),
            _faster("unseen types: faster than the loop", many, "unseen", 8.0),
            _line("unseen, anchored: cost of 10", many_anchored, few_anchored, "unseen", 3.0),
        ]
    )


def _ends(rows: list[dict[str, Any]], mix: str) -> tuple[dict[str, Any], dict[str, Any]]:
    own = [row for row in rows if row["mix"] == mix]
    return own[0], own[-1]


def _title(row: dict[str, Any]) -> str:
    return f"matching, {row['channels']:,} channels"


def _values(row: dict[str, Any], key: str) -> list[float]:
    return [row[key][part] for part in ("min", "median", "max")]


def _line(what: str, many: dict[str, Any], few: dict[str, Any], key: str, limit: float) -> Line:
    return Line(_title(many), what, ratios(_values(many, key), _values(few, key)), limit=limit, sense="most")


def _faster(what: str, row: dict[str, Any], key: str, limit: float) -> Line:
    return Line(_title(row), what, ratios(_values(row, "loop"), _values(row, key)), limit=limit)
