"""What a configuration may say and probably does not mean: warnings of `alertd check`, never a reason to refuse it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.destinations.signing import KEY_BYTES_MIN, parse_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.config.settings import Config
    from alertd.model.destination import Destination, RetryOptions


def advice(config: Config) -> list[str]:
    """Say all of it, one sentence each, beginning with the path of what it is about."""
    found = list(_of_retry("delivery.retry", config.delivery.retry))
    for number, workspace in enumerate(config.workspaces):
        for index, destination in enumerate(workspace.destinations):
            path = f"workspaces[{number}].destinations[{index}]"
            if destination.retry.model_fields_set:
                found += _of_retry(f"{path}.retry", config.delivery.for_destination(destination).retry)
            found += _of_secret(path, destination)
    return found


def _of_secret(path: str, destination: Destination) -> Iterator[str]:
    secret = destination.settings.get("secret")
    if destination.type == "webhook" and isinstance(secret, str) and len(parse_key(secret)) < KEY_BYTES_MIN:
        yield (
            f"{path}.settings.secret: the key has less than {KEY_BYTES_MIN} bytes, so that its signatures may be forged "
            "by guessing it; take 24 to 64 random bytes"
        )


def _of_retry(path: str, retry: RetryOptions) -> Iterator[str]:
    if retry.max_seconds < retry.initial_seconds:
        yield (
            f"{path}: max_seconds ({retry.max_seconds:g}) is less than initial_seconds ({retry.initial_seconds:g}), "
            "so that all waits are alike and none is as long as initial_seconds"
        )
