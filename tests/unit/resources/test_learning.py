"""Learning: projects and environments that events name."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from alertd.errors import StoreUnavailableError
from alertd.model.workspace import Project
from alertd.resources.entry import Entry
from alertd.resources.learning import ENVIRONMENTS_MAX, PROJECTS_MAX, Learner, learnt
from alertd.resources.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Collection


def projects(snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """Every project of the default workspace with its environments."""
    return {e.name: e.model.environments for e in snapshot.entries("project", "default")}  # type: ignore[attr-defined]  # an entry of that kind


def after(snapshot: Snapshot, *seen: tuple[str, str]) -> Snapshot:
    """Learn what was seen in the default workspace."""
    change = learnt(snapshot, [("default", *place) for place in seen])
    return snapshot.changed(change.kept, change.removed)


def test_new_places_are_learnt() -> None:
    """A project is made with its environments, in the order in which they came; what is known stays."""
    snapshot = after(Snapshot({}, {}), ("shop", "prod"), ("shop", "staging"), ("My Blog", ""), ("", "x"))
    assert projects(snapshot) == {"shop": ("prod", "staging"), "My Blog": ()}
    again = after(snapshot, ("shop", "prod"), ("shop", "test"))
    assert projects(again)["shop"] == ("prod", "staging", "test")
    assert [e.version for e in again.entries("project", "default")] == [2, 1]
    assert learnt(again, [("default", "shop", "test")]).kept == []


def test_what_was_defined_keeps_the_rest() -> None:
    """An environment is added to a project that somebody made, and nothing else of it changes."""
    made = Project.model_validate({"name": "shop", "title": "Shop", "owner": {"name": "Ann", "email": "a@b.c"}})
    snapshot = after(
        Snapshot({}, {("project", "default", "shop"): Entry("project", "default", "shop", made, 3)}), ("shop", "prod")
    )
    (entry,) = snapshot.entries("project", "default")
    assert (entry.version, entry.model.model_dump(exclude_unset=True)) == (
        4,
        {"name": "shop", "title": "Shop", "owner": {"name": "Ann", "email": "a@b.c"}, "environments": ("prod",)},
    )


def test_the_configuration_is_left_alone() -> None:
    """A provisioned project learns nothing, and a workspace that is gone learns no project."""
    held = Entry("project", "default", "shop", Project(name="shop"), 0, "alertd.yml:3")
    snapshot = Snapshot({held.key: held}, {})
    assert learnt(snapshot, [("default", "shop", "prod"), ("gone", "shop", "prod")]).kept == []


def test_bounds() -> None:
    """So many projects and environments are learnt and not one more."""
    snapshot = after(Snapshot({}, {}), *((f"p{n}", "") for n in range(PROJECTS_MAX + 1)))
    assert len(projects(snapshot)) == PROJECTS_MAX
    snapshot = after(snapshot, *(("p0", f"e{n}") for n in range(ENVIRONMENTS_MAX + 1)))
    assert len(projects(snapshot)["p0"]) == ENVIRONMENTS_MAX


def plan(project: str, environment: str = "", *, simulated: bool = False) -> Any:
    """Make a plan, as far as the learner looks at one."""
    place = {"workspace": "default", "project": project, "environment": environment}
    return SimpleNamespace(event=SimpleNamespace(**place, is_simulated=simulated))


async def test_each_place_is_told_once() -> None:
    """What was told is not told again; after a failure a later event tells it anew."""
    told: list[Collection[tuple[str, str, str]]] = []
    news = asyncio.Event()
    fail = [True]

    async def learn(seen: Collection[tuple[str, str, str]]) -> None:
        told.append(sorted(seen))
        news.set()
        if fail.pop() if fail else False:
            raise StoreUnavailableError("full")

    learner = Learner(learn)
    task = asyncio.create_task(learner.run())
    async with asyncio.timeout(60):
        learner.see([plan("a"), plan("a"), plan("b", "x"), plan(""), plan("c", simulated=True)])
        await news.wait()
        news.clear()
        learner.see([plan("a")])
        await news.wait()
        learner.see([plan("a")])
        learner.stop()
        await task
    assert told == [[("default", "a", ""), ("default", "b", "x")], [("default", "a", "")]]


async def test_a_stop_learns_what_is_fresh() -> None:
    """What was seen in the pause, or before there was any, is learnt before it ends."""
    told: asyncio.Queue[Collection[tuple[str, str, str]]] = asyncio.Queue()
    learner = Learner(told.put)
    async with asyncio.timeout(60):
        task = asyncio.create_task(learner.run())
        learner.see([plan("a")])
        assert await told.get() == {("default", "a", "")}
        learner.see([plan("b")])
        learner.stop()
        await task
        assert told.get_nowait() == {("default", "b", "")}
        early = Learner(told.put)
        early.see([plan("c")])
        early.stop()
        await early.run()
        assert told.get_nowait() == {("default", "c", "")}


async def test_a_place_that_was_deleted_is_learnt_again() -> None:
    """Once places may have gone an event that names one tells it anew, and only the first of them."""
    told: asyncio.Queue[Collection[tuple[str, str, str]]] = asyncio.Queue()
    changed = [0]
    learner = Learner(told.put, lambda: changed[0])
    task = asyncio.create_task(learner.run())
    async with asyncio.timeout(60):
        learner.see([plan("a")])
        assert await told.get() == {("default", "a", "")}
        learner.see([plan("a")])
        changed[0] += 1
        learner.see([plan("a")])
        learner.see([plan("a")])
        assert await told.get() == {("default", "a", "")}
        learner.stop()
        await task
    assert told.empty()


@pytest.mark.parametrize("works", [True, False])
async def test_catching_up(works: bool) -> None:
    """It ends when what was seen before is learnt or cannot be, what comes later does not hold it."""
    gates: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def learn(seen: Collection[tuple[str, str, str]]) -> None:
        gate = asyncio.Event()
        await gates.put(gate)
        await gate.wait()
        if not works:
            raise StoreUnavailableError("full")

    learner = Learner(learn)
    async with asyncio.timeout(60):
        await learner.caught_up()
        task = asyncio.create_task(learner.run())
        learner.see([plan("a")])
        waiting = asyncio.create_task(learner.caught_up())
        gate = await gates.get()
        learner.see([plan("b")])
        later = asyncio.create_task(learner.caught_up())
        assert not waiting.done()
        gate.set()
        await waiting
        assert not later.done()
        learner.stop()
        (await gates.get()).set()
        await task
        await later
