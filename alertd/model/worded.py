"""What is kept as a number and spoken of in a word."""

from __future__ import annotations

from enum import IntEnum


class Worded(IntEnum):
    """A closed set of things: each has the number that is stored, and a word."""

    @property
    def word(self) -> str:
        """The word used in the API, in YAML, logs and metrics."""
        return self.name.lower()
