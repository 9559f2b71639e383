"""The text of `config/alertd.full.yml`: every setting with its default, its unit and what it is for, from the models.

What is absent by default (Kafka, tokens, resources) is written behind a `#` without a space: take that away to use it.
It only writes; that the file in the repository is this text is for a test to say.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

import yaml
from pydantic_core import PydanticUndefined

from alertd.config.restart import NEED_RESTART
from alertd.config.settings import Config
from alertd.destinations.registry import REGISTRY
from alertd.model.channel import ChannelKind
from alertd.places import is_model, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

WIDTH: Final = 100
"""Characters of a line of explanation."""
_SETTINGS: Final = "workspaces.destinations.settings"
_LEFT_OUT: Final = frozenset(f"workspaces.destinations.{name}" for name in ("queue", "retry", "breaker"))
"""Sections whose keys are explained elsewhere (`delivery`)."""
HEAD: Final = """\
# Every setting of alertd with its default: what is left out of a configuration is as it is written here.
# Lines behind a # without a space are absent by default; the values in them are defaults where it does not say
# "required" or "example". Durations are in seconds and may be fractions.
#
# Any setting can also come from the environment: ALERTD_SERVER__LISTEN=0.0.0.0:8080 (two underscores: one level down).
# In every text ${NAME} stands for an environment variable, ${NAME:-text} for one with a default, $$ for a single $.
# A secret or a destination's setting may be file:PATH (relative to this file) or credential:NAME (systemd).
#
# `alertd check FILE` says everything that is wrong. SIGHUP reads the file again; what is marked (restart), with all that
# is in it, waits for the next start.
"""
EXAMPLES: Final[dict[str, Any]] = {
    "intake.kafka.bootstrap_servers": ["kafka-1:9092", "kafka-2:9092"],
    "intake.kafka.topics.name": "events",
    "tokens.name": "producers",
    "tokens.role": "intake",
    "tokens.value": "file:/etc/alertd/producers.token",
    "workspaces.name": "default",
    "workspaces.owner.name": "Olga",
    "workspaces.owner.email": "olga@example.com",
    "workspaces.projects.name": "shop",
    "workspaces.projects.owner.name": "Ann",
    "workspaces.projects.owner.email": "ann@example.com",
    "workspaces.projects.collaborators.name": "Bob",
    "workspaces.projects.collaborators.email": "bob@example.com",
    "workspaces.event_types.name": "payment:failed",
    "workspaces.channels.name": "runs",
    "workspaces.channels.kind": ChannelKind.REGEX.value,
    "workspaces.channels.pattern": "run:.*",
    "workspaces.destinations.name": "ops-hook",
    "workspaces.destinations.type": "webhook",
    "settings.webhook.url": "https://hooks.example.com/x",
    "settings.webhook.secret": "${OPS_HOOK_SECRET}",
    "settings.webhook.headers": {"X-Team": "ops"},
    "workspaces.subscriptions.name": "production-runs",
    "workspaces.subscriptions.channels": ["runs"],
    "workspaces.subscriptions.destinations": ["ops-hook"],
    "workspaces.derived_types.name": "payments-failing",
    "workspaces.derived_types.type": "payments_failing",
    "workspaces.derived_types.types": ["payment:failed"],
    "workspaces.derived_types.occurrences": [2, 5, 12],
    "workspaces.metric_alerts.name": "cpu",
    "workspaces.metric_alerts.types": ["app_metrics"],
    "workspaces.metric_alerts.field": "data.cpu.percent",
    "workspaces.metric_alerts.when": "above",
    "workspaces.metric_alerts.limit": 90,
    "workspaces.intake_endpoints.name": "github",
    "workspaces.intake_endpoints.source": "github",
}
"""Values for what has no default, or whose default says little."""
DESCRIPTIONS: Final[dict[str, str]] = {
    "delivery.queue": "the bounded queue of each destination",
    "delivery.retry": "when a failed delivery is attempted again",
    "delivery.retry.max_attempts": "attempts of one delivery until it is dead; with 12, the default, those answered 429 (by a mail server 421, 450, 451, 452) are not counted",
    "delivery.retry.initial_seconds": "seconds until the second attempt",
    "delivery.retry.factor": "how much longer each following wait is",
    "delivery.retry.max_seconds": "the longest wait in seconds",
    "delivery.retry.jitter": "full: a random part of each wait; none: all of it",
    "delivery.retry.give_up_after_seconds": "seconds after which a delivery is dead, whatever its attempts",
    "delivery.retry.retry_after_max_seconds": "the longest Retry-After in seconds that a receiver may ask for",
    "delivery.breaker": "when a destination is left alone for a while",
    "delivery.breaker.failures": "failures in a row that open the breaker; one success resets it",
    "delivery.breaker.cool_seconds": "seconds until one delivery is tried again",
    "delivery.timeout_seconds": "seconds for one attempt in all; a mail server may take six times as long for the reply to a letter",
    "workspaces.name": "lower-case letters, digits, - and _, up to 64",
    "workspaces.title": "the name for people",
    "workspaces.projects": "where events belong; unknown ones are learnt",
    "workspaces.projects.title": "the name for people",
    "workspaces.projects.environments": "the environments that are known from the start",
    "workspaces.projects.owner": "who is told, for destinations that write to people",
    "workspaces.owner.name": "the person's name",
    "workspaces.owner.email": "the person's address",
    "workspaces.projects.owner.name": "the person's name",
    "workspaces.projects.owner.email": "the person's address",
    "workspaces.projects.collaborators": "who else is told",
    "workspaces.projects.collaborators.name": "the person's name",
    "workspaces.projects.collaborators.email": "the person's address",
    "workspaces.event_types": "what is known about types of events; others work all the same",
    "workspaces.event_types.name": "the type: printable ASCII without spaces, 1 to 256 characters",
    "workspaces.channels": "named choices of event types",
    "workspaces.channels.title": "the name for people",
    "workspaces.channels.kind": "literal, glob, regex, group or list",
    "workspaces.destinations": "where alerts are delivered to",
    "workspaces.destinations.title": "the name for people",
    "workspaces.destinations.type": ", ".join(REGISTRY),
    "workspaces.destinations.settings": "what the type needs; here: webhook",
    "workspaces.destinations.queue": "overrides delivery.queue, key by key",
    "workspaces.destinations.retry": "overrides delivery.retry, key by key",
    "workspaces.destinations.breaker": "overrides delivery.breaker, key by key",
    "workspaces.destinations.enabled": "false: it gets no new deliveries (verdict destination_disabled); those that wait go on waiting",
    "workspaces.subscriptions": "join channels to destinations",
    "workspaces.subscriptions.title": "the name for people",
    "workspaces.subscriptions.channels": "names of channels, also of the system's: run:failed, run:cancelled, deploy:failed,"
    " deploy:succeeded",
    "workspaces.subscriptions.destinations": "names of destinations",
    "workspaces.subscriptions.projects": "empty: all",
    "workspaces.subscriptions.environments": "empty: all",
    "workspaces.subscriptions.matchers": 'conditions in Alertmanager\'s syntax, such as team="payments"',
    "workspaces.subscriptions.triggers": "of issues: new, regression, unmuted, spike; empty: any event",
    "workspaces.subscriptions.cooldown_seconds": "least seconds between alerts of one project, environment and key;"
    " 0: every event",
    "workspaces.subscriptions.enabled": "false: nothing is sent",
    "workspaces.derived_types": "events that alertd makes when others have occurred so and so many times",
    "workspaces.derived_types.title": "the name for people",
    "workspaces.metric_alerts": "rules on a numeric field of events, above or below a limit for a while",
    "workspaces.metric_alerts.title": "the name for people",
    "workspaces.intake_endpoints": "webhook URLs of ours for outside services",
    "workspaces.intake_endpoints.name": "lower-case letters, digits, - and _, up to 64",
    "workspaces.intake_endpoints.title": "the name for people",
}
"""For settings whose models are resources too and say less than a file needs."""


def full_config() -> str:
    """Write the whole file."""
    parts = [HEAD]
    for name, field in Config.model_fields.items():
        parts.append("\n".join(_field(name, name, field)))
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def describe(setting: str, field: FieldInfo) -> str:
    """Say what a setting is for; `setting` is its path without indices."""
    return DESCRIPTIONS.get(setting) or field.description or ""


def element(annotation: Any) -> Any:
    """Give the model of a list's items; None when they are no models."""
    inner = plain(annotation)
    arguments = getattr(inner, "__args__", ())
    return plain(arguments[0]) if arguments and is_model(plain(arguments[0])) else None


def _field(setting: str, name: str, field: FieldInfo) -> Iterator[str]:
    yield from _comment(setting, field)
    annotation = plain(field.annotation)
    item = element(field.annotation)
    if setting in _LEFT_OUT:
        yield f"{name}: {{}}"
    elif setting == _SETTINGS:
        yield f"{name}:"
        yield from _indent(_mapping("settings.webhook", REGISTRY["webhook"].settings_model))
    elif item is not None:
        absent = not field.is_required()
        lines = [f"{name}:", *_indent(_list_item(setting, item))]
        yield from (_absent(lines) if absent and not _inside_absent(setting) else lines)
    elif is_model(annotation):
        lines = [f"{name}:", *_indent(_mapping(setting, annotation))]
        yield from (_absent(lines) if field.default is None and not _inside_absent(setting) else lines)
    else:
        yield f"{name}: {_written(EXAMPLES.get(setting, _shown(field)))}"


def _shown(field: FieldInfo) -> Any:
    """Give what stands for a setting's value: the model's own example, else the default."""
    return field.examples[0] if field.examples else field.get_default(call_default_factory=True)


def _mapping(setting: str, model: Any) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield from _field(f"{setting}.{name}", name, field)


def _list_item(setting: str, model: Any) -> Iterator[str]:
    first = True
    for line in _mapping(setting, model):
        yield f"{'  ' if not first or line.startswith('#') else '- '}{line}"
        first = first and line.startswith("#")
    if setting == "workspaces.destinations":
        for name in [name for name in REGISTRY if name != "webhook"]:
            yield from _destination(name)


def _destination(name: str) -> Iterator[str]:
    """Write a destination of a type with what is particular to it."""
    yield f"- name: my-{name}"
    yield f"  type: {_written(name)}"
    settings = list(_mapping(f"settings.{name}", REGISTRY[name].settings_model))
    if settings:
        yield "  settings:"
        yield from (f"    {line}" for line in settings)


def _comment(setting: str, field: FieldInfo) -> Iterator[str]:
    notes = [describe(setting, field)]
    if field.is_required():
        notes.append("required")
    elif setting in EXAMPLES or field.examples:
        notes.append("example")
    text = f"{'; '.join(notes)}{' (restart)' if setting in NEED_RESTART else ''}"
    yield from (f"# {line}" for line in textwrap.wrap(text, WIDTH))


def _inside_absent(setting: str) -> bool:
    return setting.startswith(("intake.kafka.", "workspaces.", "tokens.", "settings."))


def _absent(lines: list[str]) -> Iterator[str]:
    return (f"#{line}" for line in lines)


def _indent(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _written(value: Any) -> str:
    if value is PydanticUndefined:
        raise AssertionError("a required setting without an example")
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    value = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").removesuffix("\n")
