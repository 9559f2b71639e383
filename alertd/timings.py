"""A histogram for the hot path: observed on the event loop alone, so it needs no lock, and read at a scrape."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric


class Timing:
    """One series: counts by bucket, and the sum."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


class Timings(Collector):
    """A histogram with its series by label values; `bounds` are the buckets' upper bounds, ascending.

    One without labels is shown from the start, empty.
    """

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str], bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = tuple(labels)
        self._bounds = tuple(bounds)
        self._series: dict[tuple[str, ...], Timing] = {} if labels else {(): Timing(self._bounds)}
        registry.register(self)

    def labels(self, *values: str) -> Timing:
        """Return the series of these label values, made when first asked for."""
        found = self._series.get(values)
        if found is None:
            found = self._series[values] = Timing(self._bounds)
        return found

    def observe(self, value: float) -> None:
        """Count one value of a histogram without labels."""
        self._series[()].observe(value)

    def describe(self) -> Iterable[Metric]:
        """Name the family without its series, for the registry."""
        return [HistogramMetricFamily(self._name, self._documentation, labels=self._labels)]

    @override
    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        shown = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        for values, timing in list(self._series.items()):
            buckets = list(zip(shown, map(float, accumulate(timing.counts)), strict=True))
            family.add_metric(values, buckets=buckets, sum_value=timing.total)
        return [family]
