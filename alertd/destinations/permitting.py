"""All that can be known beforehand of where a destination must not send: what the guard forbids, and letters without TLS. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.destinations.email_settings import EmailSettings
from alertd.destinations.whereto import forbidden

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from alertd.destinations.guard import EgressPolicy
    from alertd.destinations.mail_server import MailServer


def forbidden_in(
    settings: BaseModel, policy: EgressPolicy, mail: MailServer
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Say which settings of a destination can never be sent to, each with the reason; `mail` is the platform's server."""
    yield from forbidden(settings, policy)
    if isinstance(settings, EmailSettings) and (found := settings.bare(mail)):
        yield (found[0],), found[1]
