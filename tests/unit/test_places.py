"""Places: what stands there, what a model says of it, and where an error of the model's is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alertd.places import Place, annotation_at, keys_at, place_of, plain, value_at

Positive = Annotated[int, Field(gt=0)]


class Inner(BaseModel):
    """What stands inside."""

    model_config = ConfigDict(extra="forbid")
    count: Positive | None = None
    word: Literal["a", "b"] = "a"


class Outer(BaseModel):
    """What stands outside."""

    model_config = ConfigDict(extra="forbid")
    one: Inner | None = None
    many: tuple[Inner, ...] = ()
    named: Mapping[str, Inner] = {}
    either: Inner | str = ""


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((), Outer),
        (("one",), Inner),
        (("one", "count"), int),
        (("many", 7, "count"), int),
        (("named", "x"), Inner),
        (("either",), Any),
        (("one", "nothing"), None),
        (("one", 0), None),
    ],
)
def test_what_a_model_says_of_a_place(place: Place, expected: Any) -> None:
    """The type there, without what may be left out and without bounds, also within lists and mappings."""
    assert annotation_at(Outer, place) == expected


def test_keys_are_those_of_a_model() -> None:
    """Where no model stands there are none."""
    assert keys_at(Outer, ("many", 3)) == ("count", "word")
    assert keys_at(Outer, ("one", "count")) == ()


def test_what_stands_at_a_place() -> None:
    """Nothing where the document does not lead."""
    document = {"many": [{"count": 1}]}
    assert value_at(document, ("many", 0, "count")) == 1
    assert [value_at(document, place) for place in (("many", 1), ("many", "count"), ("one", "count"))] == [None] * 3
    assert value_at(document, ()) is document


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"many": [{}, {"count": 0}]}, ("many", 1, "count")),
        ({"one": {"cuont": 1}}, ("one", "cuont")),
        ({"either": {"count": 0}}, ("either", "count")),
        ({"named": {"x": {"word": "c"}}}, ("named", "x", "word")),
    ],
)
def test_where_an_error_is(document: dict[str, Any], place: Place) -> None:
    """In the document, whatever branch of the model found it."""
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(document)
    assert place in [place_of(error, document) for error in caught.value.errors()]


def test_a_union_of_several_is_anything() -> None:
    """None does not count."""
    assert (plain(int | None), plain(int | str), plain(Positive)) == (int, Any, int)
