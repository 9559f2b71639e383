"""Which of two releases is newer: versions, dates, build numbers, and what nobody can tell."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.engine.issues.release import compare, newer

CHAINS = [
    [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
    ],
    ["0.9", "v1.0.0rc1", "v1.0", "1.0.0.post1", "1.0.1", "release-1.1", "1.10", "2"][:-1],
    ["1.2.3", "1.2.3-5-gabc1234", "1.2.3-12-g0123abc", "1.2.4"],
    ["shop@1.9.0", "shop@1.10.0", "shop@1.10.0+7", "shop@1.10.0+12"],
    ["2024.5.1", "2024-05-02", "2024.05.10", "20240601", "20240601-1730", "20240602"],
    ["20240501120000", "20240501180000"],
    ["2024.4", "2024.12", "2025.1"],
    ["9", "17", "120"],
    ["build-9", "build-10"],
    ["@acme/shop@1.0.0", "@acme/shop@1.0.1"],
]


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain[0])
def test_versions_are_compared(chain: list[str]) -> None:
    """Each of a chain is newer than the one before, and the other way round older."""
    for older, later in pairwise(chain):
        assert compare(older, later) == -1, (older, later)
        assert compare(later, older) == 1, (older, later)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.0", "1.0.0"),
        ("v1.0", "1.0"),
        ("shop@1.0", "shop@1.0.0"),
        ("x", "x"),
        ("1.0", "shop@1.0"),
        ("2024.5.1", "2024-05-01"),
    ],
)
def test_the_same_in_other_words(one: str, other: str) -> None:
    """Different ways to write one version are one version."""
    assert compare(one, other) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("shop@1.0", "stock@2.0"),
        ("3f2a1b9", "77aa01b"),
        ("3f2a1b9c", "1.0"),
        ("1.2", "2024.5.1"),
        ("prod", "staging"),
        ("build-9", "r10"),
        ("", "1.0"),
    ],
)
def test_what_nobody_can_tell(one: str, other: str) -> None:
    """Other packages, commits, dates beside versions and mere names are not compared."""
    assert compare(one, other) is None
    assert newer(one, other, {}) is None


def test_a_commit_is_as_new_as_its_first_sight() -> None:
    """What cannot be compared by version is, by when the project first saw it; a version wins over that."""
    seen = {"3f2a1b9": 100, "77aa01b": 200, "1.0": 900, "2.0": 100}
    assert newer("77aa01b", "3f2a1b9", seen) is True
    assert newer("3f2a1b9", "77aa01b", seen) is False
    assert newer("2.0", "1.0", seen) is True
    assert newer("unseen", "3f2a1b9", seen) is None


releases = st.text(alphabet="0123456789.-+vrcpost@abg_ ", max_size=24)


@given(releases, releases)
def test_it_takes_any_text(one: str, other: str) -> None:
    """Any two texts can be asked about, and the answer turns round with them."""
    answer, turned = compare(one, other), compare(other, one)
    assert (answer is None) == (turned is None)
    assert answer is None or turned is None or answer == -turned


@given(releases, releases, releases)
def test_it_is_an_order(one: str, two: str, three: str) -> None:
    """Newer than what is newer is newer, where all three can be compared."""
    if compare(one, two) == 1 and compare(two, three) == 1 and compare(one, three) is not None:
        assert compare(one, three) == 1
