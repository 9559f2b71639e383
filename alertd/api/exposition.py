"""What `/metrics` answers: all metrics in Prometheus' text format, without the `_created` series.

prometheus_client adds to every counter and histogram a series with the time of its birth. Nobody asks for it, and it is
a third of the page; the library's own switch is for the whole process, so they are left out here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import CollectorRegistry, Metric

    from alertd.engine.ruleset import Ruleset
    from alertd.matching.index import Index
    from alertd.metrics import Metrics


class Exposition:
    """Writes the page. `ruleset` gives the ruleset that decides now."""

    def __init__(self, metrics: Metrics, ruleset: Callable[[], Ruleset]) -> None:
        self._metrics = metrics
        self._ruleset = ruleset
        self._seen: WeakKeyDictionary[Index, int] = WeakKeyDictionary()

    def update(self) -> None:
        """Bring those metrics up to date that are kept elsewhere; call on the event loop before `write`."""
        for index in self._ruleset().indexes:
            count = index.fallbacks
            self._metrics.matching_fallbacks.inc(count - self._seen.get(index, 0))
            self._seen[index] = count

    def write(self) -> bytes:
        """Write the page; may run in a thread, as a page with many destinations takes its time."""
        return generate_latest(_Lean(self._metrics.registry))


class _Lean(Collector):
    """A registry as `generate_latest` looks at it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    @override
    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
