"""Compiled rules: what is left of a workspace's resources when everything is looked up by number and ready to decide.

Deciding asks `WorkspaceRules.scope` for what an event's type, project and environment select. Answers are cached; what
is not in the cache costs as much as it selects, not as much as there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from alertd.engine.compiled import CompiledSubscription
from alertd.matching.pattern import SYSTEM_PREFIX
from alertd.model.verdict import Verdict, VerdictCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from alertd.engine.channel import CompiledChannel
    from alertd.engine.compiled import CompiledDerived, CompiledMetric
    from alertd.engine.issues.incidents import IncidentRule
    from alertd.engine.layout import Layout
    from alertd.engine.schema import Schema
    from alertd.matching.rope import Rope
    from alertd.model.event_type import EventType

SCOPE_CACHE_ENTRIES: Final = 65536
"""Bound of the cache of scopes in one workspace, in (type, project, environment) triples; emptied when full."""

Candidate = tuple[CompiledSubscription, Verdict]
"""A subscription with the verdict it gives when nothing stands against: sent, by the first channel that matched."""


@dataclass(frozen=True, slots=True)
class Scope:
    """All that an event of one type, project and environment concerns; `plain` says that it is nothing but candidates.

    Shapes: `system` says that the type is about alertd itself; `closed` are destinations that reach nobody here;
    `known` is what the workspace knows of the type.
    """

    candidates: tuple[Candidate, ...]
    plain: bool
    system: bool
    derived: tuple[CompiledDerived, ...]
    metrics: tuple[CompiledMetric, ...]
    schema: Schema | None
    closed: Mapping[int, VerdictCode]


@dataclass(slots=True)
class WorkspaceRules:
    """One workspace's compiled resources.

    Shapes: `channels` stand at the positions of the index's patterns, one several times when it has several;
    `destinations` are numbers by name; `reach` gives for destinations that write to people the projects in which they
    reach any (absent: everywhere); `needs_issue` are destinations whose format cannot do without an issue;
    `incidents` says what opens an incident, and when it is over; `channel_count` is how many channels decide, the
    built-in ones included; `layout` is what the next rules can take over.
    """

    id: int
    index: Rope
    channels: tuple[CompiledChannel, ...]
    per_subscription: frozenset[int]
    destinations: Mapping[str, int]
    metrics: Mapping[int, CompiledMetric]
    known: Mapping[str, EventType]
    schemas: Mapping[str, Schema]
    refuses: bool
    learnt_types_max: int
    incidents: IncidentRule
    channel_count: int
    layout: Layout = field(repr=False, compare=False)
    reach: Mapping[int, frozenset[str]] = field(default_factory=dict)
    needs_issue: frozenset[int] = frozenset()
    _scopes: dict[tuple[str, str, str], Scope] = field(default_factory=dict)

    @property
    def defaults(self) -> frozenset[int]:
        """The numbers of subscriptions that join critical types to the owner, as the default ones do."""
        return frozenset(each.id for each in self.layout.subscriptions if each.quiet)

    def scope(self, event_type: str, project: str, environment: str) -> Scope:
        """Give everything whose channel, project and environment take such an event, in the order of the file."""
        where = (event_type, project, environment)
        found = self._scopes.get(where)
        if found is None:
            if len(self._scopes) >= SCOPE_CACHE_ENTRIES:
                self._scopes.clear()
            found = self._scopes[where] = self._select(event_type, project, environment)
        return found

    def _select(self, event_type: str, project: str, environment: str) -> Scope:
        heard: dict[int, tuple[CompiledSubscription, CompiledChannel]] = {}
        derived: dict[int, CompiledDerived] = {}
        metrics: dict[int, CompiledMetric] = {}
        for position in self.index.lookup(event_type):
            channel = self.channels[position]
            if channel.subscriptions:
                _hear(heard, channel, _inside(channel, project, environment))
            if (channel.derived or channel.metrics) and _sees(channel, environment):
                derived.update((each.id, each) for each in channel.derived)
                metrics.update((m.id, m) for m in channel.metrics if not _outside(m, project, environment))
        candidates = tuple(_candidate(*heard[order]) for order in sorted(heard))
        closed = self._unreached(project, candidates) if self.reach else {}
        system, schema = event_type.startswith(SYSTEM_PREFIX), self.schemas.get(event_type)
        return Scope(
            candidates,
            not (derived or metrics or closed or system or schema is not None or self.needs_issue),
            system,
            tuple(derived.values()),
            tuple(metrics.values()),
            schema,
            closed,
        )

    def _unreached(self, project: str, candidates: Iterable[Candidate]) -> dict[int, VerdictCode]:
        """Say which destinations reach nobody here, of those that the candidates or a metric alert may tell."""
        told = (each for metric in self.metrics.values() if metric.told is not None for each in metric.told.everybody)
        used = {number for each in (*(each for each, _ in candidates), *told) for number in each.destinations}
        return {d: VerdictCode.NOT_CONFIGURED for d in used & self.reach.keys() if project not in self.reach[d]}

    def forget_scopes(self) -> None:
        """Remember nothing any more of what was selected, without touching the rules that it was shared with."""
        self._scopes = {}

    def listening(self, event_type: str) -> Iterable[tuple[CompiledSubscription, list[CompiledChannel]]]:
        """Every subscription with a channel that matches a type, each once with all of these channels."""
        found: dict[int, tuple[CompiledSubscription, list[CompiledChannel]]] = {}
        for position in self.index.lookup(event_type):
            channel = self.channels[position]
            for subscription in channel.subscriptions:
                found.setdefault(subscription.order, (subscription, []))[1].append(channel)
        return [found[order] for order in sorted(found)]


def _hear(
    heard: dict[int, tuple[CompiledSubscription, CompiledChannel]],
    channel: CompiledChannel,
    subscriptions: Iterable[CompiledSubscription],
) -> None:
    """Note who listens; a channel without limits on environments speaks before one with."""
    for subscription in subscriptions:
        known = heard.get(subscription.order)
        if known is None or (known[1].environments and not channel.environments):
            heard[subscription.order] = (subscription, channel)


def _inside(channel: CompiledChannel, project: str, environment: str) -> Iterable[CompiledSubscription]:
    if channel.index is not None:
        return channel.index.at(project, environment)
    return (s for s in channel.subscriptions if excluded_by(s, (channel,), project, environment) is None)


def _candidate(subscription: CompiledSubscription, channel: CompiledChannel) -> Candidate:
    return subscription, Verdict(subscription.id, channel.id, VerdictCode.SENT)


def _sees(channel: CompiledChannel, environment: str) -> bool:
    return not channel.environments or environment in channel.environments


def _outside(rule: CompiledSubscription | CompiledMetric, project: str, environment: str) -> VerdictCode | None:
    if rule.projects and project not in rule.projects:
        return VerdictCode.PROJECT
    if rule.environments and environment not in rule.environments:
        return VerdictCode.ENVIRONMENT
    return None


def excluded_by(
    subscription: CompiledSubscription, channels: Iterable[CompiledChannel] | None, project: str, environment: str
) -> VerdictCode | None:
    """Name the field that puts an event out of a subscription's scope, None when it is in.

    `channels` are those of its channels that match the type; None where no channel has a say.
    """
    outside = _outside(subscription, project, environment)
    if outside is None and channels is not None and not any(_sees(channel, environment) for channel in channels):
        return VerdictCode.ENVIRONMENT
    return outside
