"""What a test needs of the machine that not every machine has: without it the test is skipped, and its name and the reason are told.

With `NO_SKIPS` in the environment (and not empty, nor 0) the test fails instead: one that is skipped proves nothing.
"""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def lacks(reason: str) -> NoReturn:
    """End the running test, for this machine cannot run it: skip it, or fail it where no test may be skipped."""
    __tracebackhide__ = True
    if os.environ.get("NO_SKIPS", "") not in {"", "0"}:
        pytest.fail(f"NO_SKIPS is set, and {reason}", pytrace=False)
    pytest.skip(reason)


def program(*names: str) -> str:
    """Find a program by the first of its names that there is, and return its path; the machine lacks it where none is."""
    __tracebackhide__ = True
    return next(filter(None, map(shutil.which, names)), None) or lacks(f"{' or '.join(names)} is not installed")
