"""A metric alert: a rule on a numeric field of events, above or below a limit for a while."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from alertd.model.fields import (
    PositiveSeconds,
    Reference,
    Resource,
    Seconds,
    SeverityWord,
    Slug,
    Title,
    TypeName,
    needed,
)

TRIGGERED = "app_alert_triggered"
RESOLVED = "app_alert_resolved"


class MetricAlert(Resource):
    """While `field` stays beyond `limit` for `for_seconds` the alert fires, and reminds; the first value that is not ends it.

    Values are followed for each (project, environment, key) on its own. The events that it makes go to `subscriptions` and
    `destinations` alone; with neither they are routed like any other event.
    """

    name: Slug
    title: Title = ""
    types: tuple[TypeName, ...] = Field((), description="the types of the events that carry the value; or: channel")
    channel: Reference | None = Field(
        None, validate_default=True, description="the channel whose events carry the value; or: types"
    )
    field: Annotated[str, StringConstraints(min_length=1, max_length=256)] = Field(
        description="where the number is: a path such as data.cpu.percent, or a label"
    )
    when: Literal["above", "below"] = Field(description="above or below")
    limit: Annotated[float, Field(allow_inf_nan=False)] = Field(description="the value that is still good")
    for_seconds: Seconds = Field(0, description="seconds beyond the limit until it fires; 0: at once")
    reminder_seconds: Seconds = Field(0, description="seconds between reminders while it fires; 0: none")
    forget_after_seconds: PositiveSeconds = Field(
        86400, description="seconds without a value after which it is over, and resolved if it fires"
    )
    projects: tuple[str, ...] = Field((), description="empty: all")
    environments: tuple[str, ...] = Field((), description="empty: all")
    subscriptions: tuple[Reference, ...] = Field((), description="whom it tells: under their scope and conditions")
    destinations: tuple[Reference, ...] = Field((), description="what it tells without a subscription")
    severity: SeverityWord = Field("critical", description="of the events that it makes; a resolution is info")
    type: TypeName = Field(TRIGGERED, description="the type of the event when it fires, and of its reminders")
    resolved_type: TypeName = Field(RESOLVED, description="the type of the event when it is over")
    enabled: bool = Field(True, description="false: no value is looked at")

    @field_validator("channel")
    @classmethod
    def _one_source(cls, channel: str | None, info: ValidationInfo) -> str | None:
        types = info.data.get("types")
        if types is not None and not types and channel is None:
            raise needed("a channel, or types: one of them says which events carry the value")
        if types and channel is not None:
            raise ValueError("nothing beside types: one of them says which events carry the value")
        return channel

    @field_validator("forget_after_seconds")
    @classmethod
    def _longer_than_the_wait(cls, seconds: float, info: ValidationInfo) -> float:
        if seconds <= info.data.get("for_seconds", 0):
            raise ValueError("more than for_seconds, else it never fires")
        return seconds
