"""Reports of changes: which events tell of one, and what.

| event | change |
|---|---|
| GitHub's `push` to the default branch | push |
| GitHub's `deployment_status` with the state success | deploy |
| GitHub's `release`, published | release |
| a reported incident with a `change_window` | window |

Told by what is in `data` (`alertd.sources.github`, `alertd.sources.incident`), for an endpoint may rename the types, and
who has no GitHub tells by native events. A push counts from its arrival: the time that its event carries is that of a
commit, which may be days before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.engine.issues.facts import OLDEST_MS, moment, said_ms
from alertd.model.change import COMMITS_MAX, FILES_MAX, Change, ChangeKind, Commit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from alertd.model.event import Event

_TEXT: Final = 500
_MERGE: Final = ("Merge pull request ", "Merge branch ", "Merge remote-tracking branch ", "Merged in ")


def tells_change(body: Mapping[str, Any]) -> bool:
    """Tell whether an event may tell of a change; few of those that do not pass."""
    data = body.get("data")
    if data is None:
        return False
    return "change_window" in data or ("repository" in data and _text(data, "event") in _READERS)


def change_of(event: Event, now_ms: int) -> Change | None:
    """Return the change that an event tells of; None for all others. Never raises, whatever `data` holds."""
    data = event.body.get("data")
    if data is None:
        return None
    if "change_window" in data:
        return _window(event, data, now_ms)
    reader = _READERS.get(_text(data, "event"))
    return None if reader is None or "repository" not in data else reader(event, data, now_ms)


def release_of(event: Event) -> str:
    """Return what applications call the release that an event publishes: its tag, for its name is for people."""
    release = _map(event.body["data"], "release")
    return _text(release, "tag") or _text(release, "name")


def is_news(change: Change) -> bool:
    """Tell whether it opens an incident that informs: code that was pushed, or went live by a deployment."""
    return change.kind in (ChangeKind.PUSH, ChangeKind.DEPLOY) and not change.quiet


def _push(event: Event, data: Mapping[str, Any], now_ms: int) -> Change | None:
    if data.get("is_default_branch") is not True or data.get("deleted") is True:
        return None
    commits = [
        _commit(each, _text(each, "sha"), _text(each, "time"), now_ms)
        for each in _list(data, "commits")
        if isinstance(each, dict)
    ]
    before, after = _text(data, "before"), _text(data, "after")
    return Change(
        ChangeKind.PUSH,
        event.project,
        now_ms,
        "",
        after,
        _text(data, "branch"),
        _text(data, "sender"),
        _url(event),
        tuple(commit for commit in commits if commit.id),
        f"{event.key}:{before}" if before and after else "",
        _quiet(data),
    )


def _deploy(event: Event, data: Mapping[str, Any], now_ms: int) -> Change | None:
    status, deployment = _map(data, "status"), _map(data, "deployment")
    if status.get("state") != "success":
        return None
    return Change(
        ChangeKind.DEPLOY,
        event.project,
        moment(event.time, now_ms),
        _text(status, "environment") or _text(deployment, "environment"),
        _text(deployment, "sha"),
        _text(deployment, "ref"),
        _text(deployment, "creator"),
        _url(event),
        key=_key(event),
        quiet=_quiet(data),
    )


def _release(event: Event, data: Mapping[str, Any], now_ms: int) -> Change | None:
    release = _map(data, "release")
    if data.get("action") != "published" or release.get("draft") is True:
        return None
    name = _text(release, "name") or _text(release, "tag")
    at_ms = moment(event.time, now_ms)
    author = _text(release, "author")
    return Change(
        ChangeKind.RELEASE, event.project, at_ms, "", "", name, author, _url(event), key=_key(event), quiet=_quiet(data)
    )


def _window(event: Event, data: Mapping[str, Any], now_ms: int) -> Change | None:
    window = _map(data, "change_window")
    deployed = _text(window, "deploy_time")
    if not deployed:
        return None
    commits = tuple(
        _commit(each, _text(each, "id"), _text(each, "timestamp"), now_ms)
        for each in _list(window, "commits")
        if isinstance(each, dict) and _text(each, "id")
    )
    at_ms = _told(deployed, now_ms)
    return Change(ChangeKind.WINDOW, event.project, at_ms, event.environment, "", "", "", _url(event), commits)


_READERS: Final[dict[str, Callable[[Event, Mapping[str, Any], int], Change | None]]] = {
    "push": _push,
    "deployment_status": _deploy,
    "release": _release,
}


def _key(event: Event) -> str:
    """Name the deployment or the release that is told of; empty where a native event names none."""
    return "" if event.key == event.type else event.key


def _commit(given: Mapping[str, Any], commit_id: str, time: str, now_ms: int) -> Commit:
    message, author = _text(given, "message"), _map(given, "author")
    files = tuple(name for name in _list(given, "files")[:FILES_MAX] if isinstance(name, str))
    omitted = given.get("files_omitted")
    return Commit(
        commit_id,
        _moment(time, now_ms),
        _text(author, "name") or _text(author, "username"),
        message,
        files,
        len(files) + (omitted if type(omitted) is int and omitted > 0 else 0),
        message.startswith(_MERGE),
        _text(given, "url"),
    )


def _moment(time: str, now_ms: int) -> int:
    """When something happened, as `moment` says it; now where nobody says so."""
    return max(_told(time, now_ms), now_ms - OLDEST_MS)


def _told(time: str, now_ms: int) -> int:
    """When something is said to have happened, however long ago; now where nobody says so, with an offset, or it is yet to come."""
    try:
        return min(now_ms, said_ms(time))
    except (ValueError, OverflowError):
        return now_ms


def _quiet(data: Mapping[str, Any]) -> bool:
    return data.get("deploy_incidents") is False


def _url(event: Event) -> str:
    return _text(event.body, "url")


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    return value[:_TEXT] if isinstance(value, str) else ""


def _map(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = given.get(name)
    return value if isinstance(value, dict) else {}


def _list(given: Mapping[str, Any], name: str) -> list[Any]:
    value = given.get(name)
    return value[:COMMITS_MAX] if isinstance(value, list) else []
