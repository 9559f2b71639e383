"""The documents lead somewhere: every link is to what is there, every page is reached from the README, which stays short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "ARCHITECTURE.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))))
README_LINES = 250
"""More than that nobody reads before the first start."""
_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")


def anchors(page: Path) -> set[str]:
    """Give the anchors of a page's headings, as they are made of the words."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    """To a file that is there, and in it to a heading."""
    page = ROOT / name
    for path, anchor in _LINK.findall(page.read_text()):
        target = page.parent / path if path else page
        assert target.exists(), (name, path)
        assert not anchor or anchor in anchors(target), (name, path, anchor)


def test_every_page_is_reached_from_the_readme() -> None:
    """No page is known only to those who wrote it."""
    linked = {path for path, _ in _LINK.findall((ROOT / "README.md").read_text())}
    assert set(PAGES) - linked == {"README.md"}


def test_the_readme_is_short() -> None:
    """It is a newcomer's first hour; what one looks up stands in the pages."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES
