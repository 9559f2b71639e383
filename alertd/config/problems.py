"""The problems of one configuration while they are collected: each with its line, none with a secret."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alertd.config.lines import Mark, dotted
from alertd.config.shape import Shape, in_settings
from alertd.errors import ConfigError, ConfigProblem, ConfigWarning
from alertd.words import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alertd.places import Place

SHOWN_MAX = 60
"""Characters of a wrong value that are shown."""
_USER_OF_URL = re.compile(r"//[^/\s]*@")
_SCRUBBED_MIN = 4
"""Shorter secrets are not looked for in messages: they would be found in ordinary words."""


@dataclass(slots=True)
class Problems:
    """Collects problems, at most one for each place.

    Shapes: `marks` say where values are written; `referenced` are places whose text was put in from elsewhere.
    """

    file: str
    shape: Shape
    marks: dict[Place, Mark]
    referenced: dict[Place, str] = field(default_factory=dict)
    _found: list[ConfigProblem] = field(default_factory=list)
    _places: set[Place] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: Place, found: str, expected: str, *, at_key: bool = False) -> None:
        """Note a problem, unless there is already one here or around."""
        if not self.has(place):
            self.take(ConfigProblem(*self._written(place, at_key), dotted(place), found, expected), place)

    def take(self, problem: ConfigProblem, place: Place | None) -> None:
        """Note a problem that knows its own line; with a place, nothing else is said of the value there."""
        self._found.append(problem)
        if place is not None:
            self._places.add(place)

    def has(self, place: Place) -> bool:
        """Whether there is a problem at a place or around it."""
        return any(place[:length] in self._places for length in range(1, len(place) + 1))

    def hides(self, place: Place) -> bool:
        """Whether the value at a place must not be shown: a secret, in a destination's settings, or put in."""
        return in_settings(place) or place in self.referenced or self.shape.is_secret(place)

    def show(self, place: Place, value: Any) -> str:
        """Write a wrong value for people, unless it must not be shown."""
        if isinstance(value, dict | list) or value is None:
            return show(value)
        if self.hides(place):
            return "a number that is not shown" if _is_number(value) else HIDDEN
        return show(value)

    def where(self, place: Place) -> str:
        """Say where a value is written, as `alertd.yml:42`."""
        file, line = self._written(place, at_key=True)
        return f"{file}:{line}" if line else file

    def warning(self, place: Place, message: str) -> ConfigWarning:
        """Say of a value that it is allowed and odd; the message holds no secret."""
        return ConfigWarning(*self._written(place, at_key=False), dotted(place), message)

    def check(self, secrets: Iterable[str] = ()) -> None:
        """Raise ConfigError with all problems in the order of the file, environment last; `secrets` are taken out."""
        if not self._found:
            return
        hidden = {text for text in (*self.referenced.values(), *secrets) if len(text) >= _SCRUBBED_MIN}
        longest_first = sorted(hidden, key=len, reverse=True)
        problems = sorted(self._found, key=lambda problem: problem.line or float("inf"))
        raise ConfigError([_scrubbed(problem, longest_first) for problem in problems])

    def is_from_environment(self, place: Place) -> bool:
        """Whether a value was set by an environment variable."""
        return self._written(place, at_key=True)[1] is None

    def _written(self, place: Place, at_key: bool) -> tuple[str, int | None]:
        for length in range(len(place), -1, -1):
            mark = self.marks.get(place[:length])
            if mark is not None:
                return mark.file, mark.key if at_key or length < len(place) else mark.value
        return self.file, None


def show(value: Any) -> str:
    """Write a value as YAML would, shortened; lists and mappings are only named."""
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list():
            return "a list" if value else "an empty list"
        case str():
            text = _USER_OF_URL.sub("//…@", value)
            return repr(text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…")
    return str(value)[:SHOWN_MAX]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scrubbed(problem: ConfigProblem, hidden: list[str]) -> ConfigProblem:
    found, expected = problem.found, problem.expected
    for text in hidden:
        found, expected = found.replace(text, "…"), expected.replace(text, "…")
    return ConfigProblem(problem.file, problem.line, problem.path, found, expected)
