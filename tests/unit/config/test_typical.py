"""Typical mistakes: each is told in plain words, with the field, what was found there and what was expected instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from alertd.config.load import load_config
from alertd.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

HIDDEN: Final = "a value that is not shown"
ADDRESS: Final = "an address such as https://hooks.example.com/x: "
CHANNEL: Final = "workspaces: [{name: default, channels: [{name: a, kind: %s}]}]"
DESTINATION: Final = "workspaces: [{name: default, destinations: [{name: d, type: %s}]}]"
SUBSCRIPTION: Final = (
    "workspaces: [{name: default, destinations: [{name: d, type: console}], subscriptions: [{name: s, %s}]}]"
)
KAFKA: Final = 'intake: {kafka: {bootstrap_servers: ["k.example:9092"], topics: [{name: "%s"}]}}'
DOTS: Final = "a name that is more than one dot or two"
TOPIC: Final = "letters, digits, ., _ and -, 1 to 249 characters"
OF: Final = {CHANNEL: "channels[0].", DESTINATION: "destinations[0].", SUBSCRIPTION: "subscriptions[0]."}
MISTAKES: Final = [
    ("%s", "store: {retention_days: never}", "store.retention_days", "'never'", "a number of days"),
    ("%s", "intake: {http: {max_body_bytes: 1MB}}", "intake.http.max_body_bytes", "'1MB'", "a whole number of bytes"),
    ("%s", "delivery: {timeout_seconds: -1}", "delivery.timeout_seconds", "-1", "a number of seconds greater than 0"),
    ("%s", "mail: {port: 70000}", "mail.port", "70000", "a whole number of at most 65535"),
    ("%s", "sever: {}", "sever", "unknown key 'sever'", "did you mean 'server'?"),
    *(
        ("%s", KAFKA % name, "intake.kafka.topics[0].name", repr(name), told)
        for name, told in ((".", DOTS), ("..", DOTS), ("a/b", TOPIC))
    ),
    *(
        (DESTINATION, f'kafka, settings: {{bootstrap_servers: ["k.example:9092"], topic: "{name}"}}', "settings.topic", HIDDEN, told)
        for name, told in ((".", DOTS), ("..", DOTS), ("a/b", TOPIC), ("a" * 250, TOPIC))
    ),
    ("%s", "tokens: [{name: ci, role: root, value: x}]", "tokens[0].role", "'root'", "one of intake, viewer, operator, admin"),
    ("%s", "tokens: [{name: ci, role: admin}]", "tokens[0].value", "nothing", "a value: it is required"),
    (CHANNEL, 'regex, pattern: "run:(.*"', "pattern", "'run:(.*'", "a valid regex: unclosed group ( (at position 4)"),
    (CHANNEL, "globb, pattern: x", "kind", "'globb'", "one of literal, glob, regex, group, list"),
    (CHANNEL, "glob, pattern: x}, {name: a, kind: glob, pattern: y", "channels[1].name", "'a' again", "a name of its own"),
    (DESTINATION, "slak", "type", "unknown destination type 'slak'", "did you mean 'slack'?"),
    (DESTINATION, "slack", "settings.token", "nothing", "url, or token: one of them says where to post"),
    (DESTINATION, "slack, settings: {token: xoxb-1}", "settings.channel", "nothing", "a channel: token needs it"),
    (DESTINATION, "slack, settings: {url: slack}", "settings.url", HIDDEN, f"{ADDRESS}the URL must begin with http"),
    (DESTINATION, "slack, settings: {token: a b}", "settings.token", HIDDEN, "a secret of printable ASCII, without spaces"),
    (
        DESTINATION, 'slack, settings: {url: "https://x.example/", token: a, channel: c}', "settings.token", HIDDEN,
        "either url or token, not both",
    ),
    (DESTINATION, "webhook, settings: {url: 5}", "settings.url", "a number that is not shown", "a text"),
    (DESTINATION, "webhook, settings: {}", "settings.url", "nothing", "a value: it is required"),
    (
        DESTINATION, 'webhook, settings: {url: "https://x.example/", secret: whsec_!}', "settings.secret", HIDDEN,
        "base64 after whsec_",
    ),
    (
        DESTINATION, 'webhook, settings: {url: "https://x.example/", headers: {"X Y": z}}', "settings.headers", "a mapping",
        "a header name of letters, digits and signs such as - in place of 'X Y'",
    ),
    (DESTINATION, "webhook, settings: {url: 'https://x.example/', ulr: x}", "settings.ulr", "unknown key 'ulr'", "did you mean 'url'?"),
    (DESTINATION, "telegram, settings: {token: abc, chat_id: 1}", "settings.token", HIDDEN, "a bot's token, of the form"),
    (DESTINATION, "email, settings: {to: [ops@]}", "settings.to[0]", HIDDEN, "an address such as ops@example.com"),
    (DESTINATION, "email, settings: {to: []}", "settings.to", "an empty list", "at least one of them"),
    (DESTINATION, "ntfy, settings: {topic: a b}", "settings.topic", HIDDEN, "a topic of 1 to 64 letters, digits, - and _"),
    (SUBSCRIPTION, "channels: [rums], destinations: [d]", "channels[0]", "unknown channel 'rums'", "one of run:failed"),
    (
        SUBSCRIPTION, "channels: [run:failed], destinations: [d], min_severity: high", "min_severity", "'high'",
        "one of debug, info, warning, error, critical",
    ),
    (
        SUBSCRIPTION, "channels: [run:failed], destinations: [d], cooldown_seconds: 5m", "cooldown_seconds", "'5m'",
        "a number of seconds",
    ),
    (
        SUBSCRIPTION, "channels: [run:failed], destinations: [d], matchers: [x]", "matchers[0]", "'x'",
        "a matcher: NAME=VALUE with one of the operators",
    ),
    (SUBSCRIPTION, "channels: [], destinations: [d]", "channels", "an empty list", "at least one of them"),
]  # fmt: skip


@pytest.mark.parametrize(("frame", "text", "path", "found", "expected"), MISTAKES, ids=[each[1] for each in MISTAKES])
def test_a_mistake_is_told_in_plain_words(
    tmp_path: Path, frame: str, text: str, path: str, found: str, expected: str
) -> None:
    """One problem each, at the field itself, and in no words of a validator."""
    file = tmp_path / "alertd.yml"
    file.write_text(frame % text)
    with pytest.raises(ConfigError) as refused:
        load_config(file, {})
    [problem] = refused.value.problems
    assert problem.path.endswith(path)
    if frame in OF and not path.startswith(OF[frame][:4]):
        assert problem.path == f"workspaces[0].{OF[frame]}{path}"
    assert problem.found == found
    assert expected in problem.expected
    assert "refused" not in str(problem)
    assert "Value error" not in str(problem)
