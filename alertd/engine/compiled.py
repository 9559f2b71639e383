"""What resources compile to, one by one: numbers for names, everything ready to decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.engine.ladder import Ladder
    from alertd.engine.matcher import Matcher
    from alertd.model.severity import Severity


@dataclass(frozen=True, slots=True)
class CompiledSubscription:
    """A subscription with numbers for names and its conditions compiled; `order` is its place in the file.

    `rests` says that it may rest because of what came before: it has a cooldown or a ladder; `quiet` that it is a default
    one, of which there is one for each project, and which is not mentioned where it is out of scope.
    """

    id: int
    order: int
    enabled: bool
    projects: frozenset[str]
    environments: frozenset[str]
    floor: Severity
    matchers: tuple[Matcher, ...]
    triggers: frozenset[str]
    cooldown_ms: int
    destinations: tuple[int, ...]
    ladder: Ladder | None = None
    rests: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """Whom a metric alert tells: these alone. `own` stands for the destinations that it names itself."""

    subscriptions: tuple[CompiledSubscription, ...]
    own: CompiledSubscription | None

    @property
    def everybody(self) -> tuple[CompiledSubscription, ...]:
        """All of them."""
        return self.subscriptions if self.own is None else (*self.subscriptions, self.own)


@dataclass(frozen=True, slots=True)
class CompiledDerived:
    """A derived type; `severity` None is that of the cause."""

    id: int
    name: str
    type: str
    ladder: Ladder
    by_environment: bool
    by_key: bool
    severity: Severity | None


@dataclass(frozen=True, slots=True)
class CompiledMetric:
    """A metric alert; durations in milliseconds, `reminder_ms` 0 is none; `told` None is whoever listens."""

    id: int
    name: str
    field: str
    above: bool
    limit: float
    for_ms: int
    reminder_ms: int
    forget_ms: int
    projects: frozenset[str]
    environments: frozenset[str]
    severity: Severity
    type: str
    resolved_type: str
    told: Told | None


def set_of(names: Sequence[str]) -> frozenset[str]:
    """Make a set; an empty one is always the same, since there are very many and each would take 216 bytes."""
    return frozenset(names) if names else _NONE


_NONE: Final[frozenset[str]] = frozenset()
