"""A channel: a named, compiled pattern over event types."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from alertd.model.fields import Resource, Slug, Title

SYSTEM_CHANNELS = ("run:failed", "run:cancelled", "deploy:failed", "deploy:succeeded")
"""Built into every workspace, named by their type, read-only."""


class ChannelKind(StrEnum):
    """How a channel's pattern is read (design: pattern semantics)."""

    LITERAL = "literal"
    GLOB = "glob"
    REGEX = "regex"


class Channel(Resource):
    """A pattern over event types; with `environments` it sees only events of those."""

    name: Slug
    title: Title = ""
    kind: ChannelKind
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    environments: tuple[str, ...] = Field(default=(), description="empty: all")
