"""Where settings send to: which of their texts name a place on the network, and which of these the guard forbids. Pure.

A field type says so itself, by one of these marks in its `Annotated`; a destination type that uses such field types is
looked through without a word of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel, SecretStr

from alertd.destinations.guard import parse_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.destinations.guard import EgressPolicy

    Place = tuple[str | int, ...]


_ADDRESSED: Final = frozenset(
    {
        f"{name}{secure}"
        for name in ("form", "gotify", "json", "mmost", "mqtt", "rocket", "xml", "xmpp")
        for secure in ("", "s")
    }
    | {"rsyslog"}
)
"""Schemes of services in whose URL the host is one."""
_AUTHORITY_END: Final = re.compile(r"[/?#]")


class Whereto(Enum):
    """What a text names: a URL, a host, `host:port`, or a service, in whose URL the host may be something else."""

    URL = "url"
    HOST = "host"
    SERVER = "server"
    SERVICE = "service"


def forbidden(settings: BaseModel, policy: EgressPolicy) -> Iterator[tuple[Place, str]]:
    """Say which settings cannot be reached under a policy, whatever names resolve to, each with the reason."""
    marks, port = _marks(type(settings)), getattr(settings, "port", None) or 0
    for name in type(settings).model_fields:
        for place, text in _texts(getattr(settings, name), (name,)):
            if isinstance(text, BaseModel):
                yield from (((*place, *inner), reason) for inner, reason in forbidden(text, policy))
            elif (mark := marks.get(name)) is not None and (reason := reason_of(mark, text, policy, port)):
                yield place, reason


def reason_of(mark: Whereto, text: str, policy: EgressPolicy, port: int = 0) -> str | None:
    """Say why one text is forbidden, or None; `port` is that of a host, which does not name it (0: not known)."""
    if mark is Whereto.URL:
        return policy.check_url(text)
    if mark is Whereto.SERVICE:
        scheme, _, rest = text.partition("://")
        authority = _AUTHORITY_END.split(rest, maxsplit=1)[0].rpartition("@")[2]
        return policy.check_url(f"http://{authority}/") if scheme.lower() in _ADDRESSED else None
    bare = mark is Whereto.HOST and ":" in text
    try:
        url = parse_url(f"http://[{text}]/" if bare else f"http://{text}/")
    except ValueError as error:
        return str(error)
    return policy.check_host(url.raw_host or "", url.explicit_port or port)


@cache
def _marks(model: type[BaseModel]) -> dict[str, Whereto]:
    found = {name: _mark((*info.metadata, info.annotation)) for name, info in model.model_fields.items()}
    return {name: mark for name, mark in found.items() if mark is not None}


def _mark(parts: tuple[Any, ...]) -> Whereto | None:
    for part in parts:
        if isinstance(part, Whereto):
            return part
        if (inner := _mark((*getattr(part, "__metadata__", ()), *get_args(part)))) is not None:
            return inner
    return None


def _texts(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    """Give the texts and models in a value, each with its place."""
    match value:
        case str() | BaseModel():
            yield place, value
        case SecretStr():
            yield place, value.get_secret_value()
        case list() | tuple():
            for index, each in enumerate(value):
                yield from _texts(each, (*place, index))
        case Mapping():
            for name, each in value.items():
                yield from _texts(each, (*place, str(name)))
