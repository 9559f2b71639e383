"""What a rope promises: whatever was changed before, it answers as one index of its patterns does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.matching import rope
from alertd.matching.index import RulesetTooLargeError, compile_index
from alertd.matching.pattern import Pattern, PatternKind, compile_pattern
from alertd.matching.rope import Rope, compile_rope
from tests.unit.matching import reference

if TYPE_CHECKING:
    from tests.unit.matching.reference import Written

REGEX = PatternKind.REGEX
EDITS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 4), st.lists(reference.WRITTEN, max_size=4)), max_size=8)


def compiled(written: list[Written]) -> tuple[Pattern, ...]:
    """Compile patterns, each once."""
    return tuple(compile_pattern(*one) for one in written)


def numbered(*numbers: int) -> tuple[Pattern, ...]:
    """Give patterns of which each matches one type."""
    return compiled([(REGEX, f"made{number}:.*") for number in numbers])


def sizes(of: Rope) -> list[int]:
    """Say how many patterns each index of a rope has."""
    return [len(index) for index in of.indexes]


@given(st.lists(reference.WRITTEN, max_size=8), EDITS, st.lists(reference.TYPES, min_size=1, max_size=4), st.booleans())
def test_changes_in_any_order_agree_with_a_loop(
    written: list[Written], edits: list[tuple[int, int, list[Written]]], types: list[str], whole: bool
) -> None:
    """After every change, told as a place or found by comparing, with and without the memory of look-ups."""
    found = compile_rope(compiled(written))
    for start, length, given_ in edits:
        begin = min(start, len(written))
        end = min(begin + length, len(written))
        written = [*written[:begin], *given_, *written[end:]]
        found = found.changed(compiled(written)) if whole else found.replaced(begin, end, compiled(given_))
        assert found.patterns == compiled(written)
        for text in types:
            assert found.lookup(text) == found.lookup(text) == found.find(text) == reference.positions(written, text)


def test_nothing_changed_is_the_same_rope() -> None:
    """A change of nothing makes nothing."""
    found = compile_rope(numbered(1, 2, 3))
    assert found.changed(numbered(1, 2, 3)) is found


def test_a_change_compiles_what_it_adds_alone() -> None:
    """What was there stays in the index that it was in, and remembers what was asked of it."""
    found = compile_rope(numbered(*range(100)))
    (index,) = found.indexes
    after = found.replaced(50, 51, numbered(1000))
    assert next(iter(after.indexes)) is index
    assert sizes(after) == [100, 1]
    assert after.lookup("made1000:x") == (50,)
    assert after.lookup("made50:x") == ()
    assert after.lookup("made51:x") == (51,)
    assert found.lookup("made50:x") == (50,)


def test_many_additions_are_few_indexes() -> None:
    """One by one, a thousand patterns are no more indexes than their number has digits, and one that stays."""
    found = compile_rope(numbered(*range(40)))
    for number in range(40, 340):
        found = found.replaced(len(found.patterns), len(found.patterns), numbered(number))
        assert len(sizes(found)) <= 10
    assert [found.lookup(f"made{number}:x") for number in (0, 39, 40, 339)] == [(0,), (39,), (40,), (339,)]


def test_many_places_become_one_index_again() -> None:
    """Changes here and there are bounded in the pieces that they leave."""
    found = compile_rope(numbered(*range(200)))
    for number in range(0, 200, 3):
        found = found.replaced(number, number + 1, numbered(1000 + number))
        assert len(sizes(found)) <= rope.PIECES_MAX
    assert found.lookup("made1198:x") == (198,)
    assert found.lookup("made198:x") == ()
    assert found.lookup("made199:x") == (199,)


def test_all_gone_is_an_empty_rope() -> None:
    """Without patterns nothing matches, and there may be some again."""
    found = compile_rope(numbered(1, 2)).replaced(0, 2, ())
    assert found.lookup("made1:x") == ()
    assert found.replaced(0, 0, numbered(3)).lookup("made3:x") == (0,)


def test_what_does_not_fit_is_refused_by_one_index_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether patterns fit is what one index of all of them says, whatever was compiled before."""
    found = compile_rope(numbered(*range(10)))
    greedy = compiled([(REGEX, f"x{number}[a-z]{{{number}00}}.*[a-z]{{400}}") for number in range(1, 6)])
    monkeypatch.setattr(rope, "SHARED_BYTES", 0)
    assert len(sizes(found.replaced(5, 5, numbered(11)))) == 1
    monkeypatch.setattr(rope, "compile_index", lambda *_, **__: (_ for _ in ()).throw(RulesetTooLargeError(1, 2)))
    with pytest.raises(RulesetTooLargeError):
        found.replaced(5, 5, greedy)
    assert found.lookup("made7:x") == compile_index(numbered(*range(10))).lookup("made7:x") == (7,)
