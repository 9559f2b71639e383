"""What resources refuse: each with an error at the field that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from alertd.model.channel import Channel
from alertd.model.derived_type import DerivedType
from alertd.model.event_type import SCHEMA_BYTES, EventType
from alertd.model.metric_alert import MetricAlert
from alertd.model.subscription import Subscription
from alertd.model.workspace import Workspace

if TYPE_CHECKING:
    from alertd.model.fields import Resource

DERIVED = {"name": "d", "type": "t", "types": ["x"], "occurrences": [2]}
METRIC = {"name": "m", "types": ["x"], "field": "data.v", "when": "above", "limit": 1}
SUBSCRIPTION = {"name": "s", "channels": ["c"], "destinations": ["d"]}


@pytest.mark.parametrize(
    ("model", "document", "place"),
    [
        (Channel, {"name": "c", "kind": "regex"}, "pattern"),
        (Channel, {"name": "c", "kind": "group"}, "pattern"),
        (Channel, {"name": "c", "kind": "glob", "pattern": ""}, "pattern"),
        (Channel, {"name": "c", "kind": "list"}, "types"),
        (Channel, {"name": "c", "kind": "list", "types": []}, "types"),
        (Channel, {"name": "c", "kind": "list", "types": ["a b"]}, "types.0"),
        (Channel, {"name": "c", "kind": "list", "types": ["a"], "pattern": "a"}, "pattern"),
        (Channel, {"name": "c", "kind": "glob", "pattern": "a", "types": ["a"]}, "types"),
        (Channel, {"name": "c", "kind": "set", "types": ["a"]}, "kind"),
        (Subscription, SUBSCRIPTION | {"occurrences": [2, 2]}, "occurrences"),
        (Subscription, SUBSCRIPTION | {"occurrences": [5, 2]}, "occurrences"),
        (Subscription, SUBSCRIPTION | {"occurrences": [0]}, "occurrences.0"),
        (Subscription, SUBSCRIPTION | {"occurrences": list(range(1, 102))}, "occurrences"),
        (Subscription, SUBSCRIPTION | {"reset_after_seconds": 0}, "reset_after_seconds"),
        (DerivedType, {**DERIVED, "types": []}, "channel"),
        (DerivedType, {**DERIVED, "channel": "c"}, "channel"),
        (DerivedType, {**DERIVED, "occurrences": []}, "occurrences"),
        (DerivedType, {**DERIVED, "type": ""}, "type"),
        (DerivedType, {**DERIVED, "per": "host"}, "per"),
        (MetricAlert, {**METRIC, "types": []}, "channel"),
        (MetricAlert, {**METRIC, "channel": "c"}, "channel"),
        (MetricAlert, {**METRIC, "limit": float("inf")}, "limit"),
        (MetricAlert, {**METRIC, "when": "over"}, "when"),
        (MetricAlert, {**METRIC, "for_seconds": 10, "forget_after_seconds": 10}, "forget_after_seconds"),
        (MetricAlert, {**METRIC, "reminder_seconds": -1}, "reminder_seconds"),
        (EventType, {"name": "x" * 257}, "name"),
        (EventType, {"name": "x", "severity": "bad"}, "severity"),
        (EventType, {"name": "x", "data_schema": {"const": "x" * SCHEMA_BYTES}}, "data_schema"),
        (EventType, {"name": "x", "data_schema": []}, "data_schema"),
        (Workspace, {"name": "w", "catalogues": ["all"]}, "catalogues.0"),
        (Workspace, {"name": "w", "learnt_types_max": 0}, "learnt_types_max"),
    ],
)
def test_the_error_is_at_the_field(model: type[Resource], document: dict[str, Any], place: str) -> None:
    """One error, at the place that a person mends."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(document)
    (error,) = caught.value.errors()
    assert ".".join(map(str, error["loc"])) == place


@pytest.mark.parametrize(
    ("model", "document"),
    [
        (Channel, {"name": "c", "kind": "list", "types": ["a", "b"], "environments": ["prod"]}),
        (Channel, {"name": "c", "kind": "group", "pattern": "deployments"}),
        (Subscription, SUBSCRIPTION | {"occurrences": [1, 2, 100], "reset_after_seconds": 0.5}),
        (DerivedType, DERIVED),
        (DerivedType, {**DERIVED, "types": (), "channel": "run:failed", "severity": "fatal"}),
        (MetricAlert, {**METRIC, "for_seconds": 10, "forget_after_seconds": 10.001}),
        (EventType, {"name": "payment:failed", "data_schema": {"const": "x" * (SCHEMA_BYTES - 12)}}),
    ],
)
def test_what_is_right_comes_back(model: type[Resource], document: dict[str, Any]) -> None:
    """A resource is its document: written and read again it is the same."""
    read = model.model_validate(document)
    assert model.model_validate_json(read.model_dump_json(exclude_unset=True), strict=True) == read
