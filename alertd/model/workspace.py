"""A workspace: the tenant that owns channels, destinations, subscriptions and tokens; and its projects."""

from __future__ import annotations

from pydantic import Field

from alertd.model.channel import Channel
from alertd.model.destination import Destination
from alertd.model.fields import Resource, Slug, Title
from alertd.model.subscription import Subscription

DEFAULT = "default"
"""The workspace that always exists."""


class Person(Resource):
    """Somebody to be told."""

    name: str
    email: str


class Project(Resource):
    """Where in a workspace an event belongs; unknown ones are learnt."""

    name: Slug
    title: Title = ""
    environments: tuple[str, ...] = ()
    owner: Person | None = None
    collaborators: tuple[Person, ...] = ()


class Workspace(Resource):
    """A tenant with its resources, as the configuration file holds them."""

    name: Slug
    title: Title = ""
    projects: tuple[Project, ...] = ()
    channels: tuple[Channel, ...] = Field(default=())
    destinations: tuple[Destination, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
