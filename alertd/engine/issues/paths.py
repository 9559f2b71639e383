"""Paths: they tell whether a file of a repository stands in a stack trace.

The two name the same file from different roots (`/app/shop/cart.py`, `src/shop/cart.py`), so they are compared from
their ends, segment by segment, without regard to case. Folders that only containers and bundlers know are taken off.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from alertd.engine.issues.frame import Frame

_RECENT: Final = 8192
_SCHEME: Final = re.compile(r"^(?:https?://[^/]*/|[a-z][a-z-]*:/{2,}(?:[^/]*/(?=\./))?)")
_MODULE: Final = re.compile(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+")
_VENDORED: Final = frozenset(
    {"node_modules", "site-packages", "dist-packages", "vendor", "third_party", "bower_components", "gems", ".venv"}
)
_INSTALLED: Final = frozenset({"site-packages", "dist-packages", ".venv"})
"""Where an application may be installed beside what it uses; SDKs call what is there its own only when told so."""
_ASIDE: Final = frozenset(
    {"doc", "docs", "test", "tests", "spec", "specs", "__tests__", "testdata", "fixtures", "examples"}
)
_ASIDE_ENDS: Final = (".md", ".rst", ".txt", ".lock", ".sum", ".snap", ".po", ".svg", ".png")
_ASIDE_NAMES: Final = frozenset(
    {"package-lock.json", "yarn.lock", "pnpm-lock.yaml", "changelog", "license", "codeowners", ".gitignore"}
)
_TEST: Final = re.compile(r"(?:^|[._-])(?:test|tests|spec)(?:[._-]|$)|^conftest$")

Segments = tuple[str, ...]
"""A path's segments in lower case, the file first."""


@lru_cache(_RECENT)
def segments(path: str) -> Segments:
    """Take a path apart."""
    plain = _SCHEME.sub("", path.replace("\\", "/")).partition("?")[0].lower()
    return tuple(part for part in reversed(plain.split("/")) if part not in ("", ".", ".."))


def files_of(frame: Frame) -> list[Segments]:
    """List the names that the file of a frame may have: its paths, else one that is made of its module."""
    found = [segments(path) for path in frame.paths]
    if not any(found) or all(len(each) == 1 for each in found):
        module = frame.module.partition("$")[0]
        if _MODULE.fullmatch(module):
            found.append(tuple(reversed(module.lower().split("."))))
    return [each for each in found if each]


def likeness(one: Segments, other: Segments) -> float:
    """How surely two paths are one file, from 0 to 1: 1 when the shorter, of two segments or more, ends the longer.

    A file name alone is half, and so is the less, the more the folders before it differ. Endings do not matter where
    one has none (a module).
    """
    if _stem(one[0], other[0]) != _stem(other[0], one[0]):
        return 0.0
    shorter = min(len(one), len(other))
    same = 1
    while same < shorter and one[same] == other[same]:
        same += 1
    if same == shorter:
        return 1.0 if shorter > 1 else 0.5
    return 0.8 * same / shorter if same > 1 else 0.15


def _stem(name: str, other: str) -> str:
    return name if "." in other else name.partition(".")[0]


def nearness(one: Segments, other: Segments) -> float:
    """How near two files are: 1 in one folder (of the same name from different roots), 0 when nothing is shared."""
    folders, others = one[1:], other[1:]
    if not folders or not others:
        return 0.0
    shorter = min(len(folders), len(others))
    same = 0
    while same < shorter and folders[same] == others[same]:
        same += 1
    return same / shorter


@lru_cache(_RECENT)
def is_vendored(path: str) -> bool:
    """Whether a file is somebody else's."""
    return not _VENDORED.isdisjoint(segments(path))


def is_foreign(frame: Frame) -> bool:
    """Whether the file of a frame is somebody else's; what is installed is not where the application claims it."""
    folders = _VENDORED - _INSTALLED if frame.own else _VENDORED
    return any(not folders.isdisjoint(segments(path)) for path in frame.paths)


@lru_cache(_RECENT)
def is_aside(path: str) -> bool:
    """Whether a file is none that runs: documents, tests, lock files."""
    found = segments(path)
    if not found:
        return True
    name = found[0]
    plain = name in _ASIDE_NAMES or name.endswith(_ASIDE_ENDS) or name.partition(".")[0] in _ASIDE_NAMES
    return plain or not _ASIDE.isdisjoint(found[1:]) or _TEST.search(name.rpartition(".")[0] or name) is not None
