"""The numbers of names, followed from one set of workspaces to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.app.numbers import Numbers
from alertd.clock import SystemClock
from alertd.engine.ruleset import name_keys
from alertd.errors import StoreUnavailableError
from alertd.model.channel import Channel
from alertd.model.workspace import Project, Workspace
from alertd.store.memory import MemoryStore

if TYPE_CHECKING:
    from alertd.engine.ruleset import NameKey

NAMES = st.lists(st.sampled_from("abcd"), unique=True, max_size=4)
WORKSPACES = st.dictionaries(st.sampled_from(["default", "lab"]), st.tuples(NAMES, NAMES), max_size=2)


def made(parts: dict[str, tuple[list[str], list[str]]]) -> list[Workspace]:
    """Make workspaces with channels and projects of these names."""
    return [
        Workspace(
            name=name,
            channels=tuple(Channel.model_validate({"name": n, "kind": "glob", "pattern": "*"}) for n in channels),
            projects=tuple(Project(name=n) for n in projects),
        )
        for name, (channels, projects) in parts.items()
    ]


def wanted(workspaces: list[Workspace]) -> set[NameKey]:
    """List the names that rules of workspaces need numbers for, and their projects."""
    return {*name_keys(workspaces), *(("project", w.name, p.name) for w in workspaces for p in w.projects)}


@given(st.lists(WORKSPACES, max_size=6))
async def test_they_are_those_of_what_is_there_now(steps: list[dict[str, tuple[list[str], list[str]]]]) -> None:
    """Whatever comes, goes and comes back, each name that is there has its number, and no other is known."""
    store = MemoryStore(SystemClock())
    numbers = Numbers(store)
    for step in steps:
        workspaces = made(step)
        found = await numbers.of(workspaces)
        assert set(found) == wanted(workspaces)
        assert found == await store.intern(sorted(found))


async def test_a_store_that_fails_is_asked_again() -> None:
    """What could not be numbered is not taken for known."""
    store = MemoryStore(SystemClock())
    numbers, workspaces = Numbers(store), made({"default": (["a"], [])})
    intern = store.intern

    async def fail(keys: object) -> dict[NameKey, int]:
        raise StoreUnavailableError("full")

    store.intern = fail  # type: ignore[method-assign]  # a scripted fault
    with pytest.raises(StoreUnavailableError):
        await numbers.of(workspaces)
    store.intern = intern  # type: ignore[method-assign]  # and its end
    assert set(await numbers.of(workspaces)) == wanted(workspaces)
