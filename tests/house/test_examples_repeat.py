"""What Hypothesis makes up is the same each time, and what it tells of a failure is enough to repeat it anywhere, and soon."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def test_examples_are_the_same_each_time() -> None:
    """Nobody's change is held up by what a random test finds in another's; `make fuzz` looks for that."""

    def made() -> list[int]:
        seen: list[int] = []

        @given(st.integers())
        def look(number: int) -> None:
            seen.append(number)

        look()
        return seen

    assert made() == made()


def test_a_failure_says_how_to_repeat_it() -> None:
    """Its notes hold the decorator, also where no database of examples is left behind, as on CI."""

    @settings(database=None)
    @given(st.integers())
    def fails(number: int) -> None:
        assert number < 100

    with pytest.raises(AssertionError) as told:
        fails()
    assert "@reproduce_failure(" in "".join(told.value.__notes__)


def test_a_failure_is_told_as_it_is_found() -> None:
    """Nothing else is tried after it, for hundreds of runs: it is run again, to be told."""
    seen: list[int] = []

    @settings(settings.get_profile("tests"), database=None)
    @given(st.integers())
    def fails(number: int) -> None:
        seen.append(number)
        assert number < 100

    with pytest.raises(AssertionError):
        fails()
    first = next(at for at, number in enumerate(seen) if number >= 100)
    assert set(seen[first:]) == {seen[first]}
