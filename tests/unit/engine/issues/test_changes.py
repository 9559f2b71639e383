"""What was live when an error came, since when, and what was new in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alertd.engine.issues.changes import (
    CANDIDATES_MAX,
    DEPLOYS_MAX,
    LOOK_BACK_MS,
    candidates,
    deploys,
    is_same_place,
    news_within,
)
from alertd.model.change import Change, ChangeKind, Commit, decode_change, encode_change
from tests.unit.engine.issues.errors import DAY, HOUR, MINUTE, NOW


def commit(name: str, at_ms: int = NOW - DAY, *files: str) -> Commit:
    """Make a commit whose id begins with its name."""
    return Commit(name.ljust(40, "0"), at_ms, "Ann", f"About {name}", files, len(files))


def push(*names: str, at_ms: int = NOW - DAY) -> Change:
    """Push commits."""
    commits = tuple(commit(name, at_ms) for name in names)
    return Change(ChangeKind.PUSH, "shop", at_ms, "", commits[-1].id, "main", commits=commits)


def deploy(revision: str = "", at_ms: int = NOW - HOUR, environment: str = "prod") -> Change:
    """Deploy a revision."""
    return Change(ChangeKind.DEPLOY, "shop", at_ms, environment, revision.ljust(40, "0") if revision else "")


def found(log: list[Change], environment: str = "prod") -> list[tuple[str, int | None]]:
    """List candidates by name, each with how many deployments came after its own."""
    return [(each.commit.id.rstrip("0"), each.behind) for each in candidates(log, NOW, environment)]


def test_a_deployment_brings_what_was_pushed_up_to_its_revision() -> None:
    """Not what was pushed after it, nor what was live before; the newest first."""
    log = [
        push("a", "b", at_ms=NOW - 4 * HOUR),
        deploy("b", NOW - 3 * HOUR),
        push("c", "d", "e", at_ms=NOW - 2 * HOUR),
        deploy("d"),
    ]
    assert found(log) == [("c", 0), ("d", 0), ("a", 1), ("b", 1)]
    assert [each.live_ms for each in candidates(log, NOW, "prod")] == [NOW - HOUR] * 2 + [NOW - 3 * HOUR] * 2


def test_a_deployment_without_a_known_revision_brings_what_was_pushed_before() -> None:
    """Nobody said which: then all that there was."""
    assert found([push("a"), deploy("", NOW - HOUR), push("b", at_ms=NOW - MINUTE)]) == [("a", 0)]
    assert found([push("a"), deploy("unheard", NOW - HOUR)]) == [("a", 0)]


def test_a_revision_may_be_the_beginning_of_one() -> None:
    """Seven characters name a commit."""
    log = [push("abcdef1"), push("b2"), Change(ChangeKind.DEPLOY, "shop", NOW - HOUR, "prod", "abcdef1")]
    assert found(log) == [("abcdef1", 0)]


def test_going_back_brings_nothing_new() -> None:
    """A revision that was live before has no new commits, but it is the newest deployment."""
    log = [push("a", "b"), deploy("a", NOW - 3 * HOUR), deploy("b", NOW - 2 * HOUR), deploy("a", NOW - HOUR)]
    assert found(log) == [("b", 1), ("a", 2)]


def test_what_a_window_left_out_is_brought_by_its_deployment() -> None:
    """A window that was told first may name the head alone: what was pushed before it is live as well, nothing behind it."""
    window = Change(ChangeKind.WINDOW, "shop", NOW - 2 * HOUR, "prod", commits=(commit("c"),))
    log = [push("a", "b", "c", "d", at_ms=NOW - 3 * HOUR), window, deploy("c")]
    assert found(log) == [("a", 0), ("b", 0), ("c", 1)]
    assert found([*log, deploy("c", NOW - MINUTE)]) == [("a", 1), ("b", 1), ("c", 2)]


def test_other_environments_do_not_count() -> None:
    """What went to staging is not live in production; one that names no environment is live everywhere."""
    log = [push("a", "b"), deploy("b", NOW - 2 * HOUR, "staging"), deploy("a", NOW - HOUR, "")]
    assert found(log) == [("a", 0)]
    assert found(log, "staging") == [("a", 1), ("b", 1)]
    assert found(log, "") == [("a", 1), ("b", 1)]


def test_without_deployments_a_push_is_live() -> None:
    """Then what came last is the likeliest, and nothing is said of deployments."""
    assert found([push("a", at_ms=NOW - 2 * HOUR), push("b", at_ms=NOW - HOUR), push("c", at_ms=NOW + 1)]) == [
        ("b", None),
        ("a", None),
    ]


def test_a_change_window_names_its_commits() -> None:
    """It brings them itself; what a push said of their files is kept where the window says nothing."""
    window = Change(
        ChangeKind.WINDOW, "shop", NOW - HOUR, "prod", commits=(commit("a"), commit("x", NOW - DAY, "x.py"))
    )
    pushed = Change(ChangeKind.PUSH, "shop", NOW - DAY, commits=(commit("a", NOW - DAY, "a.py"), commit("b")))
    log = [pushed, window]
    assert sorted(found(log)) == [("a", 0), ("x", 0)]
    assert {each.commit.files for each in candidates(log, NOW, "prod")} == {("a.py",), ("x.py",)}


def test_a_commit_that_two_name_went_live_once() -> None:
    """By the first deployment that had it; a window that says nothing new is no further one, but may know its files."""

    def window(at_ms: int, *commits: Commit) -> Change:
        return Change(ChangeKind.WINDOW, "shop", at_ms, "prod", commits=commits)

    first = window(NOW - 3 * HOUR, commit("a"))
    second = window(NOW - HOUR, commit("a", NOW - DAY, "a.py"), commit("b"), commit("b"))
    assert found([first, second]) == [("b", 0), ("a", 1)]
    assert [each.commit.files for each in candidates([first, second], NOW, "prod")] == [(), ("a.py",)]
    log = [push("a", "b", at_ms=NOW - 4 * HOUR), deploy("b", NOW - 2 * HOUR), window(NOW - HOUR, commit("b"))]
    assert found(log) == [("a", 0), ("b", 0)]
    assert [[each.id.rstrip("0") for each in shown.commits] for shown in deploys(log, NOW, "prod")] == [[], ["b", "a"]]


def test_what_is_too_old_or_too_much_is_left_out() -> None:
    """At the bounds: two weeks, and so many commits, the newest."""
    log = [push("a", at_ms=NOW - LOOK_BACK_MS - 1), push("b", at_ms=NOW - LOOK_BACK_MS)]
    assert found(log) == [("b", None)]
    names = [f"c{number:05}x" for number in range(CANDIDATES_MAX + 5)]
    log = [push(name, at_ms=NOW - HOUR + place) for place, name in enumerate(names)]
    assert [name for name, _ in found(log)] == names[:4:-1]


def test_the_deployments_that_are_shown() -> None:
    """Those of a day before, newest first, a few; named by their name, else by their revision."""
    log = [deploy(f"{number}abcdef", NOW - number * HOUR) for number in range(30, 0, -1)]
    shown = deploys(log, NOW, "prod")
    assert [each.at_ms for each in shown] == [NOW - number * HOUR for number in range(1, DEPLOYS_MAX + 1)]
    assert shown[0].name == "1abcdef00000"
    named = Change(ChangeKind.RELEASE, "shop", NOW - HOUR, "", "x", "v1.2", "ann", "https://example.com/r")
    assert deploys([named], NOW, "prod")[0].name == "v1.2"
    assert deploys([deploy("a", NOW - 25 * HOUR)], NOW, "prod") == ()


@pytest.mark.parametrize(
    "change",
    [
        push("a", "b"),
        deploy("a"),
        Change(ChangeKind.WINDOW, "shop", 1, commits=(Commit("a", 1, "x", "m", ("f",), 9, True, "u"), Commit("b", 2))),
    ],
)
def test_a_change_is_read_back_as_it_was(change: Change) -> None:
    """From its stored form."""
    assert decode_change(encode_change(change)) == change


@pytest.mark.parametrize(
    ("deployed", "environment", "same"),
    [
        ("prod", "prod", True),
        ("production", "prod", True),
        ("prod", "production", True),
        ("", "prod", True),
        ("staging", "prod", False),
        ("production", "staging", False),
        ("production", "Production", True),
        ("Production", "prod", True),
        ("EU", "eu", True),
        ("eu", "eu2", False),
    ],
)
def test_places(deployed: str, environment: str, *, same: bool) -> None:
    """What is deployed to Production is live in prod; other names mean what they say, in whatever case."""
    assert is_same_place(deployed, environment) is same


def test_the_last_deployment_shortly_before() -> None:
    """Neither a release nor a push is one, nor what is quiet, is somewhere else, or was too long ago."""
    live = deploy("a", NOW - MINUTE)
    assert news_within([live], NOW, "prod", MINUTE) is live
    assert news_within([live, deploy("b", NOW - 2 * MINUTE)], NOW, "prod", HOUR) is live
    for other in (
        replace(live, kind=ChangeKind.RELEASE),
        replace(live, kind=ChangeKind.PUSH),
        replace(live, quiet=True),
        replace(live, environment="staging"),
        replace(live, at_ms=NOW - MINUTE - 1),
        replace(live, at_ms=NOW + 1),
    ):
        assert news_within([other], NOW, "prod", MINUTE) is None
