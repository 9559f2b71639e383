"""What a matcher accepts, and what it answers."""

from __future__ import annotations

from typing import Any

import pytest

from alertd.engine.matcher import parse_matcher, value_of
from tests.unit.engine.timeline import compiled

BODY: dict[str, Any] = {
    "type": "run:failed",
    "severity": "error",
    "environment": "prod",
    "labels": {
        "team": "payments",
        "größe": "XL",
        "severity": "page",
        "a b": "c",
        "odd": "=5",
        "odd>": ">=6",
        "a<b": "c",
        "query": "a=b~c",
        "mark": "!",
    },
    "data": {"run": {"id": 17, "ok": False, "tags": ["a", "b"]}, "none": None, "ratio": 1.5},
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('team="payments"', True),
        ("team=payments", True),
        (' team = "payments" ', True),
        ('team!="payments"', False),
        ('team=~"pay.*"', True),
        ('team=~"pay"', False),
        ('team!~"pay.*"', False),
        ('team!~"ship.*"', True),
        ('größe="XL"', True),
        ('"a b"="c"', True),
        ('environment="prod"', True),
        ('severity="page"', True),
        ('type=~"run:(failed|cancelled)"', True),
        ('missing=""', True),
        ('missing!=""', False),
        ('missing=~".+"', False),
        ('data.run.id="17"', True),
        ('data.run.id=~"1."', True),
        ('data.run.ok="false"', True),
        ('data.run.tags.1="b"', True),
        ('data.run.tags.2=""', True),
        ('data.run.tags="[\\"a\\",\\"b\\"]"', True),
        ('data.none=""', True),
        ('data.ratio="1.5"', True),
        ('data.run.id.deeper=""', True),
        ('labels.team="payments"', True),
        ('odd="=5"', True),
        ("odd!~5", True),
        ('odd=~"=."', True),
        ('"odd>"=">=6"', True),
        ("a<b=c", True),
        ("query=a=b~c", True),
        ("mark=!", True),
        ("missing=", True),
        ("missing=~", True),
    ],
)
def test_matcher_follows_alertmanagers_syntax(text: str, holds: bool) -> None:
    """Each operator decides over labels, fields and paths into data; what is missing reads as empty."""
    assert parse_matcher(text).matches(BODY) is holds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("team", "expected NAME=VALUE"),
        ("", "expected NAME=VALUE"),
        ('="x"', "expected NAME"),
        ('""="x"', "name before the operator is empty"),
        ('team="a" or "b"', "must be quoted"),
        ("team=a,b=c", "must be quoted"),
        ('{team="a"}', "must be quoted"),
        ('team="unclosed', "must be quoted"),
        ("team==payments", "operators =, !=, =~, !~"),
        ("team = =payments", "operators =, !=, =~, !~"),
        ("team!==payments", "operators =, !=, =~, !~"),
        ("team=~=payments", "operators =, !=, =~, !~"),
        ("team=~~payments", "operators =, !=, =~, !~"),
        ("team!~~payments", "operators =, !=, =~, !~"),
        ("severity>=error", "operators =, !=, =~, !~"),
        ("a=>5", "operators =, !=, =~, !~"),
        ("a!=<5", "operators =, !=, =~, !~"),
        ("severity >= error", "operators =, !=, =~, !~"),
        ("severity<=error", "operators =, !=, =~, !~"),
        ("<=error", "operators =, !=, =~, !~"),
        ("data.n<>=5", "operators =, !=, =~, !~"),
        ('team="\\q"', "unknown escape"),
        ('team=~"("', "is not RE2"),
        ('team=~"(?=x)"', "is not RE2"),
    ],
)
def test_a_bad_matcher_says_what_is_wrong(text: str, said: str) -> None:
    """Whatever cannot be compiled is a ValueError in human words."""
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        parse_matcher(text)


def test_what_was_stored_goes_on() -> None:
    """A subscription of a store from before such matchers were refused means what it meant: no start fails for it."""
    given = {"name": "s", "channels": ["all"], "destinations": ["a"], "matchers": ["odd==5", "odd>=>=6"]}
    (subscription,) = compiled(subscriptions=[given]).workspaces["default"].layout.subscriptions
    assert [each.matches(BODY) for each in subscription.matchers] == [True, True]


def test_regular_expressions_cannot_stall() -> None:
    """A pattern that makes a backtracking engine explode is answered at once."""
    body = {"type": "x", "labels": {"a": "a" * 1000 + "!"}}
    assert parse_matcher('a=~"(a+)+"').matches(body) is False


def test_a_label_stands_before_a_field_of_the_same_name() -> None:
    """A bare name is the event's label if it has it, else its field."""
    assert value_of("severity", BODY) == "page"
    assert value_of("severity", {**BODY, "labels": {}}) == "error"
