"""What a configuration may say and probably does not mean: warnings of `alertd check`, never a reason to refuse it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.config.settings import Config
    from alertd.model.destination import RetryOptions


def advice(config: Config) -> list[str]:
    """Say all of it, one sentence each, beginning with the path of what it is about."""
    found = list(_of_retry("delivery.retry", config.delivery.retry))
    for number, workspace in enumerate(config.workspaces):
        for index, destination in enumerate(workspace.destinations):
            if destination.retry.model_fields_set:
                path = f"workspaces[{number}].destinations[{index}].retry"
                found += _of_retry(path, config.delivery.for_destination(destination).retry)
    return found


def _of_retry(path: str, retry: RetryOptions) -> Iterator[str]:
    if retry.max_seconds < retry.initial_seconds:
        yield (
            f"{path}: max_seconds ({retry.max_seconds:g}) is less than initial_seconds ({retry.initial_seconds:g}), "
            "so that all waits are alike and none is as long as initial_seconds"
        )
