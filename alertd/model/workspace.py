"""A workspace: the tenant that owns channels, destinations, subscriptions and tokens; and its projects."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from alertd.model.channel import Channel
from alertd.model.derived_type import DerivedType
from alertd.model.destination import Destination
from alertd.model.event_type import EventType
from alertd.model.fields import Count, PlaceName, PositiveSeconds, Resource, Seconds, Slug, Title
from alertd.model.intake_endpoint import IntakeEndpoint
from alertd.model.metric_alert import MetricAlert
from alertd.model.subscription import Subscription

DEFAULT = "default"
"""The workspace that always exists."""

Catalogue = Literal["paas", "runs", "agents", "alertd"]


class Person(Resource):
    """Somebody to be told."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]


class LearntProject(Resource):
    """Where in a workspace an event belongs; unknown ones are learnt, so its name is whatever events said."""

    name: PlaceName = Field(
        description="lower-case letters, digits, - and _, up to 64; of one that was learnt, what events said"
    )
    title: Title = ""
    environments: tuple[str, ...] = ()
    owner: Person | None = None
    collaborators: tuple[Person, ...] = ()


class Project(LearntProject):
    """A project that somebody defines."""

    name: Slug


class Incidents(Resource):
    """What opens an incident, by environment (null: nothing does, in none; an empty list: in all), and what ends it."""

    new: tuple[PlaceName, ...] | None = Field(
        ("prod", "production"),
        description="environments in which a new issue opens an incident; an empty list: in all, null: in none",
    )
    regression: tuple[PlaceName, ...] | None = Field((), description="the same for an issue that came back")
    spike: tuple[PlaceName, ...] | None = Field((), description="the same for an issue that spikes")
    unmuted: tuple[PlaceName, ...] | None = Field(None, description="the same for an issue that outgrew its mute")
    after_deploy_seconds: Seconds = Field(
        1800,
        description="for so long after a deployment whatever is new, came back or spikes there opens one; 0: nothing does",
    )
    quiet_seconds: PositiveSeconds = Field(1800, description="after so long without an event an incident is over")


class WorkspaceSettings(Resource):
    """A tenant itself, as the API shows and changes it."""

    name: Slug
    title: Title = ""
    owner: Person | None = Field(
        None, description="who is told of what belongs to no project, or to one without an owner"
    )
    catalogues: tuple[Catalogue, ...] = Field(
        ("paas", "runs", "agents", "alertd"), description="built-in event types that are known here"
    )
    schema_policy: Literal["flag", "refuse"] = Field(
        "flag", description="what becomes of an event whose data violates its type's schema: flag or refuse"
    )
    learnt_types_max: Count = Field(10_000, description="types that are learnt from events; beyond it none are")
    incidents: Incidents = Field(Incidents(), description="what opens incidents, and what ends them")


class Workspace(WorkspaceSettings):
    """A tenant with its resources, as the configuration file holds them."""

    projects: tuple[LearntProject, ...] = ()
    event_types: tuple[EventType, ...] = ()
    channels: tuple[Channel, ...] = Field(default=())
    destinations: tuple[Destination, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    derived_types: tuple[DerivedType, ...] = ()
    metric_alerts: tuple[MetricAlert, ...] = ()
    intake_endpoints: tuple[IntakeEndpoint, ...] = ()
