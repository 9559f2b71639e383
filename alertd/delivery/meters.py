"""One lane's metrics, their children kept, so that a delivery costs no label look-up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.model.delivery import DeliveryState, OutcomeKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prometheus_client import Counter

    from alertd.metrics import Metrics
    from alertd.model.delivery import Attempt


class Meters:
    """What one lane counts. Children of counters, but for that of deaths, are made when first needed: an idle lane is cheap.

    `took` observes how long an attempt took, in seconds; `deaths` is how many deliveries have died since the start.
    """

    __slots__ = (
        "_attempts",
        "_by_outcome",
        "_by_state",
        "_deliveries",
        "_metrics",
        "_removed",
        "_where",
        "deaths",
        "took",
    )

    def __init__(self, metrics: Metrics, workspace: str, name: str, depth: Callable[[], float]) -> None:
        self._metrics = metrics
        self._where = (workspace, name)
        self.took: Callable[[float], None] = self._took_first
        self._attempts = [0] * len(OutcomeKind)
        self._deliveries = [0] * len(DeliveryState)
        self._by_outcome: dict[int, Counter] = {}
        self._by_state: dict[int, Counter] = {}
        self.deaths = 0
        self._removed = False
        metrics.lane_depth.labels(*self._where).set_function(depth)
        self.breaker(opened=False)
        self._reaching(DeliveryState.DEAD)  # 0 from the beginning: the first death is an increase

    def capacity(self, bound: int) -> None:
        """Show the lane's bound."""
        self._metrics.lane_capacity.labels(*self._where).set(bound)

    def breaker(self, *, opened: bool) -> None:
        """Show whether the breaker is open."""
        if not self._removed:
            self._metrics.breaker_open.labels(*self._where).set(opened)

    def disabled(self, *, disabled: bool) -> None:
        """Show whether the destination takes nothing."""
        self._metrics.destination_disabled.labels(*self._where).set(disabled)

    def stored(self, attempts: Sequence[Attempt]) -> None:
        """Count attempts that are stored, so that the counters agree with the history."""
        outcomes, states = self._attempts, self._deliveries
        for attempt in attempts:
            outcomes[attempt.outcome.kind] += 1
            states[attempt.state] += 1
        for kind, count in enumerate(outcomes):
            if count:
                (self._by_outcome.get(kind) or self._counting(OutcomeKind(kind))).inc(count)
                outcomes[kind] = 0
        for state, count in enumerate(states):
            if count:
                self.ended(DeliveryState(state), count)
                states[state] = 0

    def ended(self, state: DeliveryState, count: int) -> None:
        """Count deliveries that reached a state."""
        if state is DeliveryState.DEAD:
            self.deaths += count
        (self._by_state.get(state) or self._reaching(state)).inc(count)

    def digested(self, count: int, *, made: bool) -> None:
        """Count deliveries that came together in a digest, and the digest if it is new."""
        self._metrics.digested.labels(*self._where).inc(count)
        self._metrics.digests.labels(*self._where).inc(made)

    def remove(self) -> None:
        """Take down the gauges: the destination is removed, and another lane shows them if it comes back. Its counters stay."""
        if self._removed:
            return
        self._removed = True
        metrics = self._metrics
        for gauge in (metrics.lane_depth, metrics.lane_capacity, metrics.breaker_open, metrics.destination_disabled):
            gauge.remove(*self._where)

    def _counting(self, kind: OutcomeKind) -> Counter:
        found = self._by_outcome[kind] = self._metrics.attempts.labels(*self._where, kind.word)
        return found

    def _reaching(self, state: DeliveryState) -> Counter:
        found = self._by_state[state] = self._metrics.deliveries.labels(*self._where, state.word)
        return found

    def _took_first(self, seconds: float) -> None:
        self.took = self._metrics.attempt_seconds.labels(*self._where).observe
        self.took(seconds)
