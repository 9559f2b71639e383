"""What the models say about a place in the configuration: which type it has, what may stand there, whether it is secret.

Settings of a destination belong to its type: there `Shape` goes on with the type's own settings model.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import SecretBytes, SecretStr

from alertd.config.settings import Config
from alertd.destinations.registry import REGISTRY
from alertd.places import annotation_at, is_model, plain, value_at

if TYPE_CHECKING:
    from alertd.places import Place

SETTINGS_DEPTH = 5
"""Parts of `workspaces[0].destinations[0].settings`."""


_REMEMBERED = 4096


class Shape:
    """Answers questions about places of one document; `root` is its value."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def annotation(self, place: Place) -> Any:
        """Give the type of the value at a place, without Optional and Annotated; None where nothing is known."""
        if in_settings(place):
            kind = value_at(self._root, (*place[: SETTINGS_DEPTH - 1], "type"))
            known = REGISTRY.get(kind) if isinstance(kind, str) else None
            return annotation_at(known.settings_model, place[SETTINGS_DEPTH:]) if known is not None else None
        return annotation_at(Config, place)

    def keys(self, place: Place) -> tuple[str, ...]:
        """Give the keys that may stand in the mapping at a place; empty where nothing is known."""
        annotation = self.annotation(place)
        return tuple(annotation.model_fields) if is_model(annotation) else ()

    def is_secret(self, place: Place) -> bool:
        """Whether the value at a place must never be shown: it is a secret, should hold some, or is unknown."""
        annotation = self.annotation(place)
        return annotation is None or _holds_secret(annotation)

    def is_known_secret(self, place: Place) -> bool:
        """Whether the model says that the value at a place is a secret."""
        return self.annotation(place) in {SecretStr, SecretBytes}


def in_settings(place: Place) -> bool:
    """Whether a place lies in the settings of a destination, or is them."""
    return place[0:1] == ("workspaces",) and place[2:3] == ("destinations",) and place[4:5] == ("settings",)


@lru_cache(maxsize=_REMEMBERED)
def _holds_secret(annotation: Any) -> bool:
    inner = plain(annotation)
    if is_model(inner):
        return any(_holds_secret(field.annotation) for field in inner.model_fields.values())
    if get_origin(inner) is Literal:
        return False
    return inner in {SecretStr, SecretBytes, Any} or any(map(_holds_secret, get_args(inner)))


def is_text(annotation: Any) -> bool:
    """Whether values of a type are written as text."""
    if get_origin(annotation) is Literal:
        return True
    return isinstance(annotation, type) and issubclass(annotation, str | SecretStr)
