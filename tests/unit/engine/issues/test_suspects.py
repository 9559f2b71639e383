"""Which commits are suspected, in which order, and what is said about them.

How often the guilty one is first is measured on real git histories, in the integration tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from alertd.engine.issues.changes import Candidate
from alertd.engine.issues.suspects import SUSPECTS_MAX, suspects
from alertd.model.change import Commit
from tests.unit.engine.issues.errors import HOUR, MINUTE, NOW, error, frame

if TYPE_CHECKING:
    from alertd.model.incident import Suspect

CRASH = error(
    frames=[
        frame("handle", "/app/api/views.py"),
        frame("checkout", "/app/shop/order.py"),
        frame("total", "/app/shop/cart.py", context_line="    total += price.lookup(sku)"),
    ]
)


def candidate(
    name: str, *files: str, behind: int | None = 0, live_ms: int = NOW - 12 * MINUTE, **more: Any
) -> Candidate:
    """Make a candidate."""
    return Candidate(Commit(name, NOW - HOUR, files=files, file_count=len(files), **more), live_ms, behind)


def ranked(*found: Candidate, data: dict[str, Any] = CRASH) -> list[Suspect]:
    """Rank candidates."""
    return list(suspects(data, found, NOW))


def names(*found: Candidate, data: dict[str, Any] = CRASH) -> list[str]:
    """Rank candidates by name."""
    return [each.commit_id for each in ranked(*found, data=data)]


def test_nearer_to_the_crash_is_likelier() -> None:
    """The file that crashed, then the one that called it, then one beside them, then any other."""
    found = [
        candidate("elsewhere", "web/app.js"),
        candidate("caller", "shop/order.py"),
        candidate("beside", "shop/user.py"),
        candidate("crash", "shop/cart.py"),
    ]
    assert names(*found) == ["crash", "caller", "beside"]
    assert len(ranked(*found)) == SUSPECTS_MAX


def test_what_is_installed_is_the_applications_where_it_says_so() -> None:
    """An image has the application among its packages; those of others, and bundled ones, are never suspected."""
    packages = "/app/.venv/lib/python3.12/site-packages"
    cart = frame("total", "shop/cart.py", abs_path=f"{packages}/shop/cart.py")
    inner = frame("get", "cache/client.py", abs_path=f"{packages}/cache/client.py", own=False)
    bundled = frame("total", "webpack:///./node_modules/shop/cart.js")
    found = [candidate("cache", "cache/client.py"), candidate("cart", "src/shop/cart.py"), candidate("js", "cart.js")]
    best, second, third = ranked(*found, data=error(frames=[bundled, cart, inner]))
    assert (best.commit_id, best.reasons[0]) == ("cart", "changed src/shop/cart.py, where it crashed (in total)")
    assert max(second.score, third.score) < best.score / 5
    foreign = {**cart, "in_app": False}
    assert all(each.score < 0.1 for each in ranked(*found, data=error(frames=[foreign])))


def test_what_the_crashed_line_names_is_suspected() -> None:
    """A function that has returned is not in the stack, but the line that crashed names it."""
    found = ranked(candidate("other", "stock/box.py"), candidate("named", "lib/price.py"))
    assert found[0].commit_id == "named"
    assert found[0].reasons[0] == "changed lib/price.py, which is named where it crashed"


def test_the_last_deployment_is_likelier() -> None:
    """The same file: what came with the last deployment stands before what was live already."""
    assert names(candidate("old", "shop/cart.py", behind=2), candidate("new", "shop/cart.py")) == ["new", "old"]
    assert names(
        candidate("old", "shop/cart.py", behind=None, live_ms=NOW - 72 * HOUR),
        candidate("new", "shop/cart.py", behind=None, live_ms=NOW - HOUR),
    ) == ["new", "old"]


def test_a_small_commit_is_likelier() -> None:
    """One that is about the file stands before one that is about everything."""
    sweep = ["shop/cart.py", *(f"f{number}/x{number}.py" for number in range(200))]
    assert names(candidate("sweep", *sweep), candidate("small", "shop/cart.py")) == ["small", "sweep"]


def test_what_does_not_run_and_merges_weigh_little() -> None:
    """Tests and documents of the right name are no culprits, and a merge is less of one than what it merged."""
    found = [
        candidate("tests", "shop/tests/test_cart.py", "README.md"),
        candidate("merge", "shop/cart.py", is_merge=True),
        candidate("real", "shop/cart.py"),
    ]
    assert names(*found) == ["real", "merge", "tests"]


def test_a_name_alone_is_sure_only_where_it_is_the_only_one() -> None:
    """`cart.py` may be any of several: then it counts half."""
    data = error(frames=[frame("total", "cart.py")])
    alone = ranked(candidate("one", "shop/cart.py"), data=data)[0].score
    several = ranked(candidate("one", "shop/cart.py"), candidate("two", "stock/cart.py"), data=data)[0].score
    assert several < alone


def test_the_reasons_are_said() -> None:
    """What was changed, what the message names, how much else, and when it went live."""
    found = ranked(candidate("a", "shop/cart.py", "shop/user.py", message="Make checkout and total faster\n\nmore"))
    assert found[0].reasons == (
        "changed shop/cart.py, where it crashed (in total)",
        "its message names total",
        "1 of its 2 files are in the stack",
        "went live 12 min before",
    )
    assert found[0].message == "Make checkout and total faster"
    old = ranked(candidate("a", "shop/order.py", behind=2, live_ms=NOW - 50 * HOUR))
    assert old[0].reasons == (
        "changed shop/order.py, which led to the crash (in checkout)",
        "changed nothing else",
        "went live 50 h before, 2 deployments before the last",
    )


def test_a_commit_of_unknown_files_remains_a_suspect() -> None:
    """GitHub leaves the files of great commits out: it stands behind those that are known to matter."""
    assert names(candidate("unknown"), candidate("crash", "shop/cart.py")) == ["crash", "unknown"]


def test_without_a_stack_the_last_deployment_is_all_there_is() -> None:
    """A message has no frames: commits are ranked by when they went live."""
    data = {"title": "x", "level": "info", "event_id": "1", "logentry": {"formatted": "x"}}
    assert names(candidate("old", "a.py", behind=1), candidate("new", "b.py"), data=data) == ["new", "old"]
    assert suspects(data, [], NOW) == ()


paths = st.text(alphabet="ab/\\.:?_-$é ", max_size=30)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"in_app": st.booleans()}, optional={"filename": paths, "module": paths, "function": paths}
        )
    ),
    st.lists(st.tuples(st.lists(paths, max_size=4), paths), max_size=5),
)
def test_it_takes_any_names(frames: list[Any], commits: list[tuple[list[str], str]]) -> None:
    """Whatever files and functions are called, the scores are between 0 and 1 and in order."""
    found = [candidate(f"c{place}", *files, message=message) for place, (files, message) in enumerate(commits)]
    scores = [each.score for each in suspects(error(frames=frames), found, NOW)]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)
