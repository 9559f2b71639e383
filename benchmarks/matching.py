"""What matching costs as channels grow from 10 to 10,000: `python benchmarks/matching.py [--json FILE]`.

Every figure stands beside one measured in the same run: a loop over compiled `re` patterns, which is what a daemon
without an index would do. `seen` asks 2,000 types again and again; `unseen` never asks a type twice, so neither a cache
nor an engine's warmed-up states can hide the work; `anchored` is `unseen` where each pattern begins with literal text.
Each measurement is repeated, and its minimum, median and maximum are printed in microseconds for each type.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import platform
import random
import re
import statistics
import string
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from alertd.matching.index import compile_index
from alertd.matching.pattern import Pattern, PatternKind, compile_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = (10, 100, 1_000, 10_000)
SEEN_TYPES = 2_000
UNSEEN_TYPES = 20_000
REPEATS = 7
WORDS = ("deploy", "billing", "search", "login", "export", "mailer", "cron", "cache")

Row = dict[str, Any]
Make = Callable[[int], tuple[PatternKind, str]]
Lookup = Callable[[str], Sequence[int]]


def mixed(number: int) -> tuple[PatternKind, str]:
    """Give one pattern of a mix: anchored regexes, globs, leading wildcards and literals, in equal parts."""
    word = WORDS[number // 7 % len(WORDS)]
    return (
        (PatternKind.REGEX, f"run{number}:.*"),
        (PatternKind.REGEX, rf"payment{number}\.(failed|refunded)"),
        (PatternKind.REGEX, f"app_{word}{number}_[a-z]+_failed"),
        (PatternKind.GLOB, f"agent{number}.*"),
        (PatternKind.GLOB, f"{word}{number}:*.{{failed,dead}}"),
        (PatternKind.REGEX, f".*_{word}{number}_timeout"),
        (PatternKind.LITERAL, f"{word}_{number}_finished"),
    )[number % 7]


def anchored(number: int) -> tuple[PatternKind, str]:
    """Give one pattern of the mix that begins with literal text and is no literal."""
    return mixed(number // 5 * 7 + number % 5)


def types(numbers: list[int], rng: random.Random) -> Iterator[str]:
    """Give types that match about two patterns in three, with a random part that keeps them apart."""
    while True:
        number = rng.choice(numbers)
        word = WORDS[number // 7 % len(WORDS)]
        noise = "".join(rng.choices(string.ascii_lowercase, k=8))
        yield (
            f"run{number}:{noise}",
            f"payment{number}.{rng.choice(['failed', 'refunded', noise])}",
            f"app_{word}{number}_{noise}_{rng.choice(['failed', 'done'])}",
            f"agent{number}.{noise}",
            f"{word}{number}:{noise}.{rng.choice(['failed', 'dead', 'fine'])}",
            f"{noise}_{word}{number}_timeout",
            f"{word}_{number}_{rng.choice(['finished', noise])}",
        )[number % 7]


def distinct(count: int, numbers: list[int], seed: int) -> list[str]:
    """Give so many different types."""
    found: dict[str, None] = {}
    source = types(numbers, random.Random(seed))  # noqa: S311 - a workload, no secret
    for name in source:
        found[name] = None
        if len(found) == count:
            break
    return list(found)


def numbers_of(make: Make, size: int) -> list[int]:
    """Give the numbers that the patterns of a ruleset carry in their text."""
    return [number // 5 * 7 + number % 5 for number in range(size)] if make is anchored else list(range(size))


def unseen_types(make: Make, size: int, seed: int) -> list[str]:
    """Give types that no call with another seed gives; leave out numbers whose types can be few."""
    numbers = [number for number in numbers_of(make, size) if number % 7 not in {1, 6}]
    return distinct(UNSEEN_TYPES, numbers, seed)


def timed(lookup: Lookup, names: list[str]) -> float:
    """Give the microseconds that one look-up takes, the loop's own cost left in."""
    gc.collect()
    begun = time.perf_counter()
    for name in names:
        lookup(name)
    return (time.perf_counter() - begun) / len(names) * 1e6


def spread(values: list[float]) -> Row:
    """Give the three figures that a row prints."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def re_loop(patterns: list[Pattern]) -> Lookup:
    """Give the baseline: each pattern compiled by `re`, asked one after the other."""
    matchers = [re.compile(pattern.source, re.DOTALL).fullmatch for pattern in patterns]
    return lambda name: [position for position, matcher in enumerate(matchers) if matcher(name)]


def rss_mb() -> float:
    """Give the resident memory of this process."""
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * 4096 / 1e6


def footprint(make: Make, size: int) -> tuple[float, float]:
    """Give the megabytes that a ruleset and its index take: fresh, and after all unseen types. For a new process."""
    before = rss_mb()
    index = compile_index([compile_pattern(*make(number)) for number in range(size)])
    gc.collect()
    idle = rss_mb() - before
    names = unseen_types(make, size, seed=2)
    with_names = rss_mb()
    timed(index.lookup, names)
    return idle, idle + rss_mb() - with_names


class Case:
    """One ruleset, compiled, with its baseline; `row` collects what is measured."""

    def __init__(self, make: Make, size: int) -> None:
        self.make, self.size = make, size
        begun = time.perf_counter()
        patterns = [compile_pattern(*make(number)) for number in range(size)]
        checked = time.perf_counter()
        self.index = compile_index(patterns)
        done = time.perf_counter()
        self.loop = re_loop(patterns)
        self.types = distinct(SEEN_TYPES, numbers_of(make, size), seed=1)
        self.some = self.types[: max(20, 20_000 // size)]
        agree(self.index.lookup, self.loop, self.some)
        self.row: Row = {"mix": make.__name__, "channels": size}
        self.row |= {"check_ms": (checked - begun) * 1e3, "compile_ms": (done - checked) * 1e3}
        self.times: dict[str, list[float]] = {"seen": [], "unseen": [], "loop": []}

    def round(self, number: int) -> None:
        """Measure each way once; unseen first, so that the seen types are then asked twice."""
        self.times["unseen"].append(timed(self.index.lookup, unseen_types(self.make, self.size, seed=2 + number)))
        timed(self.index.lookup, self.types)
        self.times["seen"].append(timed(self.index.lookup, self.types * 10))
        self.times["loop"].append(timed(self.loop, self.some))

    def finish(self) -> Row:
        """Give the row, with the memory that a process of its own measures."""
        row = self.row | {key: spread(values) for key, values in self.times.items()}
        row |= {"loop_to_" + key: row["loop"]["median"] / row[key]["median"] for key in ("seen", "unseen")}
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            row["idle_mb"], row["busy_mb"] = pool.apply(footprint, (self.make, self.size))
        return row | {"fallbacks": self.index.fallbacks}


def measure() -> list[Row]:
    """Measure all rulesets in turns, so that a busy minute of the machine falls on each of them."""
    cases = [Case(make, size) for make in (mixed, anchored) for size in SIZES]
    for number in range(REPEATS):
        for case in cases:
            case.round(number)
    return [case.finish() for case in cases]


def agree(lookup: Lookup, loop: Lookup, names: list[str]) -> None:
    """Stop when the index and the baseline differ: a fast wrong answer is worth nothing."""
    for name in names:
        if tuple(lookup(name)) != tuple(loop(name)):
            raise SystemExit(f"the index and the loop differ for {name!r}")


def report(rows: list[Row]) -> None:
    """Print the table, and how the costs grow from the least to the greatest ruleset."""
    columns = "{:9}{:>9}{:>10}{:>11}{:>9}{:>9} {:>21} {:>21} {:>24}{:>12}{:>13}"
    heads = ("mix", "channels", "check ms", "compile ms", "idle MB", "busy MB", "seen us", "unseen us", "re loop us")
    print(columns.format(*heads, "loop/seen", "loop/unseen"))
    for row in rows:
        spans = ["/".join(f"{row[key][part]:.3g}" for part in ("min", "median", "max")) for key in ("seen", "unseen")]
        loop = "/".join(f"{row['loop'][part]:.4g}" for part in ("min", "median", "max"))
        numbers = [f"{row[key]:.1f}" for key in ("check_ms", "compile_ms", "idle_mb", "busy_mb")]
        ratios = f"{row['loop_to_seen']:,.0f}", f"{row['loop_to_unseen']:,.1f}"
        print(columns.format(row["mix"], row["channels"], *numbers, *spans, loop, *ratios))
    for mix in dict.fromkeys(row["mix"] for row in rows):
        print(f"{mix}: {growth(rows, mix, 'seen')}, {growth(rows, mix, 'unseen')}")


def growth(rows: list[Row], mix: str, key: str) -> str:
    """Say how much dearer the greatest ruleset is than the least."""
    own = [row for row in rows if row["mix"] == mix]
    factor = own[-1][key]["median"] / own[0][key]["median"]
    return f"{key} costs {factor:.2f} times from {own[0]['channels']} to {own[-1]['channels']:,} channels"


def main() -> None:
    """Measure, print, and write the rows where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    rows = measure()
    report(rows)
    if arguments.json:
        machine = {"python": platform.python_version(), "machine": platform.processor() or platform.machine()}
        arguments.json.write_text(json.dumps({**machine, "unit": "us/type", "rows": rows}, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
