"""A channel: a named, compiled choice of event types."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from alertd.model.fields import Resource, Slug, Title, TypeName, needed

SYSTEM_CHANNELS = ("run:failed", "run:cancelled", "deploy:failed", "deploy:succeeded")
"""Built into every workspace, named by their type, read-only."""


class ChannelKind(StrEnum):
    """How a channel chooses: by a pattern (design: pattern semantics), by a group of the catalogue, or by a list."""

    LITERAL = "literal"
    GLOB = "glob"
    REGEX = "regex"
    GROUP = "group"
    LIST = "list"


class Channel(Resource):
    """A choice of event types; with `environments` it sees only events of those.

    `pattern` is what `literal`, `glob` and `regex` read and what names the group of a `group`; `types` belong to a `list`.
    """

    name: Slug
    title: Title = ""
    kind: ChannelKind
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = Field(
        None, validate_default=True, description="what matches the whole type, or a group's name; not for a list"
    )
    types: tuple[TypeName, ...] = Field((), validate_default=True, description="event types, for a list alone")
    environments: tuple[str, ...] = Field(default=(), description="empty: all")

    @field_validator("pattern")
    @classmethod
    def _where_it_belongs(cls, pattern: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("kind")
        if kind is ChannelKind.LIST and pattern is not None:
            raise ValueError("nothing: a list names its types in types")
        if kind is not None and kind is not ChannelKind.LIST and pattern is None:
            what = "the name of a group" if kind is ChannelKind.GROUP else "a pattern"
            raise needed(f"{what}: a channel of the kind {kind} needs it")
        return pattern

    @field_validator("types")
    @classmethod
    def _only_in_a_list(cls, types: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        kind = info.data.get("kind")
        if kind is ChannelKind.LIST and not types:
            raise needed("at least one type: a channel of the kind list needs them")
        if kind is not None and kind is not ChannelKind.LIST and types:
            raise ValueError(f"nothing: a channel of the kind {kind} has a pattern (types belong to the kind list)")
        return types
