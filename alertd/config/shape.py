"""What the models say about a place in the configuration: which type it has, what may stand there, whether it is secret.

Settings of a destination belong to its type: there `Shape` goes on with the type's own settings model.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr

from alertd.config.settings import Config
from alertd.destinations.registry import REGISTRY

if TYPE_CHECKING:
    from alertd.config.lines import Place

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
            return _walk(known.settings_model, place[SETTINGS_DEPTH:]) if known is not None else None
        return _walk(Config, place)

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


def is_model(annotation: Any) -> bool:
    """Whether a type is a model."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def value_at(root: Any, place: Place) -> Any:
    """Give the value at a place; None when it is not there."""
    value = root
    for part in place:
        if isinstance(part, int):
            value = value[part] if isinstance(value, list) and part < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value


def plain(annotation: Any) -> Any:
    """Take Optional and Annotated off a type; a union of several types is Any."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return plain(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        members = [plain(member) for member in get_args(annotation) if member is not type(None)]
        return members[0] if len(members) == 1 else Any
    return annotation


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


def _walk(model: Any, place: Place) -> Any:
    return _walked(model, tuple(0 if isinstance(part, int) else part for part in place))


@lru_cache(maxsize=_REMEMBERED)
def _walked(model: Any, place: Place) -> Any:
    annotation = model
    for part in place:
        annotation = _step(plain(annotation), part)
    return plain(annotation)


def _step(annotation: Any, part: str | int) -> Any:
    if is_model(annotation):
        found = annotation.model_fields.get(part)
        return found.annotation if found is not None else None
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if isinstance(part, int):
        return arguments[0] if origin in {tuple, list, frozenset, set} and arguments else None
    return arguments[1] if origin in {dict, Mapping} else None
