"""Grounds: a verdict says what was asked of the event, and what the event had there."""

from __future__ import annotations

from typing import Any

import pytest

from alertd.api.grounds import SHOWN_MAX, Grounds, cut
from alertd.model.verdict import Verdict, VerdictCode
from tests.unit.engine.timeline import START_MS, compiled, made_event

NUMBER = ("subscription", "default", "s")
CONDITIONS = ['team="payments"', 'data.run!~"1.*"', "data.tags=x"]


def grounds(**fields: Any) -> tuple[Grounds, int]:
    """Weigh an event for a subscription with conditions; return its grounds, and the number of the subscription."""
    subscription = {
        "name": "s", "channels": ["all"], "destinations": ["a"], "min_severity": "error", "matchers": CONDITIONS,
    }  # fmt: skip
    ruleset = compiled(subscriptions=[subscription])
    event = made_event(1, START_MS, **{"type": "t", **fields})
    return Grounds(ruleset.workspaces["default"], event), ruleset.ids[NUMBER]


def test_a_severity_is_named_with_its_floor() -> None:
    """The event's and the least that is taken, in words and as data."""
    found, number = grounds(severity="warning")
    verdict = Verdict(number, 1, VerdictCode.SEVERITY)
    assert found.sentence(verdict) == "the event's severity is warning, below min_severity, which is error"
    assert found.data(verdict) == {"severity": "warning", "min_severity": "error"}


@pytest.mark.parametrize(
    ("position", "fields", "there", "has"),
    [
        (0, {}, "the event has no team", None),
        (0, {"labels": {"team": ""}}, 'team is ""', ""),
        (0, {"labels": {"team": "shop"}}, 'team is "shop"', "shop"),
        (1, {"data": {"run": 17}}, "data.run is 17", "17"),
        (2, {"data": {"tags": ["a", "b"]}}, 'data.tags is ["a","b"]', '["a","b"]'),
        (2, {"data": {"tags": None}}, "the event has no data.tags", None),
        (2, {"data": {"trimmed": ["tags.inner", "tag"]}}, "the event has no data.tags", None),
        (2, {"data": {"trimmed": ["tags"]}}, "what data.tags was is not kept", None),
        (2, {"data": {"trimmed": ["data"]}}, "what data.tags was is not kept", None),
        (1, {"data": {"trimmed": "run"}}, "the event has no data.run", None),
    ],
)
def test_a_matcher_is_named_with_what_it_found(position: int, fields: dict[str, Any], there: str, has: Any) -> None:
    """As it is written, on which field, and what was there: nothing, an empty text and another value are told apart."""
    found, number = grounds(**fields)
    verdict, written = Verdict(number, 1, VerdictCode.MATCHER, position), CONDITIONS[position]
    said = f"matcher {position + 1} of the subscription does not hold: {written}, and {there}"
    assert found.sentence(verdict) == said
    name = ("team", "data.run", "data.tags")[position]
    assert found.data(verdict) == {"condition": written, "field": name, "found": has}


def test_a_long_value_is_cut_and_says_so() -> None:
    """At the bound it stands whole; one more character, and it says how many there are."""
    assert cut("x" * SHOWN_MAX) == "x" * SHOWN_MAX
    assert cut("x" * (SHOWN_MAX + 1)) == "x" * SHOWN_MAX + f"… ({SHOWN_MAX + 1} characters)"
    found, number = grounds(labels={"team": "x" * 1000})
    verdict = Verdict(number, 1, VerdictCode.MATCHER, 0)
    assert found.data(verdict)["found"].endswith("… (1000 characters)")
    assert str(found.sentence(verdict)).endswith("… (1002 characters)")


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict(999_999, 1, VerdictCode.SEVERITY),
        Verdict(0, 1, VerdictCode.MATCHER, 0),
        Verdict(0, 1, VerdictCode.MATCHER, 3),
        Verdict(0, 1, VerdictCode.COOLDOWN, 5),
    ],
)
def test_where_there_is_nothing_to_add(verdict: Verdict) -> None:
    """A subscription that is not known, a position that it has not, and other verdicts keep the words that they had."""
    found, number = grounds()
    if verdict.detail != 0:
        verdict = Verdict(verdict.subscription_id or number, 1, verdict.code, verdict.detail)
    assert (found.data(verdict), found.sentence(verdict)) == ({}, None)
