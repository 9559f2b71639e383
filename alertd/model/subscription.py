"""A subscription: it joins channels to destinations under a scope and conditions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from alertd.model.fields import Ladder, PositiveSeconds, Reference, Resource, Seconds, SeverityWord, Slug, Title
from alertd.model.severity import EXPECTED

Trigger = Literal["new", "regression", "unmuted", "spike"]
MatcherText = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class Subscription(Resource):
    """Channels x destinations. Empty `projects` and `environments` mean all; `cooldown_seconds` 0 means every event;
    with `occurrences` only these of a (project, environment, key) are sent, counted until a quiet period.
    """  # noqa: D205 - one thought, two lines

    name: Slug
    title: Title = ""
    channels: tuple[Reference, ...] = Field(min_length=1)
    destinations: tuple[Reference, ...] = Field(min_length=1)
    projects: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    min_severity: SeverityWord = Field("debug", description=EXPECTED)
    matchers: tuple[MatcherText, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    cooldown_seconds: Seconds = 0
    occurrences: Ladder = Field((), description="which occurrences are sent, such as [2, 5, 12]; empty: each")
    reset_after_seconds: PositiveSeconds = Field(
        3600, description="seconds without an occurrence after which counting starts again"
    )
    enabled: bool = True
