"""Which events tell of a change: GitHub's own examples through the decoder, change windows, and nothing else."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alertd.engine.issues.change_reports import change_of, is_news
from alertd.model.change import Change, ChangeKind, Commit
from alertd.model.event import Event
from alertd.model.severity import Severity
from alertd.sources.base import Context
from alertd.sources.github import GithubDecoder
from alertd.sources.outside import WebhookRequest
from alertd.sources.sentry_defaults import STANDARD, SentryDefaults
from tests.unit.engine.issues.errors import HOUR, MINUTE, NOW, time_of
from tests.unit.engine.issues.test_facts import json

REPOSITORY = {"name": "shop", "full_name": "acme/shop", "default_branch": "main"}
COMMIT = {
    "id": "a" * 40,
    "message": "Make it faster",
    "timestamp": time_of(NOW - HOUR),
    "url": "https://example.com/c",
    "author": {"name": "Ann", "email": "ann@example.com"},
    "added": ["shop/new.py"],
    "modified": ["shop/cart.py"],
    "removed": ["shop/old.py"],
}
PUSH = {"ref": "refs/heads/main", "before": "0" * 40, "after": "a" * 40, "commits": [COMMIT], "repository": REPOSITORY}
DEPLOYMENT = {"id": 1, "sha": "a" * 40, "ref": "main", "environment": "production", "creator": {"login": "ann"}}
STATUS = {
    "id": 2,
    "state": "success",
    "environment": "prod",
    "created_at": time_of(NOW - MINUTE),
    "target_url": "https://x.example/d",
}
RELEASE = {
    "id": 3,
    "tag_name": "v1.2",
    "name": None,
    "draft": False,
    "published_at": time_of(NOW - HOUR),
    "author": {"login": "ann"},
}


def github(event: str, defaults: SentryDefaults = STANDARD, **body: Any) -> Event:
    """Decode a webhook of GitHub."""
    raw = orjson.dumps({"sender": {"login": "ann"}, "repository": REPOSITORY, **body})
    headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": "0" * 36, "Content-Type": "application/json"}
    context = Context(workspace="default", now_ms=NOW, workspaces=frozenset({"default"}))
    request = WebhookRequest(headers=headers, body=raw, read=raw)
    (made,) = GithubDecoder().decode(request, context, defaults)
    return made


def test_a_push_to_the_default_branch() -> None:
    """Its commits with all their files; it counts from its arrival, the commits from when they were made."""
    found = change_of(github("push", **PUSH), NOW)
    files = ("shop/new.py", "shop/cart.py", "shop/old.py")
    commit = Commit(
        "a" * 40, NOW - HOUR, "Ann", "Make it faster", files, 3, is_merge=False, url="https://example.com/c"
    )
    assert found is not None
    assert (found.kind, found.project, found.at_ms, found.revision) == (ChangeKind.PUSH, "shop", NOW, "a" * 40)
    assert (found.name, found.author, found.commits) == ("main", "ann", (commit,))
    assert found.key == f"acme/shop:refs/heads/main:{'0' * 40}"
    assert is_news(found)


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("push", {**PUSH, "ref": "refs/heads/feature"}),
        ("push", {**PUSH, "ref": "refs/tags/v1"}),
        ("push", {**PUSH, "deleted": True}),
        ("deployment", {"action": "created", "deployment": DEPLOYMENT}),
        ("deployment_status", {"deployment": DEPLOYMENT, "deployment_status": {**STATUS, "state": "failure"}}),
        ("release", {"action": "released", "release": RELEASE}),
        ("release", {"action": "published", "release": {**RELEASE, "draft": True}}),
        ("workflow_run", {"action": "completed", "workflow_run": {"id": 1, "name": "ci", "conclusion": "success"}}),
    ],
)
def test_what_is_no_change(event: str, body: dict[str, Any]) -> None:
    """Other branches, tags, what was deleted, what has not succeeded, drafts, and builds."""
    assert change_of(github(event, **body), NOW) is None


def test_a_deployment_that_succeeded() -> None:
    """Where it went by its status, when, and which revision."""
    found = change_of(github("deployment_status", deployment=DEPLOYMENT, deployment_status=STATUS), NOW)
    told = ("prod", "a" * 40, "main", "ann", "https://x.example/d")
    expected = Change(ChangeKind.DEPLOY, "shop", NOW - MINUTE, *told, key="acme/shop:1")
    assert found == expected
    assert is_news(expected)


def test_a_release() -> None:
    """It is live everywhere, named by its tag where it has no name; it is no news of its own."""
    found = change_of(github("release", action="published", release=RELEASE), NOW)
    assert found is not None
    assert (found.kind, found.name, found.at_ms, found.environment) == (ChangeKind.RELEASE, "v1.2", NOW - HOUR, "")
    assert not is_news(found)


def event(data: Any) -> Event:
    """Make an event of some data."""
    body = {"data": data, "url": "https://example.com/i"}
    return Event("x", "1", "default", "shop", "prod", Severity.ERROR, time_of(NOW), "k", body, b"{}")


def test_a_change_window() -> None:
    """It went live at its time, in the event's environment, with its own commits."""
    commits = [{"id": "abc", "timestamp": time_of(NOW - HOUR), "files": ["a.py"]}, {"id": "def", "files": []}]
    found = change_of(event({"change_window": {"deploy_time": time_of(NOW - MINUTE), "commits": commits}}), NOW)
    assert found is not None
    assert (found.kind, found.at_ms, found.environment) == (ChangeKind.WINDOW, NOW - MINUTE, "prod")
    assert [(each.id, each.at_ms, each.files) for each in found.commits] == [
        ("abc", NOW - HOUR, ("a.py",)),
        ("def", NOW, ()),
    ]


@pytest.mark.parametrize(
    "data", [{}, {"event": "push"}, {"change_window": None}, {"change_window": {"commits": []}}, {"event": ["push"]}]
)
def test_plain_events_tell_of_none(data: dict[str, Any]) -> None:
    """A native event with such a name is none of GitHub's; a window without a time tells nothing."""
    assert change_of(event(data), NOW) is None


names = st.sampled_from(
    [
        "event",
        "repository",
        "commits",
        "status",
        "deployment",
        "release",
        "change_window",
        "author",
        "files",
        "deploy_time",
    ]
)


@settings(max_examples=200)
@given(
    st.dictionaries(names, json | st.lists(st.dictionaries(names, json)) | st.dictionaries(names, json)),
    st.sampled_from(["push", "release", "deployment_status"]),
)
def test_nothing_that_a_producer_writes_breaks_it(data: dict[str, Any], name: str) -> None:
    """Whatever stands there: a change or none, never an error."""
    change_of(event(data), NOW)
    change_of(event({"is_default_branch": True, "action": "published", "repository": {}, **data, "event": name}), NOW)


def test_an_endpoint_may_want_no_incidents() -> None:
    """Its pushes and deployments are changes all the same, but no news."""
    quiet = SentryDefaults(deploy_incidents=False)
    for told, loud in (
        (github("push", quiet, **PUSH), github("push", **PUSH)),
        (
            github("deployment_status", quiet, deployment=DEPLOYMENT, deployment_status=STATUS),
            github("deployment_status", deployment=DEPLOYMENT, deployment_status=STATUS),
        ),
    ):
        found, other = change_of(told, NOW), change_of(loud, NOW)
        assert found is not None
        assert other is not None
        assert (found.quiet, is_news(found), is_news(other)) == (True, False, True)
