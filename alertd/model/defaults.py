"""What every workspace has without anybody making it: default subscriptions, which tell owners of critical events.

There is one for each project (`default-shop`) and one for what belongs to no project (`default`). They join the channel
`critical-types`, the critical types of the workspace as they are now, to the destination `owner-email`. A resource of a
user's own with such a name stands in its place: so a default subscription is edited, or switched off. Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from alertd.model.catalogue import known_types
from alertd.model.channel import Channel, ChannelKind
from alertd.model.destination import Destination
from alertd.model.severity import Severity
from alertd.model.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alertd.model.workspace import Workspace

CRITICAL_TYPES: Final = "critical-types"
"""The channel of the critical types that a workspace knows."""
OWNER_EMAIL: Final = "owner-email"
"""The destination that writes to the owner of an event's project, else to the workspace's."""
DEFAULT_SUBSCRIPTION: Final = "default"
"""The subscription of what belongs to no project, and the first word of those of projects."""

_SLUG: Final = re.compile(r"[a-z0-9_-]{1,64}", re.ASCII)
_REMEMBERED: Final = 65_536

OWNER: Final = Destination(name=OWNER_EMAIL, title="The owner, by e-mail", type="email", settings={"to": ["@owner"]})


def critical_channel(workspace: Workspace) -> Channel | None:
    """Give the channel of a workspace's critical types; None where it knows none."""
    word = Severity.CRITICAL.word
    types = tuple(name for name, each in known_types(workspace).items() if each.severity == word)
    return _channel(types) if types else None


def default_subscriptions(projects: Iterable[str]) -> tuple[Subscription, ...]:
    """Give the default subscriptions of a workspace with these projects.

    A project whose name makes no name of a subscription (learnt from events, it may be any text) goes with those of none.
    """
    names = {name: f"{DEFAULT_SUBSCRIPTION}-{name}" for name in projects}
    own = tuple(_of_project(name, full) for name, full in names.items() if _SLUG.fullmatch(full))
    odd = tuple(name for name, full in names.items() if not _SLUG.fullmatch(full))
    return (_subscription(DEFAULT_SUBSCRIPTION, "Critical events without a project", ("", *odd)), *own)


def joins_defaults(subscription: Subscription) -> bool:
    """Whether a subscription is a default one, but for its scope and conditions: it has nothing to say elsewhere."""
    return (subscription.channels, subscription.destinations) == ((CRITICAL_TYPES,), (OWNER_EMAIL,))


@lru_cache(maxsize=_REMEMBERED)
def _of_project(project: str, name: str) -> Subscription:
    return _subscription(name, f"Critical events of {project}", (project,))


@lru_cache(maxsize=1024)
def _subscription(name: str, title: str, projects: tuple[str, ...]) -> Subscription:
    return Subscription(
        name=name, title=title, channels=(CRITICAL_TYPES,), destinations=(OWNER_EMAIL,), projects=projects
    )


@lru_cache(maxsize=1024)
def _channel(types: tuple[str, ...]) -> Channel:
    return Channel(name=CRITICAL_TYPES, title="Critical types", kind=ChannelKind.LIST, types=types)
