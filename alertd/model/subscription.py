"""A subscription: it joins channels to destinations under a scope and conditions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from alertd.model.fields import Resource, Seconds, Slug, Title
from alertd.model.severity import BY_WORD, EXPECTED

Trigger = Literal["new", "regression", "unmuted", "spike"]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=256)]
MatcherText = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class Subscription(Resource):
    """Channels x destinations. Empty `projects` and `environments` mean all; `cooldown_seconds` 0 means every event."""

    name: Slug
    title: Title = ""
    channels: tuple[Reference, ...] = Field(min_length=1)
    destinations: tuple[Reference, ...] = Field(min_length=1)
    projects: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    min_severity: str = Field("debug", description=EXPECTED)
    matchers: tuple[MatcherText, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    cooldown_seconds: Seconds = 0
    enabled: bool = True

    @field_validator("min_severity")
    @classmethod
    def _known_severity(cls, word: str) -> str:
        if word not in BY_WORD:
            raise ValueError(EXPECTED)
        return BY_WORD[word].word
