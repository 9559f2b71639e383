"""What a test needs of the machine that not every machine has: without it the test is skipped, and its name and the reason are told.

With `NO_SKIPS` in the environment (and not empty, nor 0) the test fails instead: one that is skipped proves nothing.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING, Final, NoReturn

import pytest

if TYPE_CHECKING:
    from pathlib import Path

NPM_SECONDS: Final = 120
_RETRYING: Final = ("--fetch-retries=4", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=10000")
"""Often and not for long: without a network it is to say so soon."""


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


def npm(folder: Path, *words: str) -> None:
    """Run npm in a folder; a machine where it cannot do that lacks what it was to bring."""
    __tracebackhide__ = True
    try:
        subprocess.run(  # noqa: S603 - fixed words
            [program("npm"), *words, "--no-audit", "--no-fund", *_RETRYING],
            cwd=folder,
            capture_output=True,
            check=True,
            timeout=NPM_SECONDS,
        )
    except subprocess.SubprocessError:
        lacks(f"npm {' '.join(words)} fails")


def ipv6() -> None:
    """End the running test where this machine has no IPv6, not even to itself."""
    __tracebackhide__ = True
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        lacks("there is no IPv6")
