"""Names in a document: each given once, each reference known. Works on plain values and skips what is no text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alertd.model.workspace import DEFAULT
from alertd.places import value_at
from alertd.words import one_of, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from alertd.config.problems import Problems
    from alertd.places import Place

SUGGESTED_MAX = 100
"""Problems after which nothing more is suggested: among thousands of names that takes its time."""


def items(root: Any, collection: Place) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Give the mappings in a list of the document, with their places."""
    values = value_at(root, collection)
    for index, item in enumerate(values if isinstance(values, list) else ()):
        if isinstance(item, dict):
            yield (*collection, index), item


def names_in(root: Any, collection: Place) -> dict[str, Place]:
    """Give the names in a list, with the place where each is first written."""
    names: dict[str, Place] = {}
    for place, item in items(root, collection):
        if isinstance(item.get("name"), str):
            names.setdefault(item["name"], (*place, "name"))
    return names


def shown_names(names: Mapping[str, Place], problems: Problems) -> list[str]:
    """Give those of the names that may be shown, for suggestions."""
    return [name for name, place in names.items() if place not in problems.referenced]


def check_unique(root: Any, collection: Place, noun: str, problems: Problems) -> None:
    """Note names that a list has twice."""
    first = names_in(root, collection)
    for place, item in items(root, collection):
        name, at = item.get("name"), (*place, "name")
        if isinstance(name, str) and first[name] != at:
            expected = f"{noun} with a name of its own ({problems.where(first[name])} has the same)"
            problems.add(at, f"{problems.show(at, name)} again", expected)


def refuse_unknown(place: Place, name: str, known: Iterable[str], noun: str, problems: Problems) -> None:
    """Note a reference to what is not there; `known` are the names that may be suggested."""
    names = list(dict.fromkeys(known))
    near = "" if problems.hides(place) or len(problems) > SUGGESTED_MAX else suggestion(name, names)
    problems.add(place, f"unknown {noun} {problems.show(place, name)}", f"{one_of(names)}{near}")


def check_workspaces_of(root: Any, collection: Place, problems: Problems) -> None:
    """Note items of a list that are for a workspace that is not there."""
    known = names_in(root, ("workspaces",))
    shown = [DEFAULT, *shown_names(known, problems)]
    for place, item in items(root, collection):
        name = item.get("workspace")
        if isinstance(name, str) and name not in {*known, DEFAULT}:
            refuse_unknown((*place, "workspace"), name, shown, "workspace", problems)
