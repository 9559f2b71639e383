"""What the rules of a workspace must agree on: each problem with line, path, and what would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alertd.errors import ConfigError
from tests.unit.config.files import load, problem

if TYPE_CHECKING:
    from pathlib import Path

BASE = """\
workspaces:
  - name: default
    channels: [{name: runs, kind: regex, pattern: "run:.*"}]
    destinations: [{name: shell, type: console}]
    subscriptions: [{name: s, channels: [runs], destinations: [shell]}]
"""
METRIC = "types: [m], field: data.v, when: above, limit: 1"
CASES = {
    "schema": (
        "    event_types:\n      - name: x\n        data_schema: {type: objct}\n",
        "event_types[0].data_schema",
        "a mapping",
        "a valid JSON Schema",
    ),
    "schema that refers elsewhere": (
        "    event_types:\n      - name: x\n        data_schema: {$ref: 'http://x'}\n",
        "event_types[0].data_schema",
        "a mapping",
        "inside of the schema",
    ),
    "type twice": (
        "    event_types: [{name: x}, {name: x}]\n",
        "event_types[1].name",
        "'x' again",
        "an event type with a name of its own",
    ),
    "type with a space": ("    event_types: [{name: a b}]\n", "event_types[0].name", "'a b'", "without spaces"),
    "derived from nowhere": (
        "    derived_types: [{name: d, type: t, occurrences: [2]}]\n",
        "derived_types[0].channel",
        "nothing",
        "a channel, or types",
    ),
    "derived from an unknown channel": (
        "    derived_types: [{name: d, type: t, channel: rums, occurrences: [2]}]\n",
        "derived_types[0].channel",
        "unknown channel 'rums'",
        "did you mean 'runs'?",
    ),
    "derived in a circle": (
        "    derived_types:\n      - {name: a, type: 'run:a', types: [x], occurrences: [2]}\n      - {name: b, type: x, channel: runs, occurrences: [2]}\n",
        "derived_types[0]",
        "b -> a -> b",
        "comes to an end",
    ),
    "ladder that falls": (
        "    derived_types: [{name: d, type: t, types: [x], occurrences: [5, 2]}]\n",
        "derived_types[0].occurrences",
        "a list",
        "ascending",
    ),
    "alert of an unknown subscription": (
        f"    metric_alerts: [{{name: m, {METRIC}, subscriptions: [t]}}]\n",
        "metric_alerts[0].subscriptions[0]",
        "unknown subscription 't'",
        "s",
    ),
    "alert of an unknown destination": (
        f"    metric_alerts: [{{name: m, {METRIC}, destinations: [shel]}}]\n",
        "metric_alerts[0].destinations[0]",
        "unknown destination 'shel'",
        "did you mean 'shell'?",
    ),
    "alert without a value": (
        "    metric_alerts: [{name: m, types: [m], when: above, limit: 1}]\n",
        "metric_alerts[0].field",
        "nothing",
        "required",
    ),
    "unknown catalogue": (
        "    catalogues: [paas, runz]\n",
        "catalogues[1]",
        "'runz'",
        "one of paas, runs, agents, alertd",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_where_it_stands(tmp_path: Path, name: str) -> None:
    """One problem, at its own line and path."""
    text, path, found, expected = CASES[name]
    said = problem(tmp_path, BASE + text)
    assert said.path == f"workspaces[0].{path}"
    assert said.line is not None
    assert said.line > BASE.count("\n")
    assert found in said.found
    assert expected in said.expected


@pytest.mark.parametrize(
    ("settings", "group", "known"),
    [
        ("", "deployments", True),
        ("", "deploymints", False),
        ("    catalogues: [agents]\n", "deployments", False),
        ("    catalogues: [agents]\n    event_types: [{name: x, group: deployments}]\n", "deployments", True),
    ],
)
def test_a_group_must_have_types(tmp_path: Path, settings: str, group: str, known: bool) -> None:
    """Of a catalogue that is on, or of the workspace's own types; a suggestion names what is close."""
    channel = f"    channels: [{{name: g, kind: group, pattern: {group}}}]\n"
    text = f"workspaces:\n  - name: default\n{settings}{channel}"
    if known:
        assert load(tmp_path, text).workspaces[0].channels[0].pattern == group
        return
    said = problem(tmp_path, text)
    assert (said.path, said.line) == ("workspaces[0].channels[0].pattern", text.count("\n"))
    assert said.found == f"unknown group '{group}'"
    if group == "deploymints":
        assert said.expected.endswith("did you mean 'deployments'?")


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """Broken channels and types do not hide what derived types and alerts get wrong."""
    text = (
        "workspaces:\n  - name: default\n    event_types: [{name: ''}]\n    channels: [{name: c, kind: regex, pattern: '['}]\n"
        "    derived_types: [{name: d, type: t, channel: nope, occurrences: [2]}]\n"
        "    metric_alerts: [{name: m, channel: nope, field: f, when: above, limit: 1}]\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert [each.path.removeprefix("workspaces[0].") for each in caught.value.problems] == [
        "event_types[0].name", "channels[0].pattern", "derived_types[0].channel", "metric_alerts[0].channel",
    ]  # fmt: skip
