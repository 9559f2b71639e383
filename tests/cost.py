"""What a call costs, told so that neither another process nor a collection of garbage makes it dear."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def cpu_seconds(call: Callable[[], object], rounds: int = 3) -> float:
    """Seconds of CPU that a call costs without garbage collection, the least of some rounds."""
    taken = []
    collects = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            begin = time.process_time()
            call()
            taken.append(time.process_time() - begin)
    finally:
        if collects:
            gc.enable()
    return min(taken)
