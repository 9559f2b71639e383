"""A sample of an issue's events: which of them are worth keeping whole.

The first hundred are, then of every ten one, of every hundred one and so on: some ninety for each power of ten, and
always the event that changed what the issue is.
"""

from __future__ import annotations

from typing import Final

ALL: Final = 100
"""So many of the first events are kept."""


def is_kept(count: int) -> bool:
    """Tell whether the event that made an issue's count so high is kept, in case it changed nothing."""
    if count <= ALL:
        return True
    if count % 10:
        return False
    step = 10
    while step * ALL <= count:
        step *= 10
    return count % step == 0
