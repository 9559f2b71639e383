"""The kinds of resources: their words, their models and what they refer to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alertd.model.channel import SYSTEM_CHANNELS, Channel
from alertd.model.defaults import CRITICAL_TYPES, OWNER_EMAIL
from alertd.model.derived_type import DerivedType
from alertd.model.destination import Destination
from alertd.model.event_type import EventType
from alertd.model.intake_endpoint import IntakeEndpoint, SdkKey, StoredIntakeEndpoint
from alertd.model.metric_alert import MetricAlert
from alertd.model.subscription import Subscription
from alertd.model.workspace import LearntProject, Project, WorkspaceSettings
from alertd.store.resource import WORKSPACE_KIND

if TYPE_CHECKING:
    from alertd.model.fields import Resource

KEY_SHOWN: Final = 8
"""How many characters of a key are told: enough to know it by."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind.

    Shapes: `word` names one of them (`channel`), `field` the workspace's field in YAML (`channels`), `path` the
    collection of the API; `references` pairs a field that holds names with the kind that they name; `built_in` are
    names that exist everywhere and cannot be changed; `learnt` is the looser model of what was learnt from events,
    `stored` that of what a store may hold; `is_key` says that who knows the name of one may send with it.
    """

    word: str
    path: str
    model: type[Resource]
    references: tuple[tuple[str, str], ...] = ()
    built_in: tuple[str, ...] = ()
    learnt: type[Resource] | None = None
    stored: type[Resource] | None = None
    is_key: bool = False

    def told(self, name: str) -> str:
        """Return a name as it is told to those who may only read: of a key its beginning."""
        return f"{name[:KEY_SHOWN]}…" if self.is_key else name

    @property
    def kept(self) -> type[Resource]:
        """The model of what exists already."""
        return self.learnt or self.model

    @property
    def field(self) -> str:
        """The workspace's field that holds them."""
        return self.path.replace("-", "_")

    @property
    def noun(self) -> str:
        """The word for people."""
        return self.word.replace("_", " ")


CHANNEL: Final = Kind("channel", "channels", Channel, built_in=(*SYSTEM_CHANNELS, CRITICAL_TYPES))
DESTINATION: Final = Kind("destination", "destinations", Destination, built_in=(OWNER_EMAIL,))
SUBSCRIPTION: Final = Kind(
    "subscription", "subscriptions", Subscription, (("channels", "channel"), ("destinations", "destination"))
)
PROJECT: Final = Kind("project", "projects", Project, learnt=LearntProject)
EVENT_TYPE: Final = Kind("event_type", "event-types", EventType)
DERIVED_TYPE: Final = Kind("derived_type", "derived-types", DerivedType, (("channel", "channel"),))
METRIC_ALERT: Final = Kind(
    "metric_alert",
    "metric-alerts",
    MetricAlert,
    (("channel", "channel"), ("subscriptions", "subscription"), ("destinations", "destination")),
)
INTAKE_ENDPOINT: Final = Kind("intake_endpoint", "intake-endpoints", IntakeEndpoint, stored=StoredIntakeEndpoint)
SDK_KEY: Final = Kind("sdk_key", "keys", SdkKey, (("project", "project"),), is_key=True)
"""Keys are made for projects and known to the store alone: no file holds them."""
KINDS: Final = (
    PROJECT,
    EVENT_TYPE,
    CHANNEL,
    DESTINATION,
    SUBSCRIPTION,
    DERIVED_TYPE,
    METRIC_ALERT,
    INTAKE_ENDPOINT,
)
"""Every kind that a file may hold for a workspace."""
OWNED_KINDS: Final = (*KINDS, SDK_KEY)
"""Every kind that lives in a workspace."""
WORKSPACE: Final = Kind(WORKSPACE_KIND, "workspaces", WorkspaceSettings)
"""The workspaces themselves; each is its own workspace."""
BY_WORD: Final = {kind.word: kind for kind in (*OWNED_KINDS, WORKSPACE)}


def referred(model: Resource, field: str) -> tuple[str, ...]:
    """Return the names that a field of references holds: none, one, or a list."""
    value = getattr(model, field)
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
