"""The engine's memory: what it remembers between batches, and what time alone moves of it.

It is what the store holds of it, kept in memory: loaded at the start, changed by each batch that was committed.
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, field
from sys import intern
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from alertd.engine.metric import LATE_MS, advance, due_at
from alertd.engine.state import Changes, EngineState
from alertd.engine.timetable import Timetable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping

    from alertd.engine.compiled import CompiledMetric
    from alertd.engine.plan import Made, Plan
    from alertd.engine.ruleset import Ruleset
    from alertd.engine.state import CooldownKey, Count, RuleKey, Series
    from alertd.model.verdict import VerdictCode

KEYS_MAX: Final = 2_000_000
"""How many cooldowns, counts and series are remembered at most, each; beyond it the longest untouched go early."""
DUE_MAX: Final = 500
"""How many series one batch moves by time at most."""
_SLICE: Final = 10_000

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class Overlay:
    """What a batch under way changes, laid over the memory until it is committed."""

    cooldowns: dict[CooldownKey, int] = field(default_factory=dict)
    changes: Changes = field(default_factory=Changes)

    def take(self, decided: Plan) -> None:
        """Let the next plan see what this one changes."""
        if decided.cooldowns:
            self.cooldowns.update(decided.cooldowns)
        if decided.changes is not None:
            self.changes.take(decided.changes)


class EngineMemory:
    """Cooldowns, counts and series, with the timetable of the series; `evicted` counts what was forgotten early."""

    def __init__(self, keys_max: int = KEYS_MAX) -> None:
        self.cooldowns: dict[CooldownKey, int] = {}
        self.counts: dict[RuleKey, Count] = {}
        self.series: dict[RuleKey, Series] = {}
        self.evicted = 0
        self._keys_max = keys_max
        self._timetable = Timetable()
        self._metrics: dict[int, tuple[str, CompiledMetric]] = {}

    def load(
        self,
        cooldowns: Mapping[CooldownKey, int],
        counts: Mapping[RuleKey, Count],
        series: Mapping[RuleKey, Series],
        now_ms: int,
    ) -> None:
        """Take what was stored. A series that was seen under a clock that was ahead counts from now."""
        self._fill(self.cooldowns, cooldowns)
        self._fill(self.counts, counts)
        self._fill(self.series, {key: _not_ahead(each, now_ms) for key, each in series.items()})
        self._schedule_all()

    def use(self, ruleset: Ruleset) -> None:
        """Follow a ruleset's metric alerts from now on."""
        metrics = {number: (name, m) for name, own in ruleset.workspaces.items() for number, m in own.metrics.items()}
        if metrics != self._metrics:
            self._metrics = metrics
            self._schedule_all()

    def state(self, overlay: Overlay, closed: Mapping[int, VerdictCode]) -> EngineState:
        """Show the memory through what a batch under way has changed so far."""
        return layered(EngineState(self.cooldowns, closed, self.counts, self.series), overlay)

    def absorb(self, cooldowns: Mapping[CooldownKey, int], changes: Changes) -> None:
        """Take what a committed batch has changed."""
        self._renew(self.cooldowns, cooldowns)
        self._renew(self.counts, changes.counts)
        for key, series in changes.series.items():
            self._timetable.put(key, self._due_at(key, series))
            if series is None:
                self.series.pop(key, None)
        self._renew(self.series, {key: series for key, series in changes.series.items() if series is not None})

    def sizes(self) -> dict[str, int]:
        """How much is remembered, by kind."""
        return {"cooldown": len(self.cooldowns), "count": len(self.counts), "series": len(self.series)}

    def forget(self, now_ms: int) -> Iterator[int]:
        """Forget what is over, a slice with each step, which gives how many went with it."""
        for known, is_over in self._expiring(now_ms):
            over = [key for key, value in known.items() if is_over(value)]
            for start in range(0, len(over), _SLICE):
                going = [key for key in over[start : start + _SLICE] if key in known and is_over(known[key])]
                for key in going:
                    del known[key]
                yield len(going)

    # -- time -----------------------------------------------------------------------------------------------------

    def next_due_ms(self) -> int | None:
        """When time will next move something."""
        return self._timetable.next()

    def due(self, now_ms: int, overlay: Overlay) -> list[Made]:
        """Move the series that are due; note how in `overlay` and return what the alerts make.

        Nothing is forgotten of what was due until the batch is absorbed, so that it may be tried again.
        """
        made: list[Made] = []
        for key in self._timetable.due(now_ms, DUE_MAX):
            known, rule = self.series.get(key), self._metrics.get(key[0])
            if known is None or rule is None:
                overlay.changes.series[key] = None
                continue
            overlay.changes.series[key], said = advance(rule[1], key, rule[0], known, now_ms)
            made += [] if said is None else [said]
        return made

    # -- below ----------------------------------------------------------------------------------------------------

    def _renew(self, known: dict[RuleKey, V], changed: Mapping[RuleKey, V]) -> None:
        """Put what has changed last, so that the first are those that were untouched the longest.

        Names of projects and environments are kept once, for there are few of them and very many keys.
        """
        for key, value in changed.items():
            known.pop(key, None)
            known[(key[0], intern(key[1]), intern(key[2]), key[3])] = value
        self._evict(known)

    def _fill(self, known: dict[RuleKey, V], stored: Mapping[RuleKey, V]) -> None:
        known.update(stored)
        self._evict(known)

    def _evict(self, known: dict[RuleKey, V]) -> None:
        for _ in range(len(known) - self._keys_max):
            del known[next(iter(known))]
            self.evicted += 1

    def _schedule_all(self) -> None:
        self._timetable.clear()
        for key, series in self.series.items():
            self._timetable.put(key, self._due_at(key, series))

    def _due_at(self, key: RuleKey, series: Series | None) -> int | None:
        """When time moves a series: at once when the alert that it belongs to is gone."""
        rule = self._metrics.get(key[0])
        if series is None:
            return None
        return 0 if rule is None else due_at(rule[1], series)

    def _expiring(self, now_ms: int) -> Iterator[tuple[dict[Any, Any], Callable[[Any], bool]]]:
        yield self.cooldowns, lambda until: until <= now_ms
        yield self.counts, lambda count: count.until_ms <= now_ms
        yield self.series, lambda series: series.since_ms is None and series.seen_ms <= now_ms - LATE_MS


def layered(state: EngineState, overlay: Overlay) -> EngineState:
    """Show a state through what is laid over it."""
    changes = overlay.changes
    return EngineState(
        _over(overlay.cooldowns, state.cooldowns),
        state.closed,
        _over(changes.counts, state.counts),
        _over(changes.series, state.series),
    )


def _over(upper: dict[K, V], lower: Mapping[K, V]) -> Mapping[K, V]:
    return ChainMap(upper, cast("MutableMapping[K, V]", lower))  # nothing is ever written through it


def _not_ahead(series: Series, now_ms: int) -> Series:
    return series._replace(
        seen_ms=min(series.seen_ms, now_ms),
        time_ms=min(series.time_ms, now_ms),
        since_ms=None if series.since_ms is None else min(series.since_ms, now_ms),
        told_ms=None if series.told_ms is None else min(series.told_ms, now_ms),
    )
