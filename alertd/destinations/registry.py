"""All destination types by name. Only the composition root and the configuration may look here.

A type is loaded when it is first asked for: a start that delivers by one of them need not wait for the others. Who runs for
long asks for all of them soon (`load_all`), lest a package that was replaced meanwhile gives parts of another version.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from alertd.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from alertd.destinations.base import DestinationType

_NAMES: Final = (
    "webhook",
    "slack",
    "mattermost",
    "rocketchat",
    "discord",
    "msteams",
    "telegram",
    "ntfy",
    "email",
    "pagerduty",
    "opsgenie",
    "alertmanager",
    "kafka",
    "apprise",
    "file",
    "console",
    "null",
)


class _Types(Mapping[str, "DestinationType"]):
    """The types; that of a name is `<Name>Type` in the module of that name."""

    def __init__(self) -> None:
        self._loaded: dict[str, DestinationType] = {}

    @override
    def __getitem__(self, name: str) -> DestinationType:
        found = self._loaded.get(name)
        if found is None:
            if name not in _NAMES:
                raise KeyError(name)
            made = getattr(import_module(f"alertd.destinations.{name}"), f"{name.capitalize()}Type")
            found = self._loaded.setdefault(name, made())
        return found

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    @override
    def __len__(self) -> int:
        return len(_NAMES)


REGISTRY: Final[Mapping[str, DestinationType]] = _Types()

TYPE_NAMES: Final = ", ".join(sorted(REGISTRY))
"""The names, for error texts."""


def load_all() -> None:
    """Load every type."""
    for name in REGISTRY:
        REGISTRY[name]


def parse_settings(type_name: str, settings: Mapping[str, Any]) -> BaseModel:
    """Validate the settings of a destination of a type.

    Raises NotFoundError for an unknown type (look first: its settings are not judged) and pydantic's ValidationError,
    whose locations begin with the setting's name. Its `errors()` repeat the input: ask with `include_input=False`.
    """
    known = REGISTRY.get(type_name)
    if known is None:
        raise NotFoundError(f"no destination type {type_name!r}; there are {TYPE_NAMES}")
    return known.settings_model.model_validate(dict(settings))
