"""The router: one event in, its plan out. Pure: no await, no clock, no I/O, no log.

For each subscription in the event's scope it weighs, in this order: enabled, severity, triggers, matchers, occurrences,
whether any destination takes deliveries, cooldown. The first that decides against it is the verdict; else it is `sent`.
An occurrence is counted when all that stands before it holds, whatever follows; a cooldown is taken only by what is sent.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from alertd.engine.derive import derive
from alertd.engine.making import SOURCE
from alertd.engine.metric import told_of, weigh
from alertd.engine.plan import Plan
from alertd.engine.rules import excluded_by
from alertd.engine.state import Changes, EngineState
from alertd.model.delivery import Delivery
from alertd.model.event import SIMULATION
from alertd.model.verdict import Verdict, VerdictCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from alertd.engine.compiled import CompiledSubscription, Told
    from alertd.engine.ladder import Ladder
    from alertd.engine.plan import Made
    from alertd.engine.rules import Candidate, Scope, WorkspaceRules
    from alertd.engine.ruleset import Ruleset
    from alertd.model.event import Event

__all__ = ["EngineState", "excluded", "plan"]

_Reason = tuple[VerdictCode, int | None]
"""What stands against an event, and its detail."""

_SENT: Final = VerdictCode.SENT
_DISABLED: Final[_Reason] = (VerdictCode.DISABLED, None)
_SEVERITY: Final[_Reason] = (VerdictCode.SEVERITY, None)
_TRIGGER: Final[_Reason] = (VerdictCode.TRIGGER, None)
_RECENT: Final = 4096
Position = tuple[int, int]
"""Where an event stands on a ladder: its count, and the next one that is sent (0: none)."""


def plan(
    ruleset: Ruleset, state: EngineState, event: Event, number: int, now_ms: int, made: Made | None = None
) -> Plan:
    """Decide about one event that has the number `number` at the time `now_ms`; `made` when alertd itself has made it.

    The workspace must be known (KeyError otherwise). Applying the plan's cooldowns and changes to `state`, and planning
    what it makes, before the next event is the caller's part (`alertd.engine.chain`).
    """
    rules = ruleset.workspaces[event.workspace]
    scope = rules.scope(event.type, event.project, event.environment)
    candidates: Sequence[Candidate] = scope.candidates
    if made is not None and made.told is not None:
        candidates = tuple(_told(made.told, event))
    found = Plan(event, number, rules.id, bool(candidates), [], [], {})
    closed = state.closed
    if not scope.plain:
        closed = _closed(rules, scope, event, closed)
        _weigh_rules(found, scope, state, now_ms, made)
    verdicts = found.verdicts
    reached: dict[int, Delivery] = {}
    for subscription, sent in candidates:
        against = _unmet(subscription, event)
        if against is not None:
            verdicts.append(_against(sent.subscription_id, sent.channel_id, against))
            continue
        verdict = sent
        if closed or subscription.rests:
            verdict = _weigh_state(subscription, sent, found, state, closed, now_ms)
        verdicts.append(verdict)
        if verdict.code is _SENT:
            _deliver(found, subscription, verdict, reached, rules.per_subscription, now_ms)
    return found


def _deliver(
    found: Plan,
    subscription: CompiledSubscription,
    verdict: Verdict,
    reached: dict[int, Delivery],
    per_subscription: frozenset[int],
    now_ms: int,
) -> None:
    """Add the deliveries of what is sent: one for each destination, unless it wants one for each subscription."""
    event, number, deliveries = found.event, found.number, found.deliveries
    shut = {destination for destination, _ in verdict.destinations} if verdict.destinations else ()
    moment = event.time, event.is_simulated
    for destination_id in subscription.destinations:
        if shut and destination_id in shut:
            continue
        known = reached.get(destination_id)
        if known is not None and destination_id not in per_subscription:
            known.also += (subscription.id,)
            continue
        made = reached[destination_id] = Delivery(
            number + 1 + len(deliveries), number, destination_id, verdict.subscription_id, verdict.channel_id,
            0, now_ms, event.type, event.payload, event.trigger, moment=moment,
        )  # fmt: skip
        deliveries.append(made)


def _weigh_state(
    subscription: CompiledSubscription,
    sent: Verdict,
    found: Plan,
    state: EngineState,
    closed: Mapping[int, VerdictCode],
    now_ms: int,
) -> Verdict:
    """Weigh what depends on more than the event: occurrences, destinations, cooldown."""
    event = found.event
    if subscription.ladder is not None:
        position = _climb(subscription.ladder, subscription.id, found, state, now_ms)
        if not subscription.ladder.has(position[0]):
            return Verdict(sent.subscription_id, sent.channel_id, VerdictCode.OCCURRENCES, position)
        sent = replace(sent, detail=position)
    if closed and not closed.keys().isdisjoint(subscription.destinations):
        sent = _without_closed(subscription, sent, closed)
        if sent.code is not _SENT:
            return sent
    if subscription.cooldown_ms:
        key = _place(subscription.id, event)
        remaining = state.cooldowns.get(key, 0) - now_ms
        # No rest is longer than the cooldown: one that is was begun while the clock was ahead, or under a longer cooldown.
        if 0 < remaining <= subscription.cooldown_ms:
            detail = (remaining, *sent.detail) if isinstance(sent.detail, tuple) else remaining
            return Verdict(sent.subscription_id, sent.channel_id, VerdictCode.COOLDOWN, detail)
        found.cooldowns[key] = now_ms + subscription.cooldown_ms
    return sent


def _unmet(subscription: CompiledSubscription, event: Event) -> _Reason | None:
    """Name the first condition on the event itself that does not hold, with its detail; None when all hold."""
    if not subscription.enabled:
        return _DISABLED
    if event.severity < subscription.floor:
        return _SEVERITY
    if subscription.triggers and event.trigger not in subscription.triggers:
        return _TRIGGER
    for position, matcher in enumerate(subscription.matchers):
        if not matcher.matches(event.body):
            return VerdictCode.MATCHER, position
    return None


@lru_cache(_RECENT)
def _against(subscription_id: int, channel_id: int, reason: _Reason) -> Verdict:
    """Make a verdict of what does not hold; such verdicts repeat, and making one costs a microsecond."""
    return Verdict(subscription_id, channel_id, *reason)


def _climb(ladder: Ladder, subscription_id: int, found: Plan, state: EngineState, now_ms: int) -> Position:
    """Count this occurrence and say where it stands."""
    event = found.event
    key = _place(subscription_id, event)
    counted = ladder.step(state.counts.get(key), now_ms)
    _changes(found).counts[key] = counted
    return ladder.position(counted.times)


def _without_closed(subscription: CompiledSubscription, sent: Verdict, closed: Mapping[int, VerdictCode]) -> Verdict:
    """Take out the destinations that take nothing now; without any left that is the verdict."""
    shut = tuple((d, closed[d]) for d in subscription.destinations if d in closed)
    if len(shut) < len(subscription.destinations):
        return replace(sent, destinations=shut)
    code = shut[0][1]
    others = tuple(pair for pair in shut if pair[1] is not code)
    return Verdict(sent.subscription_id, sent.channel_id, code, None, others)


# -- what concerns few events -------------------------------------------------------------------------------------


def _told(told: Told, event: Event) -> Iterator[Candidate]:
    """Give those whom a metric alert tells, under their own scope."""
    for subscription in told.subscriptions:
        if excluded_by(subscription, None, event.project, event.environment) is None:
            yield subscription, Verdict(subscription.id, 0, VerdictCode.SENT)
    if told.own is not None:
        yield told.own, Verdict(told.own.id, 0, VerdictCode.SENT)


def _closed(
    rules: WorkspaceRules, scope: Scope, event: Event, closed: Mapping[int, VerdictCode]
) -> Mapping[int, VerdictCode]:
    """Add the destinations that do not take this very event."""
    more: dict[int, VerdictCode] = {}
    if rules.needs_issue and not event.group and not _tells_of_issue(event.body):
        more |= dict.fromkeys(rules.needs_issue, VerdictCode.FORMAT_NEEDS_ISSUE)
    more |= scope.closed
    if scope.system:
        data = event.body.get("data")
        about = rules.destinations.get(str(data.get("destination"))) if isinstance(data, dict) else None
        if about is not None:
            more[about] = VerdictCode.ABOUT_ITSELF
    return {**more, **closed} if more else closed


def _tells_of_issue(body: Mapping[str, Any]) -> bool:
    """Tell whether an event that belongs to no issue is about one: it says so, or tells that one was unmuted.

    Of the other events `issue.*` the error that caused them has told already; what a person unmutes no error tells.
    """
    if body.get("issue") is not None:
        return True
    data = body.get("data")
    is_own = body.get("source") == SOURCE and body["type"] == "issue.unmuted"
    return is_own and isinstance(data, dict) and "issue" in data


def _weigh_rules(found: Plan, scope: Scope, state: EngineState, now_ms: int, made: Made | None) -> None:
    """Hold the data against its schema, count for derived types, look at metric alerts' values."""
    event = found.event
    if scope.schema is not None:
        found.violations = scope.schema.violations(event.body.get("data"))
    if event.is_simulated:
        return
    if scope.derived:
        found.makes += derive(scope.derived, state.counts, event, now_ms, made, _changes(found))
    if scope.metrics and made is None:
        found.makes += weigh(scope.metrics, state.series, event, now_ms, _changes(found))


def _place(subscription_id: int, event: Event) -> tuple[int, str, str, str]:
    """Name what a cooldown or a count is kept for. What is simulated has its own, so that it quiets nothing real."""
    key = event.group or event.key
    if event.is_simulated:
        key = f"{SIMULATION} {key}"
    return subscription_id, event.project, event.environment, key


def _changes(found: Plan) -> Changes:
    if found.changes is None:
        found.changes = Changes()
    return found.changes


def excluded(ruleset: Ruleset, event: Event) -> list[Verdict]:
    """Verdicts of the subscriptions that an event does not reach by scope, each with the field that leaves it out.

    Those are the subscriptions whose channels match. What a metric alert has made and tells some alone leaves out all
    others.
    """
    rules = ruleset.workspaces[event.workspace]
    told = told_of(rules.metrics.values(), event)
    if told is not None:
        return list(_left_out(rules, told, event))
    return [
        Verdict(subscription.id, channels[0].id, why)
        for subscription, channels in rules.listening(event.type)
        if not subscription.quiet
        and (why := excluded_by(subscription, channels, event.project, event.environment)) is not None
    ]


def _left_out(rules: WorkspaceRules, told: Told, event: Event) -> Iterator[Verdict]:
    named = {subscription.id for subscription in told.subscriptions}
    for subscription in told.subscriptions:
        why = excluded_by(subscription, None, event.project, event.environment)
        if why is not None:
            yield Verdict(subscription.id, 0, why)
    for subscription, channels in rules.listening(event.type):
        if subscription.id not in named and not subscription.quiet:
            yield Verdict(subscription.id, channels[0].id, VerdictCode.METRIC_ALERT)
