"""What a configuration may say and probably does not mean: warnings of `alertd check`, never a reason to refuse it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alertd.destinations.signing import KEY_BYTES_MIN, parse_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.config.settings import Config
    from alertd.model.destination import Destination, RetryOptions
    from alertd.places import Place


_WORDLESS: Final = frozenset({"file", "kafka", "null"})
"""Types for programs, as most forms of a webhook are: the event is sent, and nothing is said about it."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing that is odd: where, and a sentence that says what; without secrets."""

    place: Place
    message: str


def advice(config: Config, first: int = 0) -> list[Advice]:
    """Say all of it; `first` is the place in the file that the first workspace has (-1: it is not written there)."""
    found = list(_of_retry(("delivery", "retry"), config.delivery.retry, config.delivery.retry))
    for number, workspace in enumerate(config.workspaces, first):
        for index, destination in enumerate(workspace.destinations):
            place = ("workspaces", number, "destinations", index)
            own = destination.retry
            if own.model_fields_set & {"initial_seconds", "max_seconds"}:
                merged = config.delivery.for_destination(destination).retry
                found += _of_retry((*place, "retry"), own, merged)
            found += _of_secret((*place, "settings", "secret"), destination)
            found += _of_changes((*place, "settings", "routing_key"), destination)
            found += _of_templates((*place, "templates"), destination)
    return found


def _of_templates(place: Place, destination: Destination) -> Iterator[Advice]:
    kind, form = destination.type, destination.settings.get("format", "standard")
    wordless = kind in _WORDLESS or (kind == "webhook" and form != "alertmanager")
    if wordless and (destination.templates.title is not None or destination.templates.body is not None):
        named = f"{kind} with format: {form}" if kind == "webhook" else kind
        hint = "; a webhook's own body is format: template" if kind == "webhook" and form != "template" else ""
        yield Advice(place, f"what {named} sends has no title and no text of its own, so these change nothing{hint}")


def _of_secret(place: Place, destination: Destination) -> Iterator[Advice]:
    secret = destination.settings.get("secret")
    if destination.type == "webhook" and isinstance(secret, str) and len(parse_key(secret)) < KEY_BYTES_MIN:
        yield Advice(
            place,
            f"the key has less than {KEY_BYTES_MIN} bytes, so that its signatures may be forged by guessing it; "
            "take 24 to 64 random bytes",
        )


def _of_changes(place: Place, destination: Destination) -> Iterator[Advice]:
    settings = destination.settings
    key = settings.get("routing_key")
    changes = destination.type == "pagerduty" and settings.get("events") == "changes"
    if changes and isinstance(key, str) and key.startswith("R"):
        yield Advice(
            place,
            "a key that begins with R is as a rule that of a ruleset, and PagerDuty takes change events with the key of "
            "a service alone",
        )


def _of_retry(place: Place, own: RetryOptions, merged: RetryOptions) -> Iterator[Advice]:
    """Look at waits as they are in the end, `merged`; the line is that of one which is written here, in `own`."""
    if merged.max_seconds < merged.initial_seconds:
        name = "max_seconds" if "max_seconds" in own.model_fields_set else "initial_seconds"
        yield Advice(
            (*place, name),
            f"max_seconds ({merged.max_seconds:g}) is less than initial_seconds ({merged.initial_seconds:g}), "
            "so that all waits are alike and none is as long as initial_seconds",
        )
