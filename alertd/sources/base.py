"""What every decoder is given, and the two refusals that only an edge can answer: no such media type, not your workspace.

Errors of a decoder are all `alertd.errors.DecodeError`:

NotJsonError               not JSON, or not what its content encoding says (HTTP answers 400)
ForbiddenWorkspaceError    an event names a known workspace that this sender may not write to (HTTP answers 403)
TooLargeError              beyond a size or count bound (HTTP answers 413)
UnsupportedMediaTypeError  a content type, charset or content encoding that alertd does not read (HTTP answers 415)
DecodeError                anything else that is wrong with the fields (HTTP answers 422)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alertd.errors import DecodeError
from alertd.model.event import Bounds

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_BOUNDS = Bounds()


class UnsupportedMediaTypeError(DecodeError):
    """The content type, its charset or the content encoding is none that alertd reads."""


class NoEventError(DecodeError):
    """A record of Kafka is a webhook that says nothing to keep, such as a ping: HTTP takes it with 202, a topic passes over it."""


class ForbiddenWorkspaceError(DecodeError):
    """An event names a workspace that exists, but not for this sender."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a decoder must know besides the bytes; make one per body or per batch of records.

    Shapes: `workspace` is the one of the token or topic, given to events that name none; `workspaces` are all known
    ones; `now_ms` is the time of arrival in milliseconds since 1970; a `confined` sender may write to `workspace` alone
    (every token but the bootstrap token).
    """

    workspace: str
    now_ms: int
    workspaces: AbstractSet[str] = field(default_factory=frozenset)
    bounds: Bounds = _BOUNDS
    confined: bool = True
