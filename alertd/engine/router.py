"""The router: one event in, its plan out. Pure: no await, no clock, no I/O, no log.

For each subscription in the event's scope it weighs, in this order: enabled, severity, triggers, matchers, whether any
destination takes deliveries, cooldown. The first that decides against it is the verdict; else it is `sent`. A cooldown
is taken only by what is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from alertd.engine.plan import Plan
from alertd.engine.ruleset import excluded_by
from alertd.model.delivery import Delivery
from alertd.model.verdict import Verdict, VerdictCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.engine.plan import CooldownKey
    from alertd.engine.ruleset import CompiledSubscription, Ruleset
    from alertd.model.event import Event


@dataclass(slots=True)
class EngineState:
    """What deciding depends on besides the ruleset: cooldowns (until when, in milliseconds), disabled destinations."""

    cooldowns: Mapping[CooldownKey, int] = field(default_factory=dict)
    disabled: frozenset[int] = frozenset()


def plan(ruleset: Ruleset, state: EngineState, event: Event, number: int, now_ms: int) -> Plan:
    """Decide about one event that has the number `number` at the time `now_ms`.

    The workspace must be known (KeyError otherwise). Applying the plan's cooldowns to `state` before the next event is
    the caller's part.
    """
    rules = ruleset.workspaces[event.workspace]
    candidates = rules.scope(event.type, event.project, event.environment)
    found = Plan(event, number, rules.id, bool(candidates), [], [], {})
    reached: set[int] = set()
    for subscription, sent in candidates:
        against = _against(subscription, state, event, now_ms)
        if against is not None:
            found.verdicts.append(Verdict(subscription.id, sent.channel_id, *against))
            continue
        if subscription.cooldown_ms:
            found.cooldowns[_cooldown_key(subscription, event)] = now_ms + subscription.cooldown_ms
        open_to = subscription.destinations
        if state.disabled and not state.disabled.isdisjoint(open_to):
            closed = tuple((d, VerdictCode.DESTINATION_DISABLED) for d in open_to if d in state.disabled)
            open_to = tuple(d for d in open_to if d not in state.disabled)
            sent = replace(sent, destinations=closed)  # noqa: PLW2901 - the same verdict, told apart
        found.verdicts.append(sent)
        for destination_id in open_to:
            if destination_id not in reached or destination_id in rules.per_subscription:
                reached.add(destination_id)
                found.deliveries.append(_delivery(found, sent, destination_id, now_ms))
    return found


def _against(  # noqa: PLR0911 - one return for each condition, in order
    subscription: CompiledSubscription, state: EngineState, event: Event, now_ms: int
) -> tuple[VerdictCode, int | None] | None:
    """Name the first thing that stands against sending, with its detail; None when nothing does."""
    if not subscription.enabled:
        return VerdictCode.DISABLED, None
    if event.severity < subscription.floor:
        return VerdictCode.SEVERITY, None
    if subscription.triggers and event.trigger not in subscription.triggers:
        return VerdictCode.TRIGGER, None
    if subscription.matchers and (position := _failing_matcher(subscription, event)) is not None:
        return VerdictCode.MATCHER, position
    if state.disabled and state.disabled.issuperset(subscription.destinations):
        return VerdictCode.DESTINATION_DISABLED, None
    if subscription.cooldown_ms and (remaining := _resting(subscription, state, event, now_ms)) is not None:
        return VerdictCode.COOLDOWN, remaining
    return None


def _delivery(found: Plan, verdict: Verdict, destination_id: int, now_ms: int) -> Delivery:
    event = found.event
    return Delivery(
        found.number + 1 + len(found.deliveries),
        found.number,
        destination_id,
        verdict.subscription_id,
        verdict.channel_id,
        0,
        now_ms,
        event.type,
        event.payload,
        event.trigger,
    )


def _failing_matcher(subscription: CompiledSubscription, event: Event) -> int | None:
    for position, matcher in enumerate(subscription.matchers):
        if not matcher.matches(event.body):
            return position
    return None


def _resting(subscription: CompiledSubscription, state: EngineState, event: Event, now_ms: int) -> int | None:
    remaining = state.cooldowns.get(_cooldown_key(subscription, event), 0) - now_ms
    # No rest is longer than the cooldown: one that is was begun while the clock was ahead, or under a longer cooldown.
    return remaining if 0 < remaining <= subscription.cooldown_ms else None


def _cooldown_key(subscription: CompiledSubscription, event: Event) -> CooldownKey:
    return (subscription.id, event.project, event.environment, event.key)


def excluded(ruleset: Ruleset, event: Event) -> list[Verdict]:
    """Verdicts of the subscriptions whose channels match but whose scope leaves the event out, each with its field."""
    rules = ruleset.workspaces[event.workspace]
    codes = {"project": VerdictCode.PROJECT, "environment": VerdictCode.ENVIRONMENT}
    return [
        Verdict(subscription.id, channel.id, codes[why])
        for subscription, channel in rules.listening(event.type)
        if (why := excluded_by(subscription, channel, event.project, event.environment))
    ]
