"""What others would load for nothing: hidden while they are imported, so that a start is quick and small."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


@contextmanager
def absent(package: str) -> Iterator[None]:
    """Let what is imported within find no such package, if nobody has loaded it yet; later imports find it again."""
    if package in sys.modules:
        yield
        return
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]  # None: there is none
    modules[package] = None
    try:
        yield
    finally:
        del modules[package]
