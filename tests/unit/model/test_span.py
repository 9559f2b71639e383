"""Where two sequences differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.model import span
from alertd.model.span import Span, span_of

ITEMS = st.lists(st.integers(0, 3), max_size=12).map(tuple)


@given(ITEMS, ITEMS, st.sampled_from([(1,), (2, 1), (5, 1), (256, 64, 16, 4, 1)]))
def test_what_is_outside_of_the_span_is_equal(
    old: tuple[int, ...], new: tuple[int, ...], counts: tuple[int, ...]
) -> None:
    """Putting the new items of the span in the place of the old ones makes the one of the other, and no less would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(span, "COUNTS", counts)
        start, old_stop, new_stop = found = span_of(old, new)
    assert (*old[:start], *new[start:new_stop], *old[old_stop:]) == new
    assert 0 <= start <= min(old_stop, new_stop)
    assert len(old) - old_stop == len(new) - new_stop
    assert found.empty == (old == new)
    if old[start:old_stop] and new[start:new_stop]:
        assert old[start] != new[start]
        assert old[old_stop - 1] != new[new_stop - 1]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512, 1000])
def test_one_added_anywhere_is_all_that_differs(size: int) -> None:
    """In lists of any size."""
    old = tuple(range(size))
    for at in {0, size // 2, size}:
        assert span_of(old, (*old[:at], "new", *old[at:])) == Span(at, at, at + 1)
        assert span_of((*old[:at], "new", *old[at:]), old) == Span(at, at + 1, at)
