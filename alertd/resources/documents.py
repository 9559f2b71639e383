"""Documents: resources as JSON values, with their secrets shown, hidden, sealed or put back.

A document holds only what was given (a field left out stays out), so that what a resource leaves to the defaults of its
surroundings goes on following them.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

from pydantic import BaseModel, SecretStr

from alertd.places import is_model, members_of

if TYPE_CHECKING:
    from collections.abc import Callable

Document = dict[str, Any]
REDACTED: Final = "***"
"""What stands for a secret wherever a document is shown; given back, it means: as it was."""
FOLLOWING: Final = frozenset({"queue", "retry", "breaker"})
"""Members that follow the defaults of `delivery` where they say nothing: so they are shown and written as they were given,
also where that is the model's own default."""


def document_of(model: BaseModel) -> Document:
    """Write a resource as the JSON values that it was given, secrets in the clear."""
    return {name: _plain(getattr(model, name)) for name in type(model).model_fields if name in model.model_fields_set}


def _plain(value: Any) -> Any:
    match value:
        case BaseModel():
            return document_of(value)
        case SecretStr():
            return value.get_secret_value()
        case Enum():
            return value.value
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(inner) for inner in value]
    return value


def map_secrets(
    model: Any, value: Any, change: Callable[[tuple[str, ...], str], Any], place: tuple[str, ...] = ()
) -> Any:
    """Return a copy of a JSON value of the type `model` with every secret in it changed; `change` is told its place."""
    inner = _bare(model)
    if inner is SecretStr:
        return change(place, value) if isinstance(value, str) else value
    if not holds_secret(inner):
        return value
    if isinstance(value, dict):
        return {key: map_secrets(_member(inner, key), part, change, (*place, key)) for key, part in value.items()}
    if isinstance(value, list):
        return [map_secrets(_item(inner), part, change, (*place, str(n))) for n, part in enumerate(value)]
    return value


@lru_cache(maxsize=4096)
def holds_secret(model: Any) -> bool:
    """Whether values of a type may hold secrets."""
    inner = _bare(model)
    if inner is SecretStr:
        return True
    if is_model(inner):
        return any(holds_secret(field.annotation) for field in inner.model_fields.values())
    return any(holds_secret(argument) for argument in get_args(inner) if not isinstance(argument, str))


def _bare(annotation: Any) -> Any:
    """Take Annotated and None off; of a union the member that holds a secret counts."""
    members = members_of(annotation)
    if len(members) == 1:
        return members[0]
    return next((member for member in members if holds_secret(member)), members[0])


def _member(model: Any, key: str) -> Any:
    if is_model(model):
        found = model.model_fields.get(key)
        return None if found is None else found.annotation
    arguments = get_args(model)
    return arguments[1] if get_origin(model) is dict else None


def _item(model: Any) -> Any:
    arguments = get_args(model)
    return arguments[0] if arguments else None


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply an RFC 7396 merge patch to a JSON value and return the result."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
