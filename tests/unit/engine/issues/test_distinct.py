"""How many different users: exact while few, estimated above, in 256 bytes, whatever the order."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from alertd.engine.issues.distinct import EXACT, add, count, union

if TYPE_CHECKING:
    import random


def sketch(*texts: str) -> bytes:
    """See some texts."""
    return reduce(add, texts, b"")


def test_few_are_counted_exactly() -> None:
    """Up to the bound the count is right."""
    for number in range(EXACT + 1):
        assert count(sketch(*(f"user-{each}" for each in range(number)))) == number


def test_many_are_estimated() -> None:
    """Over 20 sets of each size the mean is within 3 %, and no estimate further off than four standard errors."""
    for size in (100, 1_000, 10_000):
        found = [count(sketch(*(f"{seed}/{each}" for each in range(size)))) / size for seed in range(20)]
        assert abs(sum(found) / len(found) - 1) < 0.03 + 0.065 / 20**0.5 * 2
        assert all(abs(each - 1) < 0.26 for each in found)


def test_it_takes_256_bytes_at_most() -> None:
    """However many are seen, and seeing one again returns the very same object."""
    found = b""
    for number in range(5_000):
        found = add(found, str(number))
        assert len(found) <= 256
    assert add(found, "17") is found
    few = sketch("a", "b")
    assert add(few, "a") is few


@given(st.lists(st.text(max_size=8), max_size=80), st.randoms(use_true_random=False))
def test_the_order_does_not_matter(texts: list[str], dice: random.Random) -> None:
    """Shuffled and repeated, the sketch is byte for byte the same."""
    shuffled = [*texts, *texts[:10]]
    dice.shuffle(shuffled)
    assert sketch(*texts) == sketch(*shuffled)


@given(st.lists(st.text(max_size=8), max_size=60), st.lists(st.text(max_size=8), max_size=60))
def test_a_union_has_seen_both(one: list[str], other: list[str]) -> None:
    """It is the sketch that would have been made of both."""
    assert union(sketch(*one), sketch(*other)) == sketch(*one, *other) == union(sketch(*other), sketch(*one))
