"""A ruleset: all resources of all workspaces, compiled for deciding; immutable, swapped in one step.

Compiling is pure and slow (a set of 10,000 patterns takes tens of milliseconds), so it runs off the event loop.
Deciding asks `scope` for the subscriptions that an event's type, project and environment select; answers are cached.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from alertd.engine.matcher import Matcher, parse_matcher
from alertd.matching.index import Index, compile_index
from alertd.matching.pattern import PatternKind, compile_pattern
from alertd.model.channel import SYSTEM_CHANNELS
from alertd.model.severity import BY_WORD, Severity
from alertd.model.verdict import Verdict, VerdictCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from alertd.model.channel import Channel
    from alertd.model.subscription import Subscription
    from alertd.model.workspace import Workspace

NameKey = tuple[str, str, str]
"""(kind, workspace, name)"""

SCOPE_CACHE_ENTRIES: Final = 65536
"""Bound of the cache of scopes in one workspace, in (type, project, environment) triples; emptied when full."""


@dataclass(frozen=True, slots=True)
class CompiledSubscription:
    """A subscription with numbers for names and its conditions compiled; `order` is its place in the file."""

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


@dataclass(frozen=True, slots=True)
class CompiledChannel:
    """A channel's number, the environments that it sees (empty: all) and the subscriptions that listen to it."""

    id: int
    environments: frozenset[str]
    subscriptions: tuple[CompiledSubscription, ...]


Candidate = tuple[CompiledSubscription, Verdict]
"""A subscription with the verdict it gives when nothing stands against: sent, by the first channel that matched."""


@dataclass(slots=True)
class WorkspaceRules:
    """One workspace's compiled resources."""

    id: int
    index: Index
    channels: tuple[CompiledChannel, ...]
    per_subscription: frozenset[int]
    _scopes: dict[tuple[str, str, str], tuple[Candidate, ...]] = field(default_factory=dict)

    def scope(self, event_type: str, project: str, environment: str) -> tuple[Candidate, ...]:
        """All subscriptions whose channel, project and environment take such an event, in the order of the file."""
        where = (event_type, project, environment)
        found = self._scopes.get(where)
        if found is None:
            if len(self._scopes) >= SCOPE_CACHE_ENTRIES:
                self._scopes.clear()
            found = self._scopes[where] = self._select(event_type, project, environment)
        return found

    def _select(self, event_type: str, project: str, environment: str) -> tuple[Candidate, ...]:
        return tuple(
            (subscription, Verdict(subscription.id, channel.id, VerdictCode.SENT))
            for subscription, channel in self.listening(event_type)
            if not excluded_by(subscription, channel, project, environment)
        )

    def listening(self, event_type: str) -> Iterable[tuple[CompiledSubscription, CompiledChannel]]:
        """Every subscription with a channel that matches a type, each once with the channel that speaks for it.

        A channel without limits on environments speaks before one with.
        """
        found: dict[int, tuple[CompiledSubscription, CompiledChannel]] = {}
        for position in self.index.lookup(event_type):
            channel = self.channels[position]
            for subscription in channel.subscriptions:
                known = found.get(subscription.order)
                if known is None or (known[1].environments and not channel.environments):
                    found[subscription.order] = (subscription, channel)
        return [found[order] for order in sorted(found)]


def excluded_by(
    subscription: CompiledSubscription, channel: CompiledChannel, project: str, environment: str
) -> str | None:
    """Name the field of the scope that keeps an event from a subscription: project, environment or None."""
    if subscription.projects and project not in subscription.projects:
        return "project"
    if subscription.environments and environment not in subscription.environments:
        return "environment"
    if channel.environments and environment not in channel.environments:
        return "environment"
    return None


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All workspaces; `revision` numbers it; `ids` are the numbers of what it holds.

    `names` gives every number that was ever made its name back, those of resources that are gone too.
    """

    revision: int
    workspaces: Mapping[str, WorkspaceRules]
    ids: Mapping[NameKey, int]
    names: Mapping[int, NameKey]

    @property
    def channel_count(self) -> int:
        """How many channels decide, the built-in ones included."""
        return sum(len(rules.channels) for rules in self.workspaces.values())

    @property
    def fallbacks(self) -> int:
        """How many look-ups had to try each pattern alone."""
        return sum(rules.index.fallbacks for rules in self.workspaces.values())


def name_keys(workspaces: Sequence[Workspace]) -> list[NameKey]:
    """List every name that a ruleset of these workspaces needs a number for."""
    keys: list[NameKey] = []
    for workspace in workspaces:
        own = workspace.name
        keys.append(("workspace", own, own))
        keys += [("channel", own, name) for name in SYSTEM_CHANNELS]
        keys += [("channel", own, channel.name) for channel in workspace.channels]
        keys += [("destination", own, destination.name) for destination in workspace.destinations]
        keys += [("subscription", own, subscription.name) for subscription in workspace.subscriptions]
    return keys


def compile_ruleset(
    workspaces: Sequence[Workspace],
    ids: Mapping[NameKey, int],
    revision: int,
    names: Mapping[int, NameKey] | None = None,
) -> Ruleset:
    """Compile workspaces whose names have the numbers `ids`; `names` adds those of the past.

    Raises PatternError (and its like from `compile_index`) for patterns, KeyError never when the configuration was
    checked.
    """
    rules = {workspace.name: _compile_workspace(workspace, ids) for workspace in workspaces}
    return Ruleset(revision, rules, ids, {**(names or {}), **{number: key for key, number in ids.items()}})


def _compile_workspace(workspace: Workspace, ids: Mapping[NameKey, int]) -> WorkspaceRules:
    own = workspace.name
    listeners: dict[str, list[CompiledSubscription]] = {}
    for order, subscription in enumerate(workspace.subscriptions):
        compiled = _compile_subscription(own, order, subscription, ids)
        for name in dict.fromkeys(subscription.channels):
            listeners.setdefault(name, []).append(compiled)
    patterns = [compile_pattern(PatternKind.LITERAL, name) for name in SYSTEM_CHANNELS]
    patterns += [compile_pattern(PatternKind(channel.kind), channel.pattern or "") for channel in workspace.channels]
    named: list[tuple[str, Channel | None]] = [(name, None) for name in SYSTEM_CHANNELS]
    named += [(channel.name, channel) for channel in workspace.channels]
    return WorkspaceRules(
        id=ids["workspace", own, own],
        index=compile_index(patterns),
        channels=tuple(
            CompiledChannel(
                ids["channel", own, name],
                frozenset(channel.environments if channel else ()),
                tuple(listeners.get(name, ())),
            )
            for name, channel in named
        ),
        per_subscription=frozenset(
            ids["destination", own, d.name] for d in workspace.destinations if d.per_subscription
        ),
    )


def _compile_subscription(
    workspace: str, order: int, subscription: Subscription, ids: Mapping[NameKey, int]
) -> CompiledSubscription:
    return CompiledSubscription(
        id=ids["subscription", workspace, subscription.name],
        order=order,
        enabled=subscription.enabled,
        projects=frozenset(subscription.projects),
        environments=frozenset(subscription.environments),
        floor=BY_WORD[subscription.min_severity],
        matchers=tuple(parse_matcher(text) for text in subscription.matchers),
        triggers=frozenset(subscription.triggers),
        cooldown_ms=round(subscription.cooldown_seconds * 1000),
        destinations=tuple(dict.fromkeys(ids["destination", workspace, d] for d in subscription.destinations)),
    )
