"""What the models find wrong, as problems at their places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alertd.places import is_absent, place_of, seems_short, value_at
from alertd.words import expected_of, unknown_key, with_unit, without_quotes_of

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from alertd.config.problems import Problems
    from alertd.places import Place


def report_invalid(base: Place, invalid: ValidationError, value: Any, problems: Problems) -> None:
    """Note every error of a model whose input `value` stands at `base`."""
    for error in invalid.errors(include_url=False, include_input=False):
        loc = place_of(error, value)
        if seems_short(error, value_at(value, loc)):
            continue
        _report((*base, *loc), error, value_at(value, loc), problems)


def refuse_numbers_from_booleans(place: Place, value: Any, problems: Problems) -> None:
    """Note true and false where a number is expected: Python, and so pydantic, would take them as 1 and 0."""
    if isinstance(value, bool) and problems.shape.annotation(place) in {int, float}:
        number = "a whole number" if problems.shape.annotation(place) is int else "a number"
        problems.add(place, str(value).lower(), number)


def _report(place: Place, error: ErrorDetails, value: Any, problems: Problems) -> None:
    shape, kind = problems.shape, error["type"]
    if kind == "extra_forbidden":
        found, expected = unknown_key(str(place[-1]), shape.keys(place[:-1]))
        problems.add(place, found, expected, at_key=True)
        return
    expected = with_unit(expected_of(error, shape.annotation(place)), place[-1] if place else "")
    if is_absent(error):
        problems.add(place, "nothing", expected, at_key=True)
        return
    if problems.hides(place):
        expected = without_quotes_of(expected, value)
    problems.add(place, problems.show(place, value), expected)
