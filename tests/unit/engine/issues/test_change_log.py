"""Change logs: in order, within their bounds, without repeats; those needed last stay in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alertd.engine.issues.change_log import CHANGES_MAX, ChangeLogs, added, bounded, is_repeat
from alertd.engine.issues.changes import CANDIDATES_MAX, LOOK_BACK_MS
from alertd.model.change import FILES_MAX, Change, ChangeKind, Commit, decode_change, encode_change
from tests.unit.engine.issues.errors import MINUTE, NOW

DEPLOY = Change(ChangeKind.DEPLOY, "shop", NOW, "prod", "a" * 40, key="acme/shop:1")
WINDOW = Change(ChangeKind.WINDOW, "shop", NOW, "prod")
BRANCH = "acme/shop:refs/heads/main"
PUSH = Change(ChangeKind.PUSH, "shop", NOW, revision="a" * 40, key=f"{BRANCH}:{'0' * 40}")


def test_a_late_word_takes_its_place() -> None:
    """A change that is told late stands where it happened; the log that was there stays as it was."""
    log = [replace(DEPLOY, at_ms=NOW - 2 * MINUTE, key="acme/shop:0"), DEPLOY]
    late = replace(PUSH, at_ms=NOW - MINUTE)
    assert added(log, late, NOW) == [log[0], late, DEPLOY]
    assert len(log) == 2


def test_what_is_too_old_goes() -> None:
    """At the bound it stays, beyond it goes."""
    old = replace(DEPLOY, at_ms=NOW - LOOK_BACK_MS, key="acme/shop:0")
    assert added([old], DEPLOY, NOW) == [old, DEPLOY]
    assert added([old], DEPLOY, NOW + 1) == [DEPLOY]


def test_the_newest_commits_and_changes_are_kept() -> None:
    """So many commits and so many changes, no more; one change may be as large as all of it."""
    commits = tuple(Commit(f"{n:040x}", NOW) for n in range(CANDIDATES_MAX + 1))
    (only,) = added([], replace(PUSH, commits=commits), NOW)
    assert only.commits == commits[1:]
    assert added([replace(PUSH, commits=commits[:1]), only], DEPLOY, NOW) == [only, DEPLOY]
    many = [replace(DEPLOY, at_ms=NOW + n, key=f"acme/shop:{n}") for n in range(CHANGES_MAX + 1)]
    assert bounded(many) == many[1:]
    assert bounded([]) == []


@pytest.mark.parametrize(
    ("change", "repeated"),
    [
        (replace(DEPLOY, at_ms=NOW + MINUTE), True),
        (replace(DEPLOY, quiet=True), True),
        (replace(DEPLOY, key="acme/shop:2"), False),
        (replace(DEPLOY, key=""), False),
        (replace(DEPLOY, kind=ChangeKind.RELEASE), False),
        (WINDOW, True),
        (replace(WINDOW, environment="staging"), False),
        (replace(WINDOW, at_ms=NOW + 1), False),
        (replace(PUSH, at_ms=NOW + MINUTE), True),
        (replace(PUSH, key=f"{BRANCH}:{'b' * 40}"), False),
        (replace(PUSH, revision="b" * 40), False),
        (replace(PUSH, key=PUSH.key.replace("shop", "till")), False),
        (replace(PUSH, key=""), False),
        (replace(PUSH, quiet=True), True),
    ],
)
def test_repeats(change: Change, *, repeated: bool) -> None:
    """One deployment that several statuses report is one; so is a window that each incident names, and a push told twice."""
    assert is_repeat([DEPLOY, WINDOW, PUSH, replace(PUSH, key="")], change) is repeated


def test_a_window_that_says_more() -> None:
    """Further commits, and further files of one, join what was known of that place and time; then they are known."""
    first, second, third = (Commit(letter * 40, NOW, files=("x.py",), file_count=1) for letter in "abc")
    more = replace(first, files=("x.py", "y.py"), file_count=4)
    log = added([DEPLOY], replace(WINDOW, commits=(first, second)), NOW)
    for known in ((first, second), (second,), ()):
        assert is_repeat(log, replace(WINDOW, commits=known))
    further = replace(WINDOW, commits=(more, third))
    assert not is_repeat(log, further)
    whole = replace(WINDOW, commits=(more, second, third))
    assert added(log, further, NOW) == [DEPLOY, whole]
    assert bounded([DEPLOY, *log[1:], further]) == [DEPLOY, whole]  # as it is read from a store
    assert is_repeat(added(log, further, NOW), further)
    elsewhere = replace(further, environment="staging")
    assert added(log, elsewhere, NOW) == [*log, elsewhere]


def test_a_window_that_grows_stays_within_its_bounds() -> None:
    """Of its commits the newest are kept, of a commit's files the first."""
    commits = tuple(Commit(f"{n:040x}", NOW) for n in range(CANDIDATES_MAX + 1))
    (only,) = bounded([replace(WINDOW, commits=commits[:-1]), replace(WINDOW, commits=commits[-1:])])
    assert only.commits == commits[1:]
    many = tuple(f"{n}.py" for n in range(FILES_MAX + 1))
    two = (replace(WINDOW, commits=(Commit("a", NOW, files=files),)) for files in (many[:-1], many[-1:]))
    ((commit,),) = (each.commits for each in bounded([*two]))
    assert (commit.files, commit.size) == (many[:-1], FILES_MAX)


def test_what_a_window_has_no_room_for_says_no_more() -> None:
    """One of more commits than are kept, or of a commit with more files, is a repeat the second time, and as it was read."""
    commits = tuple(Commit(f"{n:040x}", NOW) for n in range(CANDIDATES_MAX + 9))
    great = replace(WINDOW, commits=commits)
    for log in (added([], great, NOW), bounded([great]), bounded([great, great])):
        assert [each.commits for each in log] == [commits[9:]]
        assert is_repeat(log, great)
        assert is_repeat(log, replace(WINDOW, commits=commits[:20]))
    many = tuple(f"{n}.py" for n in range(FILES_MAX + 1))
    first, other = (Commit("a", NOW, files=files, file_count=len(files)) for files in (many[:-1], many[-1:]))
    assert is_repeat([replace(WINDOW, commits=(first,))], replace(WINDOW, commits=(other,)))


def test_older_commits_of_a_window_stand_before_those_that_they_were_named_before() -> None:
    """Commits are oldest first, whichever report named them."""
    a, b, c, d, e = (Commit(letter * 40, NOW) for letter in "abcde")
    (whole,) = added([replace(WINDOW, commits=(b, d))], replace(WINDOW, commits=(a, b, c, d, e)), NOW)
    assert whole.commits == (a, b, c, d, e)


def test_a_push_again_after_it_was_taken_back() -> None:
    """Forced back to where the branch was, the same commits may be pushed again; in another repository that says nothing."""
    first = replace(PUSH, key=f"{BRANCH}:{'b' * 40}")
    back = replace(PUSH, at_ms=NOW + 1, revision="b" * 40, key=f"{BRANCH}:{'a' * 40}")
    further = replace(PUSH, at_ms=NOW + 2, revision="c" * 40, key=f"{BRANCH}:{'a' * 40}")
    again = replace(first, at_ms=NOW + MINUTE)
    assert not is_repeat([first, back], again)
    assert is_repeat([first, back], replace(back, at_ms=NOW + MINUTE))
    assert is_repeat([first, back, again], replace(again, at_ms=NOW + MINUTE + 1))
    assert is_repeat([first, further], again)
    elsewhere = replace(back, key=back.key.replace("shop", "till"))
    assert is_repeat([first, elsewhere], again)


def test_the_least_needed_log_is_forgotten() -> None:
    """Looking is needing."""
    logs = ChangeLogs(most=2)
    for number in (1, 2):
        logs.keep((number, "shop"), [DEPLOY])
    assert logs.get((1, "shop")) == [DEPLOY]
    logs.keep((3, "shop"), [])
    assert (len(logs), logs.get((2, "shop")), logs.get((3, "shop"))) == (2, None, [])


def test_a_change_is_read_back_as_it_was() -> None:
    """With its commits, its key, and whether it is quiet."""
    whole = replace(DEPLOY, commits=(Commit("b" * 40, NOW, "Ann", "Tune", ("x.py",), 3, is_merge=True),), quiet=True)
    assert decode_change(encode_change(whole)) == whole
