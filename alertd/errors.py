"""Everything alertd raises on purpose, as one small tree.

AlertdError
├── ConfigError            a configuration that cannot be used; carries every problem found
├── DecodeError            bytes that are not an event; carries every place that is wrong
│   ├── NotJsonError       not even JSON (HTTP answers 400, not 422)
│   ├── TooLargeError      beyond a size or count bound (HTTP answers 413)
│   └── InvalidError       a parameter or a resource that is not as it must be
├── PatternError           a channel pattern that cannot be compiled
├── IntakeFullError        the intake's queue is full: come back after `retry_after` seconds
├── TooManyError           as many are there already as may be: come back after `retry_after` seconds
├── StoreError
│   ├── StoreUnavailableError   the store cannot write now (disk full, read-only, locked); nothing was stored
│   ├── StoreInUseError         another daemon owns the store
│   ├── StoreVersionError       the store was written by a newer alertd
│   ├── StoreCorruptError       the store failed its integrity check
│   └── DuplicateEventsError    some idempotency keys of a commit are already stored; nothing was stored
├── NotFoundError          no such thing
├── ConflictError          the thing is not in a state that allows this; may list what stands against it
├── UnconditionalError     a change that must say which state of the thing it is based on, and did not
├── StaleError             the thing has changed since the caller read it
└── ServiceFailedError     an essential service died

Foreign exceptions are wrapped at the edge where they appear, with their cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class AlertdError(Exception):
    """Base of all errors that alertd raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One place that is wrong in a document.

    Shape: `pointer` is an RFC 6901 JSON pointer (`/3/type`, empty for the whole), `detail` a sentence for people.
    """

    pointer: str
    detail: str

    @override
    def __str__(self) -> str:
        """Read as `pointer: detail`."""
        return f"{self.pointer}: {self.detail}" if self.pointer else self.detail


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing that is wrong in a configuration, at the place where a person mends it.

    `line` is 1-based and None for environment variables; `path` is dotted with indices (`workspaces[0].channels[2].pattern`).
    """

    file: str
    line: int | None
    path: str
    found: str
    expected: str

    @override
    def __str__(self) -> str:
        """Read as `file:line: path: found …; expected …`."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        found = f"found {self.found}; " if self.found else ""
        return f"{place}: {self.path}: {found}expected {self.expected}"


@dataclass(frozen=True, slots=True)
class ConfigWarning:
    """One thing in a configuration that is allowed and odd; fields as those of ConfigProblem."""

    file: str
    line: int | None
    path: str
    message: str

    @override
    def __str__(self) -> str:
        """Read as `file:line: path: message`."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}"


class ConfigError(AlertdError):
    """A configuration that cannot be used; `problems` lists everything that is wrong, in file order."""

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


TOLD_MAX: Final = 100
"""Greatest number of problems in an error's text, which goes to logs and is kept with rejected records."""


class DecodeError(AlertdError):
    """Bytes that are not an event; `problems` lists every bad place, its text the first `TOLD_MAX` of them."""

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems: tuple[Problem, ...] = (Problem("", problems),) if isinstance(problems, str) else tuple(problems)
        more = ["and more problems"] if len(self.problems) > TOLD_MAX else []
        super().__init__("; ".join([*map(str, self.problems[:TOLD_MAX]), *more]))


class NotJsonError(DecodeError):
    """The body is not JSON at all."""


class TooLargeError(DecodeError):
    """The body, an event or the number of events is beyond its bound."""


class InvalidError(DecodeError):
    """A parameter, or a resource that somebody defines, that is not as it must be."""


class PatternError(AlertdError):
    """A channel pattern that cannot be compiled; `position` is the 0-based offset of the offending construct."""

    def __init__(self, pattern: str, reason: str, position: int | None = None) -> None:
        self.pattern = pattern
        self.reason = reason
        self.position = position
        at = "" if position is None else f" at position {position}"
        super().__init__(f"pattern {pattern!r}: {reason}{at}")


class IntakeFullError(AlertdError):
    """More comes than is taken now: the intake's queue is full; `retry_after` is in whole seconds."""

    said = "the intake is full"

    def __init__(self, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__(f"{self.said}, retry after {retry_after} s")


class TooFastError(IntakeFullError):
    """More comes than `intake.http.rate_per_second` allows, though there is room."""

    said = "more events come than intake.http.rate_per_second allows"


class TooManyError(AlertdError):
    """As many are there already as may be at once; `retry_after` is in whole seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class StoreError(AlertdError):
    """The store could not do what was asked."""


class StoreUnavailableError(StoreError):
    """The store cannot write now (disk full, read-only, locked, closed); nothing of the call was stored.

    `retry_after`, in whole seconds, is what a caller is told to wait.
    """

    retry_after = 5


class StoreInUseError(StoreError):
    """Another daemon owns the store."""


class StoreVersionError(StoreError):
    """The store was written by a newer alertd, or needs a migration first."""


class StoreCorruptError(StoreError):
    """The store failed its integrity check."""


class DuplicateEventsError(StoreError):
    """Some idempotency keys of a commit are already stored; `known` maps (workspace, event id) to the stored number."""

    def __init__(self, known: Mapping[tuple[str, str], int]) -> None:
        self.known = dict(known)
        super().__init__(f"{len(self.known)} events are already stored")


class NotFoundError(AlertdError):
    """No such thing; the message names it."""


class ConflictError(AlertdError):
    """The thing is not in a state that allows this; the message says which state it is in, `problems` who holds it there."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message)


class UnconditionalError(AlertdError):
    """A change that must say which state of the thing it is based on, and did not; nothing was done."""


class StaleError(AlertdError):
    """The thing has changed since the caller read it; nothing was done."""


class CannotListenError(AlertdError):
    """The address to listen on cannot be had; `__cause__` says why."""


class ServiceFailedError(AlertdError):
    """An essential service died; `__cause__` says why."""
