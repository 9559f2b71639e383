"""How bad an event is: an ordered scale of five words."""

from __future__ import annotations

from enum import IntEnum


class Severity(IntEnum):
    """debug < info < warning < error < critical; `fatal` reads as critical."""

    DEBUG = 0
    INFO = 1
    WARNING = 2
    ERROR = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """The lower-case word used in JSON, YAML and metrics."""
        return WORDS[self]


WORDS = tuple(s.name.lower() for s in Severity)
BY_WORD = {**{s.name.lower(): s for s in Severity}, "fatal": Severity.CRITICAL}
EXPECTED = "one of " + ", ".join(WORDS)
