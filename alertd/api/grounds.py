"""Grounds: what a subscription's conditions asked of an event, and what they found there, to say why it was not sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.engine.matcher import raw_value_of
from alertd.engine.metric import told_of
from alertd.model.verdict import VerdictCode

if TYPE_CHECKING:
    from alertd.engine.compiled import CompiledSubscription
    from alertd.engine.matcher import Matcher
    from alertd.engine.rules import WorkspaceRules
    from alertd.model.event import Event
    from alertd.model.verdict import Verdict

SHOWN_MAX: Final = 200
"""So many characters of a value, or of a condition, are shown."""


class Grounds:
    """An event, and the subscriptions that looked at it as they then were."""

    def __init__(self, rules: WorkspaceRules, event: Event) -> None:
        self._event = event
        scope = rules.scope(event.type, event.project, event.environment)
        told = told_of(rules.metrics.values(), event)
        looked = [each for each, _ in scope.candidates] if told is None else told.everybody
        self._subscriptions: dict[int, CompiledSubscription] = {each.id: each for each in looked}

    def data(self, verdict: Verdict) -> dict[str, Any]:
        """Give what decided in names and values, where that is the severity or a matcher; empty elsewhere."""
        subscription = self._subscriptions.get(verdict.subscription_id)
        if subscription is None:
            return {}
        if verdict.code is VerdictCode.SEVERITY:
            return {"severity": self._event.severity.word, "min_severity": subscription.floor.word}
        matcher = _matcher(subscription, verdict)
        if matcher is None:
            return {}
        found = raw_value_of(matcher.name, self._event.body)
        return {
            "condition": cut(matcher.text),
            "field": matcher.name,
            "found": None if found is None else cut(found if isinstance(found, str) else shown(found)),
        }

    def sentence(self, verdict: Verdict) -> str | None:
        """Say the same in words; None where there is nothing to add."""
        subscription = self._subscriptions.get(verdict.subscription_id)
        if subscription is None:
            return None
        if verdict.code is VerdictCode.SEVERITY:
            return f"the event's severity is {self._event.severity.word}, below min_severity, which is {subscription.floor.word}"
        matcher = _matcher(subscription, verdict)
        if matcher is None:
            return None
        found = raw_value_of(matcher.name, self._event.body)
        there = f"{matcher.name} is {shown(found)}"
        if found is None:
            is_gone = _is_left_out(matcher.name, self._event.body)
            there = f"what {matcher.name} was is not kept" if is_gone else f"the event has no {matcher.name}"
        return f"matcher {_position(verdict) + 1} of the subscription does not hold: {cut(matcher.text)}, and {there}"


def _matcher(subscription: CompiledSubscription, verdict: Verdict) -> Matcher | None:
    """Return the matcher that decided, if it was one."""
    position = _position(verdict)
    decided = verdict.code is VerdictCode.MATCHER and position < len(subscription.matchers)
    return subscription.matchers[position] if decided else None


def _is_left_out(name: str, body: dict[str, Any]) -> bool:
    """Whether a field is part of what an event says was left out of it (`data.trimmed`)."""
    data = body.get("data")
    trimmed = data.get("trimmed") if isinstance(data, dict) else None
    path = ".".join(part for part in name.split(".")[1:] if not part.isdecimal())
    return isinstance(trimmed, list) and any(each == "data" or f"{path}.".startswith(f"{each}.") for each in trimmed)


def _position(verdict: Verdict) -> int:
    return verdict.detail if isinstance(verdict.detail, int) else 0


def shown(value: Any) -> str:
    """Write a value of an event as JSON, and cut it where it is long."""
    return cut(orjson.dumps(value).decode())


def cut(text: str) -> str:
    """Cut a long text, and say how long it is."""
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}… ({len(text)} characters)"
