"""The golden renderings are current, and no secret is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.renderings import CASES, FOLDER, MADE_UP, WAYS, files, rendering

if TYPE_CHECKING:
    from pathlib import Path


def name_of(path: Path) -> str:
    """Name a file as one would say it."""
    return str(path.relative_to(FOLDER))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES)
def test_a_rendering_is_current(way: str, case: str) -> None:
    """What a type makes of a case is what is kept; `make renderings` writes it anew, for a person to look at."""
    assert (FOLDER / way / f"{case}.json").read_text("utf-8") == rendering(way, case)


def test_there_is_nothing_else() -> None:
    """A file that nobody makes any more is not kept."""
    assert {name_of(path) for path in FOLDER.glob("*/*.*")} == {name_of(path) for path, _ in files()}


def test_letters_are_kept_as_pages_too() -> None:
    """A browser shows them as their readers see them."""
    pages = {path: text for path, text in files() if path.suffix == ".html"}
    assert {name_of(path) for path in pages} == {f"email/{case}.html" for case in CASES}
    for path, text in pages.items():
        assert path.read_text("utf-8") == text


def test_no_secret_is_kept() -> None:
    """Settings' secrets are left out of what is shown."""
    for path in FOLDER.glob("*/*.*"):
        text = path.read_text("utf-8")
        assert MADE_UP not in text
        assert "DEF1234" not in text
