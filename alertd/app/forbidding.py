"""Tells at start and at reload of settings that the egress guard forbids: no reason not to serve what it permits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from alertd.destinations.permitting import forbidden_in
from alertd.destinations.whereto import Whereto, reason_of

if TYPE_CHECKING:
    from pydantic import BaseModel

    from alertd.config.settings import Config
    from alertd.destinations.guard import EgressPolicy
    from alertd.destinations.mail_server import MailServer

_log = structlog.get_logger("alertd.egress")


def warn_of_destination(workspace: str, name: str, settings: BaseModel, policy: EgressPolicy, mail: MailServer) -> None:
    """Tell of each setting of a destination that names a place where nothing may be sent."""
    for place, reason in forbidden_in(settings, policy, mail):
        setting = ".".join(map(str, place))
        _log.warning("destination.forbidden", workspace=workspace, destination=name, setting=setting, reason=reason)


def warn_of_own(config: Config, policy: EgressPolicy) -> None:
    """Tell of the platform's own: the mail server and the heartbeat."""
    url = config.heartbeat.url
    reasons = {
        "mail.host": config.mail.host and reason_of(Whereto.HOST, config.mail.host, policy),
        "mail.tls": config.mail.bare,
        "heartbeat.url": url and reason_of(Whereto.URL, url.get_secret_value(), policy),
    }
    for setting, reason in reasons.items():
        if reason:
            _log.warning("setting.forbidden", setting=setting, reason=reason)
