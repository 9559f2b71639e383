"""The destination types, as those who judge resources see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.destinations.guard import EgressPolicy
from alertd.destinations.mail_server import MailServer
from alertd.destinations.permitting import forbidden_in
from alertd.destinations.registry import REGISTRY, TYPE_NAMES
from alertd.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import BaseModel

    from alertd.places import Place


class KnownTypes:
    """All types. `policy` says where may be sent to now, `mail` through which server letters leave."""

    def __init__(
        self, policy: Callable[[], EgressPolicy] = EgressPolicy, mail: Callable[[], MailServer] = MailServer
    ) -> None:
        self._policy = policy
        self._mail = mail

    def names(self) -> Iterable[str]:
        """Every type."""
        return REGISTRY.keys()

    def settings_model(self, name: str) -> type[BaseModel]:
        """Return a type's settings. Raises NotFoundError."""
        known = REGISTRY.get(name)
        if known is None:
            raise NotFoundError(f"no destination type {name!r}; there are {TYPE_NAMES}")
        return known.settings_model

    def forbidden(self, settings: BaseModel) -> Iterable[tuple[Place, str]]:
        """Say which settings name a place where nothing may be sent, each with the reason."""
        return forbidden_in(settings, self._policy(), self._mail())
