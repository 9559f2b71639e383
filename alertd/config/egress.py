"""What in a configuration can never be sent to under its own `egress`: destinations, the mail server, the heartbeat.

`alertd check` refuses it. The daemon starts with it all the same, warns, and keeps what it cannot send as dead deliveries:
when `egress.allow` is narrowed, whatever else there is must still be delivered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from alertd.config.names import items
from alertd.config.settings import Egress
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.mail_server import MailServer
from alertd.destinations.permitting import forbidden_in
from alertd.destinations.ports import Ports
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.destinations.whereto import Whereto, reason_of
from alertd.places import value_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.config.problems import Problems
    from alertd.places import Place

_OWN: Final[tuple[tuple[Place, Whereto], ...]] = (
    (("mail", "host"), Whereto.HOST),
    (("heartbeat", "url"), Whereto.URL),
)


def check_egress(root: Any, problems: Problems) -> None:
    """Note every place that the guard forbids; what is broken in itself is noted elsewhere."""
    policy = _policy(value_at(root, ("egress",)))
    if policy is None:
        return
    for place, mark in _OWN:
        text = value_at(root, place)
        if isinstance(text, str) and not problems.has(place) and (reason := reason_of(mark, text, policy)):
            _refuse(place, reason, problems)
    mail = _mail(value_at(root, ("mail",)))
    if mail.bare:
        _refuse(("mail", "tls"), mail.bare, problems)
    for workspace, _ in items(root, ("workspaces",)):
        for at, destination in items(root, (*workspace, "destinations")):
            for place, reason in _of_destination(destination, policy, mail):
                _refuse((*at, "settings", *place), reason, problems)


def _policy(egress: Any) -> EgressPolicy | None:
    try:
        settings = Egress.model_validate({} if egress is None else egress)
        return EgressPolicy(settings.allow, Ports(settings.ports))
    except ValueError:  # a ValidationError is one
        return None


def _mail(mail: Any) -> MailServer:
    try:
        return MailServer.model_validate({} if mail is None else mail)
    except ValidationError:
        return MailServer()


def _of_destination(destination: dict[str, Any], policy: EgressPolicy, mail: MailServer) -> Iterator[tuple[Place, str]]:
    name, settings = destination.get("type"), destination.get("settings", {})
    if not isinstance(settings, dict) or not isinstance(name, str) or name not in REGISTRY:
        return
    try:
        read = parse_settings(name, settings)
    except ValidationError:
        return
    yield from forbidden_in(read, policy, mail)


def _refuse(place: Place, reason: str, problems: Problems) -> None:
    shown = "why is not shown, as it was put in by a reference" if place in problems.referenced else reason
    starts = "alertd starts all the same, and reaches it never"
    problems.add(place, "a place where nothing may be sent", f"one that the egress guard permits ({shown}); {starts}")
