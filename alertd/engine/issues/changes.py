"""The change log of a project as far as it may explain an error: what was live then, since when, and what is new in it.

A log is a sequence of changes, oldest first. When code went live is told by deployments, releases and change windows of
the environment in question; where there are none, a commit counts as live from its push. A deployment brings what was
pushed up to its revision and was not live before; without a revision, what was pushed before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from alertd.clock import DAY_MS
from alertd.model.change import ChangeKind
from alertd.model.incident import Deploy, Shipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from alertd.model.change import Change, Commit

LOOK_BACK_MS: Final = 14 * DAY_MS
"""Nothing that went live longer ago is suspected, in milliseconds."""
CANDIDATES_MAX: Final = 500
"""Greatest number of commits that are weighed, the newest."""
DEPLOYS_MAX: Final = 5
"""Greatest number of deployments that an incident shows, the newest."""
DEPLOYS_WITHIN_MS: Final = DAY_MS
"""How far back deployments are shown, in milliseconds."""
PRODUCTION: Final = frozenset({"prod", "production"})
"""Names of one environment: whoever deploys and whoever reports errors often say different ones."""
SHIPPED_MAX: Final = 20
"""Greatest number of commits that are shown of a deployment, the newest."""
REVISION_LEAST: Final = 7
"""So many characters at least name a commit by its beginning."""
NAME_SHOWN: Final = 12
"""How much of a revision is shown where a deployment has no name."""


class Candidate(NamedTuple):
    """A commit that may have done it: since when it was live, and how many deployments came after its own.

    `behind` is None where nobody reports deployments: then it counts as live from its push.
    """

    commit: Commit
    live_ms: int
    behind: int | None


def candidates(log: Sequence[Change], at_ms: int, environment: str) -> list[Candidate]:
    """List the commits that were live at a time in an environment, newest first, merges and all."""
    pushed = _pushed(log, at_ms)
    live = [change for change in log if _went_live(change, at_ms, environment)]
    if not live:
        found = [Candidate(commit, pushed_ms, None) for commit, pushed_ms in pushed.values()]
    else:
        found = _by_deploy(live, pushed)
    recent = [each for each in found if at_ms - each.live_ms <= LOOK_BACK_MS]
    recent.sort(key=lambda each: (each.live_ms, each.commit.at_ms), reverse=True)
    return recent[:CANDIDATES_MAX]


def deploys(log: Sequence[Change], at_ms: int, environment: str) -> tuple[Deploy, ...]:
    """List what went live shortly before a time, newest first."""
    since = at_ms - DEPLOYS_WITHIN_MS
    live = [change for change in log if _went_live(change, at_ms, environment)]
    shown = sorted((change for change in live if change.at_ms >= since), key=_at, reverse=True)[:DEPLOYS_MAX]
    if not shown:
        return ()
    brought: dict[int, list[Commit]] = {}
    for commit, live_ms, _ in _by_deploy(live, _pushed(log, at_ms)):
        brought.setdefault(live_ms, []).append(commit)
    return tuple(deploy_of(change, brought.get(change.at_ms, ())) for change in shown)


def deploy_of(change: Change, commits: Sequence[Commit]) -> Deploy:
    """Show a change with the commits that it brought, oldest first."""
    return Deploy(
        change.at_ms,
        change.name or change.revision[:NAME_SHOWN],
        change.environment,
        change.url,
        change.revision,
        tuple(
            Shipped(each.id, each.message.partition("\n")[0], each.author) for each in commits[: -SHIPPED_MAX - 1 : -1]
        ),
        len(commits),
    )


def news_within(log: Sequence[Change], at_ms: int, environment: str, within_ms: int) -> Change | None:
    """Return what was deployed last to an environment, if that was so shortly before; nothing whose sender wants no word.

    A release is none: that it was published says nothing of where it runs.
    """
    live = [
        change
        for change in log
        if change.kind is not ChangeKind.RELEASE and not change.quiet and _went_live(change, at_ms, environment)
    ]
    last = max(live, key=_at, default=None)
    return last if last is not None and at_ms - last.at_ms <= within_ms else None


def is_same_place(deployed: str, environment: str) -> bool:
    """Tell whether what was deployed to one environment (empty: nobody said) is live in another: Prod is production."""
    there, here = deployed.casefold(), environment.casefold()
    return not there or there == here or (there in PRODUCTION and here in PRODUCTION)


def _at(change: Change) -> int:
    return change.at_ms


def _went_live(change: Change, at_ms: int, environment: str) -> bool:
    here = not environment or is_same_place(change.environment, environment)
    return change.kind.is_live and change.at_ms <= at_ms and here


def _pushed(log: Iterable[Change], at_ms: int) -> dict[str, tuple[Commit, int]]:
    """Map every commit that was pushed, in order, to itself and when; a commit that came twice counts when it first did."""
    found: dict[str, tuple[Commit, int]] = {}
    for change in log:
        if change.kind is ChangeKind.PUSH and change.at_ms <= at_ms:
            for commit in change.commits:
                found.setdefault(commit.id, (commit, change.at_ms))
    return found


def _by_deploy(live: Sequence[Change], pushed: Mapping[str, tuple[Commit, int]]) -> list[Candidate]:
    """Give each commit the first deployment that had it; a window of commits that all were live counts as none."""
    waiting, order = dict(pushed), {commit_id: place for place, commit_id in enumerate(pushed)}
    telling = {commit.id: commit for change in live for commit in change.commits if commit.files}
    seen: set[str] = set()
    steps: list[tuple[int, list[Commit]]] = []
    for change in sorted(live, key=_at):
        if change.commits:
            named = {commit.id: commit for commit in change.commits if commit.id not in seen}
            brought = [_known(waiting, commit, telling) for commit in named.values()]
            if not brought:
                continue
        else:
            brought = _taken(waiting, pushed, order, change)
        seen.update(commit.id for commit in brought)
        steps.append((change.at_ms, brought))
    behind = range(len(steps) - 1, -1, -1)
    return [Candidate(each, at_ms, n) for n, (at_ms, brought) in zip(behind, steps, strict=True) for each in brought]


def _known(waiting: dict[str, tuple[Commit, int]], named: Commit, telling: Mapping[str, Commit]) -> Commit:
    """Take a commit that a change window names from what waits; who knows its files tells."""
    pushed, _ = waiting.pop(named.id, (named, 0))
    if named.files:
        return named
    return pushed if pushed.files else telling.get(named.id, pushed)


def _taken(
    waiting: dict[str, tuple[Commit, int]],
    pushed: Mapping[str, tuple[Commit, int]],
    order: Mapping[str, int],
    change: Change,
) -> list[Commit]:
    """Take from what waits to go live what a deployment brought: nothing when all up to its revision was live before."""
    last = _resolved(change.revision, pushed)
    taken: list[Commit] = []
    for commit_id, (commit, pushed_ms) in list(waiting.items()):
        if pushed_ms > change.at_ms if last is None else order[commit_id] > order[last]:
            break
        taken.append(commit)
        del waiting[commit_id]
    return taken


def _resolved(revision: str, pushed: Mapping[str, tuple[Commit, int]]) -> str | None:
    """Find the commit that a revision names, which may be the beginning of one; None when nobody pushed it."""
    if revision in pushed:
        return revision
    if len(revision) < REVISION_LEAST:
        return None
    return next((commit_id for commit_id in pushed if commit_id.startswith(revision)), None)
