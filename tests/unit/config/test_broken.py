"""A corpus of broken files: each is refused with the line and path of what is wrong, in plain words."""

from __future__ import annotations

from functools import partial
from textwrap import indent
from typing import TYPE_CHECKING

import pytest

from alertd.config import resources
from alertd.matching.index import compile_index
from tests.unit.config.files import load, problem

if TYPE_CHECKING:
    from pathlib import Path

KAFKA = "intake:\n  kafka:\n    bootstrap_servers: [k:9092]\n    topics: [{name: events}]\n"
WORKSPACE = """\
workspaces:
  - name: default
    channels: [{name: runs, kind: regex, pattern: "run:.*"}]
    destinations: [{name: shell, type: console}]
"""
SUBSCRIPTION = (
    f"{WORKSPACE}    subscriptions:\n      - name: s\n        channels: [runs]\n        destinations: [shell]\n"
)

SYNTAX = {
    "unclosed list": ("server: {}\negress: {allow: [a,\n", 2, "syntax error", "valid YAML"),
    "tab": ("server:\n\tlisten: a\n", 2, "a tab", "spaces for indentation"),
    "colon in a value": ("server:\n  public_url: a: b\n", 2, "mapping values are not allowed", "valid YAML"),
    "bad indentation": ("server:\n    listen: a\n  public_url: b\n", 3, "syntax error", "valid YAML"),
    "unknown alias": ("server:\n  listen: *none\n", 2, "an alias", "quotes"),
    "second document": ("server: {}\n---\nstore: {}\n", 2, "a second document", "one YAML document"),
    "control character": ("server: {}\n\n#\x01\n", 3, "a control character", "printable text"),
    "unclosed quote": ("server:\n  listen: 'abc\n", 2, "syntax error", "valid YAML"),
    "list": ("# x\n- a\n", 2, "a list", "a mapping of settings"),
    "text": ("hello\n", 1, "a single value", "a mapping of settings"),
    "no key": ("server: {}\n: x\n", 2, "did not find expected key", "valid YAML"),
    "no key, asked for": ("server: {}\n? : x\n", 2, "did not find expected key", "valid YAML"),
    "number as key": ("server: {}\n8080: x\n", 2, "the key 8080", "a text as key"),
    "list as key": ("server: {}\n? [a]\n: x\n", 2, "a key that is no text", "a text as key"),
    "aliases without end": ("a: &a [*a, *a]\n", 1, "more than 100000 values", "a smaller document"),
}
VALUES = {
    "duplicate key": ("server:\n  listen: a:1\n  listen: b:1\n", 3, "server.listen", "'listen' again", "line 2"),
    "unknown section": ("servr: {}\n", 1, "servr", "unknown key 'servr'", "did you mean 'server'?"),
    "unknown key": (
        "delivery:\n  queue:\n    concurency: 3\n",
        3,
        "delivery.queue.concurency",
        "unknown key 'concurency'",
        "did you mean 'concurrency'?",
    ),
    "unlike any key": ("log: {zzz: 1}\n", 1, "log.zzz", "unknown key 'zzz'", "one of format, level"),
    "tag": ("server:\n  listen: !env X\n", 2, "server.listen", "a YAML tag", "without a tag"),
    "section is a text": ("server: yes\n", 1, "server", "'yes'", "a mapping"),
    "section is a list": ("server:\n  - a\n", 2, "server", "a list", "a mapping"),
    "section is nothing": ("server:\n", 1, "server", "nothing", "a mapping"),
    "text for a number": ("delivery: {timeout_seconds: soon}\n", 1, "delivery.timeout_seconds", "'soon'", "a number"),
    "true for a number": (
        "delivery:\n  queue: {capacity: true}\n",
        2,
        "delivery.queue.capacity",
        "true",
        "whole number",
    ),
    "fraction": ("delivery: {queue: {capacity: 1.5}}\n", 1, "delivery.queue.capacity", "1.5", "a whole number"),
    "zero": ("delivery: {queue: {capacity: 0}}\n", 1, "delivery.queue.capacity", "0", "a whole number greater than 0"),
    "infinite": ("shutdown: {drain_seconds: .inf}\n", 1, "shutdown.drain_seconds", "inf", "a finite number"),
    "enormous": (
        f"delivery: {{queue: {{capacity: 1{'0' * 5000}}}}}\n",
        1,
        "delivery.queue.capacity",
        "enormous",
        "!!int",
    ),
    "null for a number": ("shutdown: {drain_seconds: null}\n", 1, "shutdown.drain_seconds", "nothing", "a number"),
    "number for a text": ("server: {listen: 8080}\n", 1, "server.listen", "8080", "a text"),
    "text for a list": ("egress: {allow: 10.0.0.0/8}\n", 1, "egress.allow", "'10.0.0.0/8'", "a list"),
    "word for a choice": ("log:\n  level: loud\n", 2, "log.level", "'loud'", "one of debug, info, warning, error"),
    "listen without port": ("server: {listen: localhost}\n", 1, "server.listen", "'localhost'", "host:port"),
    "public_url": ("server: {public_url: alerts.example}\n", 1, "server.public_url", "'alerts.example'", "https://"),
    "store": ("store: {url: 'postgresql://u:pw@h/db'}\n", 1, "store.url", "'postgresql://…@h/db'", "sqlite:///"),
    "host bits": ("egress:\n  allow:\n    - 10.1.2.3/8\n", 3, "egress.allow[0]", "'10.1.2.3/8'", "10.0.0.0/8"),
    "host with port": ("egress: {allow: ['a.b:80']}\n", 1, "egress.allow[0]", "'a.b:80'", "without port"),
    "empty key": ('server: {}\n"": x\n', 2, "''", "unknown key ''", "one of server"),
    "empty key in a section": ('server:\n  "": x\n', 2, "server.''", "unknown key ''", "one of listen"),
    "empty key in a list": (
        "tokens: [{name: t, role: viewer, value: x, '': y}]\n",
        1,
        "tokens[0].''",
        "unknown key",
        "one of",
    ),
    "unknown section without a neighbour": (
        "dashboards: {host: x}\n",
        1,
        "dashboards",
        "unknown key 'dashboards'",
        "one of server",
    ),
}
KAFKA_VALUES = {
    "no topics": ("intake:\n  kafka:\n    bootstrap_servers: [k:1]\n", 2, "topics", "nothing", "required"),
    "empty topics": ("intake: {kafka: {bootstrap_servers: [k:1], topics: []}}\n", 1, "topics", "an empty list", "one"),
    "request time-out": (f"{KAFKA}    request_timeout_seconds: 30\n", 5, "request_timeout_seconds", "30", "by default"),
    "rebalance time-out": (
        f"{KAFKA}    request_timeout_seconds: 40\n    rebalance_timeout_seconds: 50\n",
        5,
        "request_timeout_seconds",
        "50 and 40",
        "rebalance_timeout_seconds to be less than request_timeout_seconds",
    ),
    "heartbeat": (f"{KAFKA}    heartbeat_seconds: 10\n", 5, "heartbeat_seconds", "10", "session_timeout_seconds"),
    "session": (f"{KAFKA}    session_timeout_seconds: 5\n", 5, "session_timeout_seconds", "5", "of at least 6"),
    "sasl without user": (
        f"{KAFKA}    security:\n      protocol: SASL_SSL\n      mechanism: PLAIN\n      password: x\n",
        5,
        "security.username",
        "nothing",
        "SASL_SSL needs it",
    ),
    "password without sasl": (
        f"{KAFKA}    security:\n      protocol: SSL\n      password: x\n",
        7,
        "security.password",
        "password with the protocol SSL",
        "SASL_SSL or SASL_PLAINTEXT",
    ),
    "authority without tls": (
        f"{KAFKA}    security:\n      ca_file: x\n",
        6,
        "security.ca_file",
        "ca_file with the protocol PLAINTEXT",
        "SSL or SASL_SSL",
    ),
    "key without certificate": (
        f"{KAFKA}    security:\n      protocol: SSL\n      key_file: x\n",
        7,
        "security.key_file",
        "key_file without cert_file",
        "cert_file",
    ),
    "protocol": (f"{KAFKA}    security: {{protocol: TLS}}\n", 5, "security.protocol", "'TLS'", "one of PLAINTEXT, SSL"),
    "topic twice": (
        "intake:\n  kafka:\n    bootstrap_servers: [k:1]\n    topics:\n      - name: a\n      - name: a\n",
        6,
        "topics[1].name",
        "'a' again",
        "alertd.yml:5",
    ),
    "topic's workspace": (
        KAFKA.replace("name: events", "name: events, workspace: defualt"),
        4,
        "topics[0].workspace",
        "unknown workspace 'defualt'",
        "did you mean 'default'?",
    ),
}
RESOURCES = {
    "workspace twice": (f"{WORKSPACE}  - name: default\n", 5, "workspaces[1].name", "'default' again", "alertd.yml:2"),
    "name": ("workspaces:\n  - name: My Team\n", 2, "workspaces[0].name", "'My Team'", "lower-case letters"),
    "project": (
        "workspaces:\n  - name: default\n    projects: [{name: ''}]\n",
        3,
        "workspaces[0].projects[0].name",
        "''",
        "1 to 128 characters",
    ),
    "no name": ("workspaces:\n  - title: x\n", 2, "workspaces[0].name", "nothing", "required"),
    "channel is a text": (
        "workspaces:\n  - name: default\n    channels:\n      - runs\n",
        4,
        "workspaces[0].channels[0]",
        "'runs'",
        "a mapping",
    ),
    "system channel": (
        WORKSPACE.replace("name: runs", "name: 'run:failed'"),
        3,
        "workspaces[0].channels[0].name",
        "run:failed",
        "built in",
    ),
    "kind": (
        WORKSPACE.replace("regex", "re"),
        3,
        "workspaces[0].channels[0].kind",
        "'re'",
        "one of literal, glob, regex",
    ),
    "pattern": (
        'workspaces:\n  - name: default\n    channels:\n      - name: a\n        kind: regex\n        pattern: "a(?=b)"\n',
        6,
        "workspaces[0].channels[0].pattern",
        "'a(?=b)'",
        "position 1",
    ),
    "glob": (
        WORKSPACE.replace('regex, pattern: "run:.*"', 'glob, pattern: "a{b"'),
        3,
        "workspaces[0].channels[0].pattern",
        "'a{b'",
        "a valid glob: unclosed {",
    ),
    "destination type": (
        WORKSPACE.replace("console", "consol"),
        4,
        "workspaces[0].destinations[0].type",
        "unknown destination type 'consol'",
        "did you mean 'console'?",
    ),
    "setting": (
        WORKSPACE.replace("console", "webhook, settings: {url: 'https://h.example',\n      formt: x}"),
        5,
        "workspaces[0].destinations[0].settings.formt",
        "unknown key 'formt'",
        "did you mean 'format'?",
    ),
    "setting's value": (
        WORKSPACE.replace("type: console", "type: webhook, settings: {url: 'ftp://h'}"),
        4,
        "workspaces[0].destinations[0].settings.url",
        "a value that is not shown",
        "an address such as https://hooks.example.com/x: the URL must begin with http:// or https://",
    ),
    "console has no settings": (
        WORKSPACE.replace("type: console", "type: console, settings: {color: red}"),
        4,
        "workspaces[0].destinations[0].settings.color",
        "unknown key 'color'",
        "nothing",
    ),
    "channel reference": (
        SUBSCRIPTION.replace("channels: [runs]", "channels: [runs, rums]"),
        7,
        "workspaces[0].subscriptions[0].channels[1]",
        "unknown channel 'rums'",
        "did you mean 'runs'?",
    ),
    "system channel reference": (
        SUBSCRIPTION.replace("channels: [runs]", "channels: ['run:faild']"),
        7,
        "workspaces[0].subscriptions[0].channels[0]",
        "unknown channel 'run:faild'",
        "did you mean 'run:failed'?",
    ),
    "destination reference": (
        SUBSCRIPTION.replace("[shell]", "[shel]"),
        8,
        "workspaces[0].subscriptions[0].destinations[0]",
        "unknown destination 'shel'",
        "did you mean 'shell'?",
    ),
    "no channels": (
        SUBSCRIPTION.replace("channels: [runs]", "channels: []"),
        7,
        "workspaces[0].subscriptions[0].channels",
        "an empty list",
        "at least one",
    ),
    "severity": (
        f"{SUBSCRIPTION}        min_severity: bad\n",
        9,
        "workspaces[0].subscriptions[0].min_severity",
        "'bad'",
        "one of debug",
    ),
    "trigger": (
        f"{SUBSCRIPTION}        triggers: [spikes]\n",
        9,
        "workspaces[0].subscriptions[0].triggers[0]",
        "'spikes'",
        "one of new, regression",
    ),
    "matcher": (
        f"{SUBSCRIPTION}        matchers:\n          - a=b\n          - ab\n",
        11,
        "workspaces[0].subscriptions[0].matchers[1]",
        "'ab'",
        "a matcher: NAME=VALUE",
    ),
    "token role": ("tokens:\n  - {name: a, role: boss, value: x}\n", 2, "tokens[0].role", "'boss'", "one of intake"),
    "token twice": (
        "tokens:\n  - {name: a, role: admin, value: x}\n  - {name: a, role: admin, value: y}\n",
        3,
        "tokens[1].name",
        "'a' again",
        "alertd.yml:2",
    ),
    "secret twice": (
        "tokens:\n  - {name: a, role: admin, value: x}\n  - {name: b, role: admin, value: x}\n",
        3,
        "tokens[1].value",
        "a secret that is used twice",
        "alertd.yml:2",
    ),
    "token's workspace": (
        "tokens:\n  - {name: a, role: admin, value: x, workspace: b}\n",
        2,
        "tokens[0].workspace",
        "unknown workspace 'b'",
        "default",
    ),
}


@pytest.mark.parametrize("case", SYNTAX.values(), ids=SYNTAX)
def test_a_broken_document_names_the_line(tmp_path: Path, case: tuple[str, int, str, str]) -> None:
    """What is not a YAML mapping is refused with the line and what would do."""
    text, line, found, expected = case
    said = problem(tmp_path, text)
    assert (said.line, said.path) == (line, "(file)")
    assert found in said.found
    assert expected in said.expected


@pytest.mark.parametrize("case", {**VALUES, **RESOURCES}.values(), ids=[*VALUES, *RESOURCES])
def test_a_broken_value_names_line_and_path(tmp_path: Path, case: tuple[str, int, str, str, str]) -> None:
    """Each thing that is wrong is told once, at its own line, with what was found and expected."""
    text, line, path, found, expected = case
    said = problem(tmp_path, text)
    assert (said.file, said.line, said.path) == (str(tmp_path / "alertd.yml"), line, path)
    assert found in said.found
    assert expected in said.expected


@pytest.mark.parametrize("case", KAFKA_VALUES.values(), ids=KAFKA_VALUES)
def test_kafka_settings_have_to_agree(tmp_path: Path, case: tuple[str, int, str, str, str]) -> None:
    """Time-outs that would never join and half-given security are refused before a broker is asked."""
    text, line, path, found, expected = case
    said = problem(tmp_path, text)
    assert (said.line, said.path) == (line, f"intake.kafka.{path}")
    assert found in said.found
    assert expected in said.expected


def test_the_corpus_is_broken_only_where_it_says(tmp_path: Path) -> None:
    """The files that the corpus is made from are good themselves."""
    load(tmp_path, KAFKA)
    load(tmp_path, SUBSCRIPTION)


def test_no_problem_speaks_the_validator_s_jargon(tmp_path: Path) -> None:
    """People read `a number`, not `Input should be a valid number`."""
    for text, *_ in {**VALUES, **KAFKA_VALUES, **RESOURCES}.values():
        said = str(problem(tmp_path, text))
        assert "Input" not in said
        assert "pydantic" not in said
        assert "should be" not in said


def test_unknown_types_hide_their_settings_from_judgement(tmp_path: Path) -> None:
    """The settings of an unknown destination type are not looked at."""
    text = WORKSPACE.replace("type: console", "type: teleport, settings: {any: [1, {thing: x}]}")
    assert problem(tmp_path, text).path.endswith("destinations[0].type")


def test_a_reference_to_a_broken_resource_is_no_second_problem(tmp_path: Path) -> None:
    """A subscription that names a channel with another mistake in it is not reported too."""
    assert problem(tmp_path, SUBSCRIPTION.replace("regex", "re")).path.endswith("kind")


def test_all_patterns_together_have_to_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patterns that compile one by one but not together are refused at the list of channels."""
    monkeypatch.setattr(resources, "compile_index", partial(compile_index, max_mem_bytes=1 << 16))
    channels = "".join(f'- {{name: c{i}, kind: regex, pattern: "x{i}[a-z]{{1,100}}"}}\n' for i in range(50))
    text = f"workspaces:\n  - name: default\n    channels:\n{indent(channels, '      ')}"
    said = problem(tmp_path, text)
    assert (said.line, said.path) == (3, "workspaces[0].channels")
    assert "50 patterns" in said.found
