"""JSON Schemas for data: what violates them is told with its place; what could stall the daemon is refused."""

from __future__ import annotations

import time
from typing import Any

import pytest

from alertd.engine.refusal import refusals
from alertd.engine.schema import DEPTH_MAX, EXPANDED_MAX, VIOLATIONS_MAX, Schema, SchemaError
from alertd.model.verdict import Violation, decode, decode_violations, encode
from tests.unit.engine.timeline import Timeline, compiled, made_event

RUN = {
    "type": "object",
    "required": ["run_id"],
    "properties": {"run_id": {"type": "integer"}, "a/b": {"type": "string"}},
}


@pytest.mark.parametrize(
    ("data", "pointers"),
    [
        ({"run_id": 1}, []),
        ({"run_id": "x"}, ["/data/run_id"]),
        ({}, ["/data"]),
        (None, ["/data"]),
        ({"run_id": 1, "a/b": 2}, ["/data/a~1b"]),
        ({"run_id": "x", "a/b": 2}, ["/data/a~1b", "/data/run_id"]),
    ],
)
def test_violations_are_told_with_their_place(data: Any, pointers: list[str]) -> None:
    """As pointers into the event; data that is absent is an empty object."""
    assert sorted(v.pointer for v in Schema(RUN).violations(data)) == pointers


def test_violations_are_bounded() -> None:
    """However much is wrong, so many are told, each in a short sentence."""
    schema = Schema({"additionalProperties": {"type": "integer"}})
    found = schema.violations({f"k{n}": "x" * 10_000 for n in range(VIOLATIONS_MAX + 5)})
    assert len(found) == VIOLATIONS_MAX
    assert all(len(violation.detail) <= 200 for violation in found)


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"type": "objct"}, "/type"),
        ({"properties": {"a": {"type": "strin"}}}, "/properties/a/type"),
        ({"pattern": "(?=a)b"}, "/pattern"),
        ({"pattern": "(a{1000}){1000}"}, "/pattern"),
        ({"$ref": "http://169.254.169.254/"}, "/$ref"),
        ({"$ref": "file:///etc/passwd"}, "/$ref"),
        ({"$ref": "other.json#/a"}, "/$ref"),
        ({"$ref": "#/$defs/none"}, "/$ref"),
        ({"$ref": "#"}, "/$ref"),
        ({"properties": {"a": {"$ref": "#/properties/a"}}}, "/properties/a/$ref"),
        ({"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}, "/$defs/a/anyOf/0/$ref"),
        ({"$dynamicRef": "#x"}, "/$dynamicRef"),
        ({"properties": {"a": {"$id": "x"}}}, "/properties/a/$id"),
        ({"$schema": "http://nowhere/x"}, ""),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(schema: dict[str, Any], pointer: str) -> None:
    """Wrong schemas, patterns that are not RE2-like, and references that lead out, nowhere or back."""
    with pytest.raises(SchemaError) as caught:
        Schema(schema)
    assert caught.value.pointer == pointer
    assert caught.value.reason


@pytest.mark.parametrize(
    "schema",
    [
        {"$id": "https://example.com/run", "$schema": "https://json-schema.org/draft/2020-12/schema", **RUN},
        {"$schema": "http://json-schema.org/draft-07/schema#", **RUN},
        {"properties": {"$ref": {"type": "string"}, "$id": {"const": {"$ref": "http://x"}}}},
        {"$defs": {"a": {"type": "integer"}}, "properties": {"x": {"$ref": "#/$defs/a"}, "y": {"$ref": "#/$defs/a"}}},
    ],
)
def test_what_is_common_is_accepted(schema: dict[str, Any]) -> None:
    """Names of whole schemas, drafts, references within, and properties that are called like keywords."""
    Schema(schema)


def test_a_schema_that_multiplies_is_refused() -> None:
    """References that double at each step grow beyond the bound, and are not followed to their end."""
    definitions: dict[str, Any] = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(15)}
    began = time.monotonic()
    with pytest.raises(SchemaError, match=str(EXPANDED_MAX)):
        Schema({"$defs": {**definitions, "a15": {}}, "$ref": "#/$defs/a0"})
    assert time.monotonic() - began < 5


def test_depth_is_bounded() -> None:
    """At the bound it is taken, beyond it refused."""
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(DEPTH_MAX // 2 - 1):
        schema = {"properties": {"a": schema}}
    Schema(schema)
    for _ in range(3):
        schema = {"not": {"not": schema}}
    for _ in range(DEPTH_MAX):
        schema = {"not": schema}
    with pytest.raises(SchemaError, match="levels"):
        Schema(schema)


def test_no_pattern_stalls() -> None:
    """A pattern that would take for ever by backtracking takes no time."""
    schema = Schema({"properties": {"a": {"pattern": "^(a+)+$"}}})
    began = time.monotonic()
    assert len(schema.violations({"a": "a" * 5000 + "!"})) == 1
    assert time.monotonic() - began < 5


def test_a_violation_is_a_flag_on_the_event() -> None:
    """The event is planned as ever, and what is stored of it says what is wrong."""
    line = Timeline(
        event_types=[{"name": "run", "data_schema": RUN}],
        subscriptions=[{"name": "s", "channels": ["all"], "destinations": ["a"]}],
    )
    (plan,) = line.event("run", data={"run_id": "x"})
    assert len(plan.deliveries) == 1
    assert plan.violations == (Violation("/data/run_id", '"x" is not of type "integer"'),)
    stored = encode(plan.verdicts, plan.violations)
    assert decode(stored) == plan.verdicts
    assert tuple(decode_violations(stored)) == plan.violations
    assert line.event("run", data={"run_id": 1})[0].violations == ()


def test_only_a_workspace_that_says_so_refuses() -> None:
    """`schema_policy: refuse` names the pointer, with the event's index where there are several."""
    types = [{"name": "run", "data_schema": RUN}]
    events = [made_event(n, 0, type="run", data={"run_id": value}) for n, value in enumerate((1, "x"))]
    assert refusals(compiled(event_types=types), events, single=False) == []
    assert refusals(compiled(schema_policy="refuse"), events, single=False) == []
    refusing = compiled(event_types=types, schema_policy="refuse")
    assert [p.pointer for p in refusals(refusing, events, single=False)] == ["/1/data/run_id"]
    assert [p.pointer for p in refusals(refusing, events[1:], single=True)] == ["/data/run_id"]
