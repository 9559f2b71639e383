"""The compiling of one workspace: names become numbers, patterns an index, conditions functions. Pure and slow."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from alertd.engine.channel import NOBODY, Listeners
from alertd.engine.compiled import CompiledDerived, CompiledMetric, CompiledSubscription, Told, set_of
from alertd.engine.derivation import check_derivations
from alertd.engine.issues.incidents import IncidentRule
from alertd.engine.ladder import Ladder, ladder_of
from alertd.engine.layout import Laid, Layout
from alertd.engine.matcher import parse_matcher
from alertd.engine.patterns import literals, patterns_of
from alertd.engine.recompile import only_channels_changed, with_channels
from alertd.engine.rules import WorkspaceRules
from alertd.engine.schema import Schema
from alertd.matching.rope import compile_rope
from alertd.model.catalogue import derived_types, groups, known_types
from alertd.model.channel import SYSTEM_CHANNELS
from alertd.model.defaults import joins_defaults
from alertd.model.severity import BY_WORD, Severity
from alertd.model.span import span_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from alertd.matching.rope import Rope
    from alertd.model.derived_type import DerivedType
    from alertd.model.event_type import EventType
    from alertd.model.ids import NameKey
    from alertd.model.metric_alert import MetricAlert
    from alertd.model.subscription import Subscription
    from alertd.model.workspace import Incidents, Workspace


def compile_workspace(
    workspace: Workspace, ids: Mapping[NameKey, int], before: WorkspaceRules | None = None
) -> WorkspaceRules:
    """Compile a workspace whose names have numbers; from its rules `before` is taken over what did not change.

    Raises RulesetTooLargeError, DerivationError, and SchemaError.
    """
    if before is not None and only_channels_changed(before.layout.workspace, workspace):
        return with_channels(before, workspace, ids)
    rules = _Compiler(workspace, ids, before).rules()
    check_derivations(rules)
    return rules


class _Compiler:
    """Compiles one workspace, once."""

    def __init__(self, workspace: Workspace, ids: Mapping[NameKey, int], before: WorkspaceRules | None) -> None:
        self._workspace = workspace
        self._ids = ids
        self._before = before
        self._known = known_types(workspace)
        self._groups = groups(self._known)
        self._listeners: defaultdict[str, Listeners] = defaultdict(Listeners)
        self._named: list[tuple[tuple[str, ...], Listeners]] = []
        self._laid = Laid()
        self._places: list[int] = []

    def rules(self) -> WorkspaceRules:
        workspace = self._workspace
        subscriptions = self._subscriptions()
        for resource, compiled in zip(workspace.subscriptions, subscriptions, strict=True):
            for name in dict.fromkeys(resource.channels):
                self._listeners[name].subscriptions.append(compiled)
        for derived in derived_types(workspace):
            if derived.enabled:
                self._heard_by(derived).derived.append(self._derived(derived))
        metrics: list[CompiledMetric] = []
        for alert in workspace.metric_alerts:
            if alert.enabled:
                metrics.append(self._metric(alert, subscriptions))
                self._heard_by(alert).metrics.append(metrics[-1])
        self._lay_out()
        destinations = {each.name: self._number("destination", each.name) for each in workspace.destinations}
        schemas = {name: Schema(each.data_schema) for name, each in self._known.items() if each.data_schema}
        return WorkspaceRules(
            id=self._number("workspace", workspace.name),
            index=self._index(),
            channels=tuple(self._laid.channels),
            per_subscription=frozenset(destinations[d.name] for d in workspace.destinations if d.per_subscription),
            destinations=destinations,
            metrics={each.id: each for each in metrics},
            known=self._known,
            schemas=schemas,
            refuses=workspace.schema_policy == "refuse" and bool(schemas),
            learnt_types_max=workspace.learnt_types_max,
            incidents=_incident_rule(workspace.incidents),
            channel_count=len({channel.id for channel in self._laid.channels if channel.id}),
            layout=Layout(workspace, subscriptions, self._groups, dict(self._listeners), self._places),
        )

    def _number(self, kind: str, name: str) -> int:
        return self._ids[kind, self._workspace.name, name]

    def _index(self) -> Rope:
        patterns = tuple(self._laid.patterns)
        return compile_rope(patterns) if self._before is None else self._before.index.changed(patterns)

    # -- the channels ---------------------------------------------------------------------------------------------

    def _heard_by(self, resource: DerivedType | MetricAlert) -> Listeners:
        """Give what listens to a rule's channel, or to the types that it names."""
        if resource.channel is not None:
            return self._listeners[resource.channel]
        listeners = Listeners()
        self._named.append((resource.types, listeners))
        return listeners

    def _lay_out(self) -> None:
        """Put every channel at the positions of its patterns."""
        laid = self._laid
        for name in SYSTEM_CHANNELS:
            listeners = self._listeners.get(name, NOBODY)
            laid.put(listeners.channel(self._number("channel", name)), literals([name]))
        for channel in self._workspace.channels:
            number = self._number("channel", channel.name)
            compiled = self._listeners.get(channel.name, NOBODY).channel(number, channel.environments)
            self._places.append(laid.end)
            laid.put(compiled, patterns_of(channel, self._groups))
        self._places.append(laid.end)
        for types, listeners in self._named:
            laid.put(listeners.channel(0), literals(types))

    # -- what listens ---------------------------------------------------------------------------------------------

    def _subscriptions(self) -> list[CompiledSubscription]:
        """Compile them in their order; those that stand where they stood are known."""
        own = self._workspace.subscriptions
        known: Sequence[CompiledSubscription] = ()
        were: Sequence[Subscription] = ()
        if self._before is not None:
            known, were = self._before.layout.subscriptions, self._before.layout.workspace.subscriptions
        start, old_stop, new_stop = span_of(were, own)
        moved = [
            replace(each, order=order) if each.order != order else each
            for order, each in enumerate(known[old_stop:], new_stop)
        ]
        fresh = [self._subscription(order, each) for order, each in enumerate(own[start:new_stop], start)]
        return [*known[:start], *fresh, *moved]

    def _subscription(self, order: int, subscription: Subscription) -> CompiledSubscription:
        return CompiledSubscription(
            id=self._number("subscription", subscription.name),
            order=order,
            enabled=subscription.enabled,
            projects=set_of(subscription.projects),
            environments=set_of(subscription.environments),
            floor=BY_WORD[subscription.min_severity],
            matchers=tuple(parse_matcher(text, stored=True) for text in subscription.matchers),
            triggers=set_of(subscription.triggers),
            cooldown_ms=round(subscription.cooldown_seconds * 1000),
            destinations=self._destinations(subscription.destinations),
            ladder=ladder_of(subscription.occurrences, subscription.reset_after_seconds),
            rests=bool(subscription.cooldown_seconds or subscription.occurrences),
            quiet=joins_defaults(subscription),
        )

    def _destinations(self, names: Iterable[str]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(self._number("destination", name) for name in names))

    def _derived(self, derived: DerivedType) -> CompiledDerived:
        return CompiledDerived(
            id=self._number("derived_type", derived.name),
            name=derived.name,
            type=derived.type,
            ladder=Ladder(derived.occurrences, round(derived.reset_after_seconds * 1000)),
            by_environment=derived.per != "project",
            by_key=derived.per == "key",
            severity=_severity(derived.severity, self._known.get(derived.type)),
        )

    def _metric(self, alert: MetricAlert, subscriptions: list[CompiledSubscription]) -> CompiledMetric:
        return CompiledMetric(
            id=self._number("metric_alert", alert.name),
            name=alert.name,
            field=alert.field,
            above=alert.when == "above",
            limit=alert.limit,
            for_ms=round(alert.for_seconds * 1000),
            reminder_ms=round(alert.reminder_seconds * 1000),
            forget_ms=round(alert.forget_after_seconds * 1000),
            projects=frozenset(alert.projects),
            environments=frozenset(alert.environments),
            severity=BY_WORD[alert.severity],
            type=alert.type,
            resolved_type=alert.resolved_type,
            told=self._told(alert, subscriptions),
        )

    def _told(self, alert: MetricAlert, subscriptions: list[CompiledSubscription]) -> Told | None:
        if not alert.subscriptions and not alert.destinations:
            return None
        numbers = {self._number("subscription", name) for name in alert.subscriptions}
        own = CompiledSubscription(
            id=self._number("metric_alert", alert.name),
            order=-1,
            enabled=True,
            projects=frozenset(),
            environments=frozenset(),
            floor=Severity.DEBUG,
            matchers=(),
            triggers=frozenset(),
            cooldown_ms=0,
            destinations=self._destinations(alert.destinations),
        )
        return Told(tuple(s for s in subscriptions if s.id in numbers), own if own.destinations else None)


def _severity(own: str | None, known: EventType | None) -> Severity | None:
    if own is not None:
        return BY_WORD[own]
    return BY_WORD[known.severity] if known is not None and known.severity is not None else None


def _incident_rule(given: Incidents) -> IncidentRule:
    return IncidentRule(
        new=_chosen(given.new),
        regression=_chosen(given.regression),
        spike=_chosen(given.spike),
        unmuted=_chosen(given.unmuted),
        quiet_ms=round(given.quiet_seconds * 1000),
        follows_ms=round(given.after_deploy_seconds * 1000),
    )


def _chosen(environments: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if environments is None else frozenset(environments)
