"""What a destination may be told to do and probably is not meant to: warnings, never a reason to refuse it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alertd.destinations.signing import KEY_BYTES_MIN, parse_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.model.destination import Destination
    from alertd.places import Place

_WORDLESS: Final = frozenset({"file", "kafka", "null"})
"""Types for programs, as most forms of a webhook are: the event is sent, and nothing is said about it."""

_GUESSED: Final = (
    f"the key has less than {KEY_BYTES_MIN} bytes, so that its signatures may be forged by guessing it; "
    "take 24 to 64 random bytes"
)
_RULESET: Final = (
    "a key that begins with R is as a rule that of a ruleset, and PagerDuty takes change events with the key of "
    "a service alone"
)


def oddities(destination: Destination) -> Iterator[tuple[Place, str]]:
    """Say all that is odd, each with its place in the destination, and without secrets."""
    yield from _of_secret(destination)
    yield from _of_changes(destination)
    yield from _of_templates(destination)


def _of_secret(destination: Destination) -> Iterator[tuple[Place, str]]:
    secret = destination.settings.get("secret")
    if destination.type == "webhook" and isinstance(secret, str) and _is_short(secret):
        yield ("settings", "secret"), _GUESSED


def _is_short(secret: str) -> bool:
    try:
        return len(parse_key(secret)) < KEY_BYTES_MIN
    except ValueError:  # which is an error of its own
        return False


def _of_changes(destination: Destination) -> Iterator[tuple[Place, str]]:
    settings = destination.settings
    key = settings.get("routing_key")
    changes = destination.type == "pagerduty" and settings.get("events") == "changes"
    if changes and isinstance(key, str) and key.startswith("R"):
        yield ("settings", "routing_key"), _RULESET


def _of_templates(destination: Destination) -> Iterator[tuple[Place, str]]:
    kind, form = destination.type, destination.settings.get("format", "standard")
    wordless = kind in _WORDLESS or (kind == "webhook" and form != "alertmanager")
    if wordless and (destination.templates.title is not None or destination.templates.body is not None):
        named = f"{kind} with format: {form}" if kind == "webhook" else kind
        hint = "; a webhook's own body is format: template" if kind == "webhook" and form != "template" else ""
        yield ("templates",), f"what {named} sends has no title and no text of its own, so these change nothing{hint}"
