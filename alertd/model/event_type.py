"""An event type: what a workspace knows about the events of one type. Events of unknown types work all the same."""

from __future__ import annotations

from typing import Annotated, Any, Final

import orjson
from pydantic import Field, StringConstraints, field_validator

from alertd.model.fields import Resource, SeverityWord, Slug, Title, TypeName

SCHEMA_BYTES: Final = 65_536
"""How large a JSON Schema may be, in bytes of JSON."""


class EventType(Resource):
    """A type with its name for people. One that a catalogue knows too inherits from there what it does not say itself.

    `severity` is how bad such an event is by nature; the event's own severity decides, this one is for lists, for events
    that alertd makes, and says which types are critical.
    """

    name: TypeName
    title: Title = Field("", description="the name for people; empty: that of the catalogue, else the type")
    description: Annotated[str, StringConstraints(max_length=2000)] = Field("", description="what it means, for people")
    group: Slug | None = Field(None, description="the group that channels of the kind group name")
    severity: SeverityWord | None = Field(
        None, description="how bad it is by nature, for lists; events say their own; null: that of the catalogue"
    )
    data_schema: dict[str, Any] | None = Field(
        None, description="a JSON Schema for the event's data; null: anything goes"
    )

    @field_validator("data_schema")
    @classmethod
    def _not_too_large(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        try:
            size = len(orjson.dumps(schema))
        except (TypeError, ValueError) as error:
            raise ValueError(f"a JSON Schema: {error}") from None
        if size > SCHEMA_BYTES:
            raise ValueError(f"a JSON Schema of at most {SCHEMA_BYTES} bytes")
        return schema
