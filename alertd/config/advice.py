"""What a configuration may say and probably does not mean: warnings of `alertd check`, never a reason to refuse it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alertd.destinations.oddities import oddities

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.config.settings import Config
    from alertd.model.destination import RetryOptions
    from alertd.model.workspace import Workspace
    from alertd.places import Place

_KEEPS_OPEN: Final = frozenset({"pagerduty", "opsgenie", "alertmanager"})
"""Types in which a problem stays open until its end is told."""


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
            found += [Advice((*place, *within), message) for within, message in oddities(destination)]
        found += _of_ends(("workspaces", number), workspace)
    return found


def _of_retry(place: Place, own: RetryOptions, merged: RetryOptions) -> Iterator[Advice]:
    """Look at waits as they are in the end, `merged`; the line is that of one which is written here, in `own`."""
    if merged.max_seconds < merged.initial_seconds:
        name = "max_seconds" if "max_seconds" in own.model_fields_set else "initial_seconds"
        yield Advice(
            (*place, name),
            f"max_seconds ({merged.max_seconds:g}) is less than initial_seconds ({merged.initial_seconds:g}), "
            "so that all waits are alike and none is as long as initial_seconds",
        )


def _of_ends(place: Place, workspace: Workspace) -> Iterator[Advice]:
    """Look for subscriptions that may keep an end from where it is waited for."""
    waiting = {
        each.name
        for each in workspace.destinations
        if each.type in _KEEPS_OPEN and each.settings.get("events") != "changes"
    }
    for index, subscription in enumerate(workspace.subscriptions):
        told = ", ".join(name for name in subscription.destinations if name in waiting)
        for name in ("cooldown_seconds", "occurrences"):
            if told and getattr(subscription, name):
                yield Advice(
                    (*place, "subscriptions", index, name),
                    f"it may hold back what ends a problem, which then stays open in {told}: tell such a destination by a "
                    "subscription without it",
                )
