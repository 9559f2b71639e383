"""All destination types by name. Only the composition root and the configuration may look here."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from alertd.destinations.alertmanager import AlertmanagerType
from alertd.destinations.apprise import AppriseType
from alertd.destinations.console import ConsoleType
from alertd.destinations.discord import DiscordType
from alertd.destinations.email import EmailType
from alertd.destinations.file import FileType
from alertd.destinations.kafka import KafkaType
from alertd.destinations.mattermost import MattermostType
from alertd.destinations.msteams import MsteamsType
from alertd.destinations.ntfy import NtfyType
from alertd.destinations.null import NullType
from alertd.destinations.opsgenie import OpsgenieType
from alertd.destinations.pagerduty import PagerdutyType
from alertd.destinations.rocketchat import RocketchatType
from alertd.destinations.slack import SlackType
from alertd.destinations.telegram import TelegramType
from alertd.destinations.webhook import WebhookType
from alertd.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from alertd.destinations.base import DestinationType

_TYPES: Final[tuple[DestinationType, ...]] = (
    WebhookType(),
    SlackType(),
    MattermostType(),
    RocketchatType(),
    DiscordType(),
    MsteamsType(),
    TelegramType(),
    NtfyType(),
    EmailType(),
    PagerdutyType(),
    OpsgenieType(),
    AlertmanagerType(),
    KafkaType(),
    AppriseType(),
    FileType(),
    ConsoleType(),
    NullType(),
)

REGISTRY: Final[Mapping[str, DestinationType]] = MappingProxyType({each.name: each for each in _TYPES})

TYPE_NAMES: Final = ", ".join(sorted(REGISTRY))
"""The names, for error texts."""


def parse_settings(type_name: str, settings: Mapping[str, Any]) -> BaseModel:
    """Validate the settings of a destination of a type.

    Raises NotFoundError for an unknown type (look first: its settings are not judged) and pydantic's ValidationError,
    whose locations begin with the setting's name. Its `errors()` repeat the input: ask with `include_input=False`.
    """
    known = REGISTRY.get(type_name)
    if known is None:
        raise NotFoundError(f"no destination type {type_name!r}; there are {TYPE_NAMES}")
    return known.settings_model.model_validate(dict(settings))
