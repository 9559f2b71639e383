"""How the detector of spikes does: `python -m benchmarks.spike [--quick] [--json]`. Two curves, both simulated.

False alarms a month, of one issue: at a steady rate, over a day that goes up and down by 80 % (a sine), and over one
with nine times the rate between nine and six (which the detector must see to learn it: once). A step: the rate becomes
five times as great after a day, and the curve says after how many minutes the alarm came. The limit is two minutes where
the new rate is at least 20 a minute, and ten below. `at best` is what no detector can exceed: the chance that a test
fires in time which knows the usual rate and the moment to look at, and gives one false alarm a month. Also: what one
observation costs, and how many bytes the memory of an issue takes.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from alertd.engine.issues.spike import Signal, observe
from alertd.model.traffic import Traffic, encode_traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

RATES = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 2, 3, 4, 5, 7, 10, 20, 50, 100, 300, 1000)
MONTH = 30 * 1440
DAY = 1440.0
START = 1_800_000_000 / 60
STEP = 5
FAST_LIMIT, SLOW_LIMIT, FAST_RATE = 2.0, 10.0, 20.0
SINGLE_EVENTS = 20.0
"""Up to this rate events are simulated one by one, above it second by second."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How the rate goes through a day: a factor by the minute, and the greatest that it has."""

    name: str
    factor: Callable[[float], float]
    most: float


def sine(minute: float) -> float:
    """Go up and down by 80 % in a day."""
    return 1 + 0.8 * math.sin(2 * math.pi * minute / DAY)


def office(minute: float) -> float:
    """Have nine times the rate from nine to six, and an hour to get there."""
    low, high, rise, fall = 0.2, 1.8, 480, 1080
    return low + (high - low) * max(0.0, min((minute % DAY - rise) / 60, 1.0, (fall + 60 - minute % DAY) / 60))


STEADY = Shape("steady", lambda _: 1.0, 1.0)
SINE = Shape("sine", sine, 1.8)
OFFICE = Shape("office", office, 1.8)


def poisson(dice: random.Random, mean: float) -> int:
    """Draw a count; above 50 by the normal distribution."""
    if mean > 50:
        return max(0, round(dice.gauss(mean, math.sqrt(mean))))
    least, count, product = math.exp(-mean), 0, dice.random()
    while product > least:
        count += 1
        product *= dice.random()
    return count


def arrivals(dice: random.Random, rate: float, shape: Shape, begin: float, end: float) -> Iterator[tuple[float, int]]:
    """Yield (minute, count) of events between two minutes."""
    most = rate * shape.most
    if rate > SINGLE_EVENTS:
        for second in range(int(begin * 60), int(end * 60)):
            if count := poisson(dice, rate * shape.factor(second / 60) / 60):
                yield second / 60, count
        return
    minute = begin
    while (minute := minute + dice.expovariate(most)) < end:
        if shape is STEADY or dice.random() * most < rate * shape.factor(minute):
            yield minute, 1


def alarms(rate: float, shape: Shape, seed: int, minutes: float = MONTH) -> list[float]:
    """Simulate one issue for a month; return the minutes of its alarms, all of which are false."""
    dice = random.Random(f"{rate} {shape.name} {seed}")  # noqa: S311 - a simulation
    traffic = Traffic(int(START * 12))
    return [
        minute
        for minute, count in arrivals(dice, rate, shape, 0, minutes)
        if observe(traffic, round((START + minute) * 60_000), count) is Signal.BEGAN
    ]


def delay(rate: float, seed: int, warm: float = DAY, step: float = STEP, most: float = 120.0) -> float:
    """Simulate a step after `warm` minutes; return the minutes until the alarm, infinity when there was none in time.

    A false alarm that is under way when the step comes counts as none.
    """
    dice = random.Random(f"{rate} {warm} {seed}")  # noqa: S311 - a simulation
    traffic = Traffic(int(START * 12))
    for minute, count in arrivals(dice, rate, STEADY, 0, warm):
        observe(traffic, round((START + minute) * 60_000), count)
    for minute, count in arrivals(dice, rate * step, STEADY, warm, warm + most):
        if observe(traffic, round((START + minute) * 60_000), count) is Signal.BEGAN:
            return minute - warm
    return math.inf


def limit_of(rate: float) -> float:
    """Minutes within which a step of a rate must be seen."""
    return FAST_LIMIT if rate * STEP >= FAST_RATE else SLOW_LIMIT


def at_best(rate: float) -> float:
    """The chance of a test that knows the rate and the window: the least count with one false alarm a month."""
    window = limit_of(rate)
    count = 0
    while (1 - below(count, rate * window)) * MONTH / window > 1:
        count += 1
    return 1 - below(count, rate * STEP * window)


def below(count: int, mean: float) -> float:
    """The chance that a Poisson count is below another."""
    return sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count))


def quantile(values: Sequence[float], share: float) -> float:
    """Read a quantile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def cost(events: int = 200_000, rate: float = 60.0) -> dict[str, float]:
    """Microseconds for one observation, and the bytes that an issue's memory takes, stored and in memory."""
    dice = random.Random(1)  # noqa: S311 - a simulation
    traffic = Traffic(int(START * 12))
    times = [round((START + minute) * 60_000) for minute, _ in arrivals(dice, rate / 4, STEADY, 0, events / rate * 4)]
    begin = time.process_time()
    for at_ms in times:
        observe(traffic, at_ms)
    spent = time.process_time() - begin
    floats = {id(value): sys.getsizeof(value) for value in map(partial(getattr, traffic), Traffic.__slots__)}
    memory = sys.getsizeof(traffic) + sum(floats.values())
    return {"us": spent / len(times) * 1e6, "stored_bytes": len(encode_traffic(traffic)), "memory_bytes": memory}


def false_alarms(rate: float, shape: Shape, months: int) -> list[int]:
    """Count the alarms of each of some months."""
    return [len(alarms(rate, shape, seed)) for seed in range(months)]


def delays(rate: float, runs: int) -> list[float]:
    """Measure the delay of each of some steps."""
    return [delay(rate, seed) for seed in range(runs)]


def _months(rate: float, quick: bool) -> int:
    return max(1, round((4 if quick else 20) if rate <= 1 else (20 if quick else 100) / rate))


def _curves(quick: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Simulate everything, on all cores."""
    alarm_rows, delay_rows = [], []
    with ProcessPoolExecutor() as pool:
        jobs = [
            (rate, shape, months, pool.submit(_named_alarms, rate, shape.name, months))
            for rate in RATES
            for shape in (STEADY, SINE, OFFICE)
            for months in (_months(rate, quick),)
        ]
        runs = 100 if quick else 500
        steps = [(rate, pool.submit(delays, rate, runs if rate < 100 else runs // 10)) for rate in RATES]
        for rate, shape, months, job in jobs:
            found = job.result()
            row = {"rate": rate, "shape": shape.name, "months": months}
            alarm_rows.append({**row, "mean": sum(found) / months, "most": max(found)})
        for rate, step in steps:
            delay_rows.append(_delay_row(rate, step.result()))
    return alarm_rows, delay_rows


def _named_alarms(rate: float, name: str, months: int) -> list[int]:
    return false_alarms(rate, {shape.name: shape for shape in (STEADY, SINE, OFFICE)}[name], months)


def _delay_row(rate: float, found: list[float]) -> dict[str, Any]:
    limit = limit_of(rate)
    shares = {f"p{round(share * 100)}": quantile(found, share) for share in (0.5, 0.9, 0.95, 0.99)}
    in_time = sum(each <= limit for each in found) / len(found)
    return {"rate": rate, "runs": len(found), **shares, "limit": limit, "in_time": in_time, "at_best": at_best(rate)}


def main() -> None:
    """Simulate, and print two tables or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--quick", action="store_true", help="a minute instead of some; wider error bars")
    options = parser.parse_args()
    alarm_rows, delay_rows = _curves(options.quick)
    if options.json:
        print(json.dumps({"false_alarms": alarm_rows, "steps": delay_rows, "cost": cost()}, indent=2))
        return
    print(f"{'false alarms a month':24}{'steady':>16}{'sine':>16}{'office':>16}   mean (most) of months")
    for rate in RATES:
        row = {each["shape"]: each for each in alarm_rows if each["rate"] == rate}
        cells = "".join(f"{row[name]['mean']:10.2f} ({row[name]['most']:3})" for name in ("steady", "sine", "office"))
        print(f"{rate:8g} a minute      {cells}   {row['steady']['months']}")
    print(
        f"\n{'minutes to a step of 5':24}{'median':>8}{'p90':>8}{'p95':>8}{'p99':>8}{'limit':>7}{'in time':>9}{'at best':>9}"
    )
    for step in delay_rows:
        cells = "".join(f"{step[name]:8.2f}" for name in ("p50", "p90", "p95", "p99"))
        ends = f"{step['limit']:7g}{step['in_time']:9.1%}{step['at_best']:9.1%}"
        print(f"{step['rate']:5g} to {step['rate'] * STEP:5g} a min   {cells}{ends}")
    spent = cost()
    print(
        f"\n{spent['us']:.2f} us an observation; {spent['memory_bytes']} bytes in memory, {spent['stored_bytes']} stored"
    )


if __name__ == "__main__":
    main()
