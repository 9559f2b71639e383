"""A Kafka topic's name, as the brokers take it: for the topics that are read and those that are written to."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, StringConstraints


def _check(name: str) -> str:
    if name in {".", ".."}:
        raise ValueError("a name that is more than one dot or two")
    return name


TopicName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,249}$"), AfterValidator(_check)]
