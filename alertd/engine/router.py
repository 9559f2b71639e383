"""The router: one event in, its plan out. Pure: no await, no clock, no I/O, no log.

For each subscription in the event's scope it weighs, in this order: enabled, severity, triggers, matchers, whether any
destination takes deliveries, cooldown. The first that decides against it is the verdict; else it is `sent`. A cooldown
is taken only by what is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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

_SENT = VerdictCode.SENT


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
    found = Plan(event, number, rules.id, False, [], [], {})
    reached: set[int] = set()
    for subscription, channel_id in rules.scope(event.type, event.project, event.environment):
        found.matched = True
        verdict = _weigh(subscription, channel_id, state, event, now_ms)
        found.verdicts.append(verdict)
        if verdict.code is _SENT:
            if subscription.cooldown_ms:
                found.cooldowns[_cooldown_key(subscription, event)] = now_ms + subscription.cooldown_ms
            _deliver(found, subscription, verdict, state, reached=reached, each=rules.per_subscription, now_ms=now_ms)
    return found


def _weigh(
    subscription: CompiledSubscription, channel_id: int, state: EngineState, event: Event, now_ms: int
) -> Verdict:
    code, detail = _VERDICT_SENT
    if not subscription.enabled:
        code = VerdictCode.DISABLED
    elif event.severity < subscription.floor:
        code = VerdictCode.SEVERITY
    elif subscription.triggers and event.trigger not in subscription.triggers:
        code = VerdictCode.TRIGGER
    elif subscription.matchers and (detail := _failing_matcher(subscription, event)) is not None:
        code = VerdictCode.MATCHER
    elif state.disabled and state.disabled.issuperset(subscription.destinations):
        code = VerdictCode.DESTINATION_DISABLED
    elif subscription.cooldown_ms and (detail := _resting(subscription, state, event, now_ms)) is not None:
        code = VerdictCode.COOLDOWN
    return Verdict(subscription.id, channel_id, code, detail)


_VERDICT_SENT: tuple[VerdictCode, int | None] = (_SENT, None)


def _failing_matcher(subscription: CompiledSubscription, event: Event) -> int | None:
    for position, matcher in enumerate(subscription.matchers):
        if not matcher.matches(event.body):
            return position
    return None


def _resting(subscription: CompiledSubscription, state: EngineState, event: Event, now_ms: int) -> int | None:
    until = state.cooldowns.get(_cooldown_key(subscription, event), 0)
    return until - now_ms if until > now_ms else None


def _cooldown_key(subscription: CompiledSubscription, event: Event) -> CooldownKey:
    return (subscription.id, event.project, event.environment, event.key)


def _deliver(
    found: Plan,
    subscription: CompiledSubscription,
    verdict: Verdict,
    state: EngineState,
    *,
    reached: set[int],
    each: frozenset[int],
    now_ms: int,
) -> None:
    for destination_id in subscription.destinations:
        if destination_id in state.disabled:
            verdict.destinations.append((destination_id, VerdictCode.DESTINATION_DISABLED))
            continue
        if destination_id in reached and destination_id not in each:
            continue
        reached.add(destination_id)
        event = found.event
        found.deliveries.append(
            Delivery(
                found.number + 1 + len(found.deliveries),
                found.number,
                destination_id,
                subscription.id,
                verdict.channel_id,
                0,
                now_ms,
                event.type,
                event.payload,
                event.trigger,
            )
        )


def excluded(ruleset: Ruleset, event: Event) -> list[Verdict]:
    """Verdicts of the subscriptions whose channels match but whose scope leaves the event out, each with its field."""
    rules = ruleset.workspaces[event.workspace]
    codes = {"project": VerdictCode.PROJECT, "environment": VerdictCode.ENVIRONMENT}
    return [
        Verdict(subscription.id, channel.id, codes[why])
        for subscription, channel in rules.listening(event.type)
        if (why := excluded_by(subscription, channel, event.project, event.environment))
    ]
