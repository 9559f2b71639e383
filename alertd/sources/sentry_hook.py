"""What all webhooks of Sentry have in common: an action, `data`, who acted; and what is wrong with one that lacks it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alertd.errors import DecodeError, NotJsonError, Problem
from alertd.sources.document import kind_of
from alertd.sources.explain import found
from alertd.sources.sentry_fields import derived_id, picked

if TYPE_CHECKING:
    from collections.abc import Mapping

_is_action = re.compile(r"[a-z0-9_.-]{1,64}").fullmatch
_is_moment = re.compile(r"[0-9]{1,20}").fullmatch
_ACTOR = {"type": 64, "id": 64, "name": 200}


class IncompleteError(NotJsonError):
    """JSON, but not the webhook that it says it is: what it is about is missing (HTTP answers 400)."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A body that is parsed, beside its bytes; `sent_at` is when Sentry sent it, in seconds since 1970, empty: unknown."""

    given: Mapping[str, Any]
    body: bytes
    sent_at: str = ""

    @property
    def data(self) -> Mapping[str, Any]:
        """What it is about; empty when it says nothing."""
        data = self.given.get("data")
        return data if isinstance(data, dict) else {}

    @property
    def action(self) -> str:
        """What happened, a word. Raises `DecodeError` for anything else."""
        action = self.given.get("action")
        if isinstance(action, str) and _is_action(action):
            return action
        raise DecodeError([Problem("/action", f"expected a word such as 'created', found {found(action)}")])

    @property
    def actor(self) -> dict[str, str]:
        """Who did it: type, id and name as far as they are given."""
        return picked(self.given.get("actor"), _ACTOR, "actor.", set())

    def id_of(self, kind: str, identity: str) -> str:
        """Return the id of an event that may happen again to the same thing: these bytes, whenever they come, are one."""
        return f"{kind}:{identity}:{derived_id(self.body)}"

    def first_id_of(self, kind: str, identity: str, *facts: Any) -> str:
        """Return the id of an event that happens once to a thing, whose number another Sentry gives to another thing.

        What tells them apart are facts of the thing that never change, such as when it began.
        """
        said = (str(fact).encode("utf-8", "replace") if isinstance(fact, (str, int, float)) else b"" for fact in facts)
        return f"{kind}:{identity}:{derived_id(*said)}"

    def moment_id_of(self, kind: str, identity: str) -> str:
        """Return the id of an event that may happen again and look the same: these bytes are one only where sent at once."""
        sent_at = self.sent_at.strip()
        if not _is_moment(sent_at):
            return self.id_of(kind, identity)
        return f"{kind}:{identity}:{derived_id(self.body, sent_at.encode())}"


def required(given: Any, pointer: str) -> Mapping[str, Any]:
    """Return an object that must be there. Raises `IncompleteError` when it is missing, empty or no object."""
    if isinstance(given, dict) and given:
        return given
    what = "an empty object" if given == {} else "nothing" if given is None else kind_of(given)
    raise IncompleteError([Problem(pointer, f"is required: an object that is not empty, found {what}")])


def identity_of(given: Any, pointer: str) -> str:
    """Return the id of a thing of Sentry, a number or a text. Raises `IncompleteError` when it is missing."""
    if isinstance(given, (str, int)) and not isinstance(given, bool):
        text = str(given)
        if text.isascii() and text.isalnum() and len(text) <= 64:  # noqa: PLR2004 - longer than any id
            return text
    raise IncompleteError([Problem(pointer, f"is required: an id, found {found(given)}")])
