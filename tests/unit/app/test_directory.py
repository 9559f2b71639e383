"""The directory that destinations look things up in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from alertd.app.directory import LiveDirectory
from alertd.destinations.directory import EmptyDirectory
from alertd.model.subscription import Subscription
from alertd.model.workspace import Project, Workspace

if TYPE_CHECKING:
    import pytest


def test_it_answers_for_what_was_taken_last() -> None:
    """Numbers and titles are today's; what has no title is called by its name, what is unknown has the number 0."""
    directory = LiveDirectory()
    subscription = Subscription(name="runs", title="Production runs", channels=("c",), destinations=("d",))
    workspace = Workspace(
        name="default",
        projects=(Project(name="shop", title="Shop"), Project(name="blog")),
        subscriptions=(subscription,),
    )
    directory.take([workspace], {("project", "default", "shop"): 7, ("subscription", "default", "runs"): 9})
    assert directory.project_number("default", "shop") == 7
    assert directory.project_number("default", "gone") == 0
    assert directory.project_title("default", "shop") == "Shop"
    assert directory.project_title("default", "blog") == "blog"
    assert directory.subscription_number("default", "runs") == 9
    assert directory.subscription_title("default", "runs") == "Production runs"
    directory.take([], {})
    assert directory.subscription_title("default", "runs") == "runs"
    assert directory.subscription_number("default", "runs") == 0


async def test_it_waits_for_what_is_learnt_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever learns projects says when he is done; when he never is, an alert goes out without a number."""
    directory, done = LiveDirectory(), asyncio.Event()
    await directory.catch_up()
    directory.learnt = done.wait
    waiting = asyncio.create_task(directory.catch_up())
    done.set()
    async with asyncio.timeout(60):
        await waiting
        done.clear()
        monkeypatch.setattr("alertd.app.directory.LEARNING_SECONDS", 0.01)
        await directory.catch_up()
    assert not done.is_set()


def test_the_empty_one_knows_names_only() -> None:
    """Where nothing is configured, a name is its own title."""
    empty = EmptyDirectory()
    assert (empty.project_number("w", "p"), empty.project_title("w", "p")) == (0, "p")
    assert (empty.subscription_number("w", "s"), empty.subscription_title("w", "s")) == (0, "s")
