"""What the resources of a workspace have to agree on: names, references, patterns, and settings of destinations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from alertd.config.names import check_unique, items, names_in, refuse_unknown, shown_names
from alertd.config.rules import check_rules
from alertd.config.validation import report_invalid
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.destinations.templates import check
from alertd.engine.matcher import parse_matcher
from alertd.errors import PatternError
from alertd.matching.index import RulesetTooLargeError, compile_index
from alertd.matching.pattern import PatternKind, compile_pattern
from alertd.model.channel import SYSTEM_CHANNELS
from alertd.model.defaults import CRITICAL_TYPES, OWNER_EMAIL
from alertd.resources.judge import deep_fields, shallow_enough
from alertd.words import one_of, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.config.problems import Problems
    from alertd.matching.pattern import Pattern
    from alertd.places import Place

COLLECTIONS = {
    "projects": "a project",
    "channels": "a channel",
    "destinations": "a destination",
    "subscriptions": "a subscription",
    "event_types": "an event type",
    "derived_types": "a derived type",
    "metric_alerts": "a metric alert",
    "intake_endpoints": "an intake endpoint",
}
"""The lists of a workspace, and what one item of each is called."""
_KINDS = {kind.value: kind for kind in PatternKind}
_REASON_HIDDEN = "one that is valid (why it is not is not shown, as it was put in by a reference)"


def check_workspace(root: Any, place: Place, problems: Problems) -> None:
    """Note what does not agree in one workspace, and what of its resources is too deep to be read."""
    for collection, noun in COLLECTIONS.items():
        check_unique(root, (*place, collection), noun, problems)
        for at, resource in items(root, (*place, collection)):
            for name in deep_fields(resource):
                problems.add((*at, name), "deeper nesting", shallow_enough(), at_key=True)
    _check_channels(root, (*place, "channels"), problems)
    for at, destination in items(root, (*place, "destinations")):
        _check_destination(at, destination, problems)
    _check_subscriptions(root, place, problems)
    check_rules(root, place, problems)


def _check_channels(root: Any, collection: Place, problems: Problems) -> None:
    patterns = []
    for place, channel in items(root, collection):
        if channel.get("name") in SYSTEM_CHANNELS:
            found = f"the system channel {channel['name']}"
            problems.add((*place, "name"), found, "another name: system channels are built in and read-only")
        pattern = _check_pattern((*place, "pattern"), channel, problems)
        if pattern is not None:
            patterns.append(pattern)
    try:
        compile_index(patterns)
    except RulesetTooLargeError as error:
        problems.add(collection, str(error), "patterns that fit", at_key=True)


def _check_pattern(place: Place, channel: dict[str, Any], problems: Problems) -> Pattern | None:
    kind, pattern = channel.get("kind"), channel.get("pattern")
    if not (isinstance(kind, str) and kind in _KINDS and isinstance(pattern, str) and pattern) or problems.has(place):
        return None
    try:
        return compile_pattern(_KINDS[kind], pattern)
    except PatternError as error:
        at = "" if error.position is None else f" (at position {error.position})"
        reason = f"a valid {kind}: {error.reason}{at}"
        hidden = place in problems.referenced
        problems.add(place, problems.show(place, pattern), _REASON_HIDDEN if hidden else reason)
        return None


def _check_destination(place: Place, destination: dict[str, Any], problems: Problems) -> None:
    name, settings = destination.get("type"), destination.get("settings", {})
    at = (*place, "type")
    if not isinstance(name, str) or problems.has(at):
        return
    if name not in REGISTRY:
        near = "" if problems.hides(at) else suggestion(name, REGISTRY)
        problems.add(at, f"unknown destination type {problems.show(at, name)}", f"{one_of(sorted(REGISTRY))}{near}")
    elif isinstance(settings, dict):
        try:
            parse_settings(name, settings)
        except ValidationError as error:
            report_invalid((*place, "settings"), error, settings, problems)
    _check_templates((*place, "templates"), destination.get("templates"), problems)


def _check_templates(place: Place, templates: Any, problems: Problems) -> None:
    for name, source in templates.items() if isinstance(templates, dict) else ():
        _check_text((*place, name), source, "a template", check, problems)


def _check_subscriptions(root: Any, place: Place, problems: Problems) -> None:
    _check_references(root, place, "channel", (*SYSTEM_CHANNELS, CRITICAL_TYPES), problems)
    _check_references(root, place, "destination", (OWNER_EMAIL,), problems)
    for at, subscription in items(root, (*place, "subscriptions")):
        _check_matchers((*at, "matchers"), subscription.get("matchers"), problems)


def _check_references(root: Any, place: Place, noun: str, built_in: tuple[str, ...], problems: Problems) -> None:
    collection = f"{noun}s"
    known = names_in(root, (*place, collection))
    for at, subscription in items(root, (*place, "subscriptions")):
        names = subscription.get(collection)
        for index, name in enumerate(names if isinstance(names, list) else ()):
            if isinstance(name, str) and name not in known and name not in built_in:
                shown = [*shown_names(known, problems), *built_in]
                refuse_unknown((*at, collection, index), name, shown, noun, problems)


def _check_matchers(place: Place, matchers: Any, problems: Problems) -> None:
    for index, text in enumerate(matchers if isinstance(matchers, list) else ()):
        _check_text((*place, index), text, "a matcher", parse_matcher, problems)


def _check_text(at: Place, text: Any, what: str, parse: Callable[[str], object], problems: Problems) -> None:
    """Note a text that cannot be parsed; `parse` raises ValueError that says why, or what was expected."""
    if isinstance(text, str) and not problems.has(at):
        try:
            parse(text)
        except ValueError as error:
            expected = f"{what}: {str(error).removeprefix('expected ')}"
            problems.add(at, problems.show(at, text), _REASON_HIDDEN if at in problems.referenced else expected)
