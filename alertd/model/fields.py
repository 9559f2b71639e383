"""Field types that several resources share."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from alertd.model.severity import BY_WORD, EXPECTED

Slug = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$"),
    Field(description="lower-case letters, digits, - and _, 1 to 64 characters"),
]
Title = Annotated[str, StringConstraints(max_length=200)]
SECONDS_MAX = 3_153_600_000
"""A hundred years: more is not meant, and would not fit where milliseconds are counted."""
Seconds = Annotated[float, Field(ge=0, le=SECONDS_MAX, allow_inf_nan=False)]
PositiveSeconds = Annotated[float, Field(gt=0, le=SECONDS_MAX, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]
TypeName = Annotated[
    str,
    StringConstraints(pattern=r"^[!-~]{1,256}$"),
    Field(description="an event's type: printable ASCII without spaces, 1 to 256 characters"),
]
PlaceName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,128}$")]
"""The name of a project or an environment, as events may say it."""
Reference = Annotated[str, StringConstraints(min_length=1, max_length=256)]
"""The name of another resource."""


def _severity_word(word: str) -> str:
    if word not in BY_WORD:
        raise ValueError(EXPECTED)
    return BY_WORD[word].word


def _ascending(counts: tuple[int, ...]) -> tuple[int, ...]:
    if any(a >= b for a, b in pairwise(counts)):
        raise ValueError("counts in ascending order, each once, such as [2, 5, 12]")
    return counts


SeverityWord = Annotated[str, AfterValidator(_severity_word)]
"""A word of the scale; `fatal` becomes `critical`."""
Ladder = Annotated[tuple[Count, ...], Field(max_length=100), AfterValidator(_ascending)]
"""Which occurrences count: the 2nd, the 5th and the 12th are `[2, 5, 12]`."""


class Resource(BaseModel):
    """Base of what users define: frozen, unknown keys refused, inputs never shown in errors.

    What validates is made when it is first needed: of the many models a daemon needs few, and starts the quicker for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)


def needed(expected: str) -> PydanticCustomError:
    """Make the error of a field that is absent but must be there because of another one."""
    return PydanticCustomError("needed", "{expected}", {"expected": expected})
