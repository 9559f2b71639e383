"""Places in a document: what stands there, what a model says of it, and where an error of the model's is."""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Place = tuple[str | int, ...]
"""Where a value is: keys and 0-based indices from the root."""

_REMEMBERED = 4096
_ABSENT = frozenset({"missing", "needed"})
"""Errors whose place is a key that is not there."""


def value_at(root: Any, place: Place) -> Any:
    """Give the value at a place; None when it is not there."""
    value = root
    for part in place:
        if isinstance(part, int):
            value = value[part] if isinstance(value, list) and part < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value


def is_absent(error: ErrorDetails) -> bool:
    """Whether an error is that something is not there."""
    return error["type"] in _ABSENT


def seems_short(error: ErrorDetails, value: Any) -> bool:
    """Whether a list is called too short only because pydantic counts what is valid in it; `value` is the list."""
    return error["type"] == "too_short" and isinstance(value, list) and len(value) >= error["ctx"]["min_length"]


def place_of(error: ErrorDetails, document: Any) -> Place:
    """Take the parts of an error's location that are a place in the document: others name a branch of a union."""
    place: Place = ()
    final = len(error["loc"]) - 1
    for index, part in enumerate(error["loc"]):
        inner = value_at(document, place)
        is_there = part in inner if isinstance(inner, dict) else isinstance(inner, list) and isinstance(part, int)
        if is_there or (index == final and is_absent(error)):
            place = (*place, part)
    return place


def annotation_at(model: Any, place: Place) -> Any:
    """Give the type of the value at a place of a model, without Optional and Annotated; None where nothing is known."""
    return _walked(model, tuple(0 if isinstance(part, int) else part for part in place))


def keys_at(model: Any, place: Place) -> tuple[str, ...]:
    """Give the keys that may stand in the mapping at a place of a model; empty where nothing is known."""
    annotation = annotation_at(model, place)
    return tuple(annotation.model_fields) if is_model(annotation) else ()


def is_model(annotation: Any) -> bool:
    """Whether a type is a model."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def plain(annotation: Any) -> Any:
    """Take Optional and Annotated off a type; a union of several types is Any."""
    members = members_of(annotation)
    return members[0] if len(members) == 1 else Any


def members_of(annotation: Any) -> list[Any]:
    """Give the types that a value of a type may have, but None, without Annotated: one, or those of a union."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return members_of(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return [each for own in get_args(annotation) if own is not type(None) for each in members_of(own)]
    return [annotation]


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
