"""A derived type: events that alertd makes itself when others have occurred so and so many times."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from alertd.model.fields import (
    Ladder,
    PositiveSeconds,
    Reference,
    Resource,
    SeverityWord,
    Slug,
    Title,
    TypeName,
    needed,
)

Per = Literal["project", "environment", "key"]


class DerivedType(Resource):
    """On the counts in `occurrences` of its sources an event of the type `type` is made, then no more until a quiet period.

    Counted are events of `types`, or those that `channel` takes: for each project, for each environment of a project, or
    for each key in an environment. What comes out is marked `source: alertd` and may itself be a source of others; none
    counts what it has made itself.
    """

    name: Slug
    title: Title = ""
    type: TypeName = Field(description="the type of the events that it makes")
    types: tuple[TypeName, ...] = Field((), description="the types that are counted; or: channel")
    channel: Reference | None = Field(
        None, validate_default=True, description="the channel whose events are counted; or: types"
    )
    per: Per = Field("project", description="what is counted on its own: project, environment or key")
    occurrences: Ladder = Field(min_length=1, description="the counts that make an event, such as [2, 5, 12]")
    reset_after_seconds: PositiveSeconds = Field(
        3600, description="seconds without an occurrence after which counting starts again"
    )
    severity: SeverityWord | None = Field(
        None, description="of the events that it makes; null: that of the type in the catalogue, else of the last cause"
    )
    enabled: bool = Field(True, description="false: nothing is counted or made")

    @field_validator("channel")
    @classmethod
    def _one_source(cls, channel: str | None, info: ValidationInfo) -> str | None:
        types = info.data.get("types")
        if types is not None and not types and channel is None:
            raise needed("a channel, or types: one of them says what is counted")
        if types and channel is not None:
            raise ValueError("nothing beside types: one of them says what is counted")
        return channel
