"""GitHub's webhooks, as events of type `github.<event>` or `github.<event>.<action>`.

The delivery's GUID is the event's id, so that a redelivery does nothing. `ping` and the events of `IGNORED` make none.
Severity: a failed deployment, workflow run or check suite is an error, all else info. The key is what it is about: the
branch, the deployment, the release, else the repository. Labels: repository, ref, branch, sender, state, sha.

`data`: event, action, repository (full_name, default_branch, url), sender, and of

push               ref, branch, before, after, created, deleted, forced, is_default_branch, compare, commits (at most
                   `COMMITS_MAX`: sha, message, author (name, email, username), time, url, files; `commits_omitted`);
                   of a push that is too large each keeps the first line of its message and fewer files (`files_omitted`)
deployment         deployment (id, sha, ref, environment, task, description, creator, created_at)
deployment_status  the same, and status (id, state, description, created_at, url)
release            release (id, tag, name, draft, prerelease, author, published_at, target)
workflow_run, check_suite   run (id, name, status, conclusion, branch, sha, event, url)
any other          number, title and state of what it is about, where it has them

and `deploy_incidents: false` where the endpoint wants no incidents because of deployments.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import parse_qs

from alertd.errors import DecodeError, NotJsonError, Problem
from alertd.model.event import NAME_MAX
from alertd.sources.outside import TRIMMED, fitting, json_object, made, place, text
from alertd.sources.sentry_fields import cut, key_of, labels_of, line_of, link_of, place_of, time_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.model.event import Event
    from alertd.sources.base import Context
    from alertd.sources.outside import WebhookRequest
    from alertd.sources.sentry_defaults import SentryDefaults

EVENT: Final = "X-GitHub-Event"
DELIVERY: Final = "X-GitHub-Delivery"
SIGNATURE: Final = "X-Hub-Signature-256"
IGNORED: Final = frozenset({"ping"})
"""Events of GitHub that say nothing but that the webhook works."""
COMMITS_MAX: Final = 200
"""Commits of one push that are kept, the newest."""
FILES_MAX: Final = 200
"""Files of one commit that are kept."""
_FORM: Final = "application/x-www-form-urlencoded"
_BAD: Final = frozenset({"failure", "error", "timed_out", "startup_failure"})
_TEXT: Final = 500
_LINE: Final = 100
_BRANCH: Final = "refs/heads/"


class GithubDecoder:
    """GitHub."""

    source: ClassVar[str] = "github"

    def is_signed(self, request: WebhookRequest, secret: str, now_ms: int) -> bool:
        """Check `X-Hub-Signature-256` over the body as it was sent."""
        expected = "sha256=" + hmac.digest(secret.encode(), request.body, "sha256").hex()
        given = request.headers.get(SIGNATURE, "").strip().encode("utf-8", "surrogateescape")
        return hmac.compare_digest(expected.encode(), given)

    def decode(self, request: WebhookRequest, context: Context, defaults: SentryDefaults) -> list[Event]:
        """Make the event of a webhook."""
        event = _word(request.headers.get(EVENT), EVENT)
        body = json_object(_payload(request), context)
        if event in IGNORED:
            return []
        action = text(body, "action")
        kind = f"github.{event}.{action}" if action else f"github.{event}"
        data = _fitted(_data(event, action, body), context.bounds.max_event_bytes * 3 // 4)
        if not defaults.deploy_incidents:
            data["deploy_incidents"] = False
        state = text(data, "status", "state") or text(data, "run", "conclusion")
        native = {
            "type": defaults.type_of(line_of(kind.replace(" ", "_"), NAME_MAX)),
            "id": _identity(request),
            "project": place_of(defaults.project or _repository(body)),
            "environment": place_of(text(data, "deployment", "environment") or defaults.environment),
            "source": "github",
            "severity": defaults.severities.get(state) or ("error" if state in _BAD else "info"),
            "time": time_of(_time(event, body)),
            "key": key_of(_key(event, body)),
            "message": cut(_message(event, action, body, data), _TEXT),
            "url": link_of(_link(event, body)),
            "labels": _labels(body, data, state),
            "data": data,
        }
        return [made(native, context)]


def _word(value: str | None, header: str) -> str:
    if not value or not value.isascii() or not value.replace("_", "").isalnum():
        raise NotJsonError(f"the header {header} is {'missing' if not value else 'no name of an event'}")
    return value


def _identity(request: WebhookRequest) -> str | None:
    guid = request.headers.get(DELIVERY, "").strip()
    if guid and not (guid.isascii() and guid.isprintable() and " " not in guid and len(guid) <= NAME_MAX):
        raise DecodeError([Problem("", f"the header {DELIVERY} is no GUID")])
    return guid or None


def _payload(request: WebhookRequest) -> bytes:
    if not request.headers.get("Content-Type", "").lower().startswith(_FORM):
        return request.read
    try:
        form = parse_qs(request.read.decode("ascii"), max_num_fields=8, strict_parsing=True)
    except (ValueError, UnicodeDecodeError):
        raise NotJsonError("the body is no form") from None
    return form.get("payload", [""])[0].encode("utf-8", "replace")


def _data(event: str, action: str, body: dict[str, Any]) -> dict[str, Any]:
    repository = {
        "full_name": text(body, "repository", "full_name"),
        "default_branch": text(body, "repository", "default_branch"),
        "url": text(body, "repository", "html_url"),
    }
    data: dict[str, Any] = {
        "event": event,
        "action": action,
        "repository": _said(repository),
        "sender": text(body, "sender", "login"),
        **_DETAILS.get(event, _other)(body),
    }
    return _said(data)


def _said(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value not in (None, "", {}, [])}


def _push(body: dict[str, Any]) -> dict[str, Any]:
    given = place(body, "commits")
    commits = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    ref = text(body, "ref")
    branch = ref.removeprefix(_BRANCH) if ref.startswith(_BRANCH) else ""
    return {
        "ref": ref,
        "branch": branch,
        "before": text(body, "before"),
        "after": text(body, "after"),
        "created": place(body, "created") is True,
        "deleted": place(body, "deleted") is True,
        "forced": place(body, "forced") is True,
        "is_default_branch": bool(branch) and branch == text(body, "repository", "default_branch"),
        "compare": text(body, "compare"),
        "commits": [_commit(each) for each in commits[-COMMITS_MAX:]],
        "commits_omitted": max(0, len(commits) - COMMITS_MAX) or None,
    }


def _commit(commit: dict[str, Any]) -> dict[str, Any]:
    listed: list[Any] = [commit.get(part) for part in ("added", "modified", "removed")]
    files = [name[:1024] for part in listed if isinstance(part, list) for name in part if isinstance(name, str)]
    author = {name: text(commit, "author", name)[:200] for name in ("name", "email", "username")}
    return _said(
        {
            "sha": text(commit, "id")[:64],
            "message": cut(text(commit, "message"), _TEXT),
            "author": _said(author),
            "time": time_of(place(commit, "timestamp")),
            "url": text(commit, "url")[:1024],
            "files": list(dict.fromkeys(files))[:FILES_MAX],
            "files_omitted": max(0, len(files) - FILES_MAX) or None,
        }
    )


def _fitted(data: dict[str, Any], most_bytes: int) -> dict[str, Any]:
    commits = fitting(data.get("commits", []), most_bytes, _fewer)
    return data if commits is None else {**data, "commits": commits, TRIMMED: ["commits.files", "commits.message"]}


def _fewer(commit: dict[str, Any], most: int) -> dict[str, Any]:
    files = commit.get("files", [])
    omitted = commit.get("files_omitted", 0) + max(0, len(files) - most)
    message = cut(commit.get("message", "").partition("\n")[0], _LINE)
    return _said({**commit, "message": message, "files": files[:most], "files_omitted": omitted or None})


def _deployment(body: dict[str, Any]) -> dict[str, Any]:
    found = _texts(place(body, "deployment"), "id", "sha", "ref", "environment", "task", "description", "created_at")
    creator = text(body, "deployment", "creator", "login")
    return {"deployment": _said({**found, "creator": creator})}


def _deployment_status(body: dict[str, Any]) -> dict[str, Any]:
    given = place(body, "deployment_status")
    status = _texts(given, "id", "state", "description", "environment", "created_at")
    link = text(given, "target_url") or text(given, "log_url")
    return {**_deployment(body), "status": _said({**status, "url": link})}


def _release(body: dict[str, Any]) -> dict[str, Any]:
    given = place(body, "release")
    found = _texts(given, "id", "name", "published_at")
    more = {
        "tag": text(given, "tag_name"),
        "target": text(given, "target_commitish"),
        "author": text(given, "author", "login"),
        "draft": place(given, "draft") is True,
        "prerelease": place(given, "prerelease") is True,
    }
    return {"release": _said({**found, **more})}


def _run(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def read(body: dict[str, Any]) -> dict[str, Any]:
        given = place(body, name)
        found = _texts(given, "id", "name", "status", "conclusion", "event")
        more = {"branch": text(given, "head_branch"), "sha": text(given, "head_sha"), "url": text(given, "html_url")}
        return {"run": _said({**found, **more})}

    return read


def _other(body: dict[str, Any]) -> dict[str, Any]:
    for name in ("issue", "pull_request", "discussion", "alert", "check_run", "workflow_job", "status"):
        given = place(body, name)
        if isinstance(given, dict):
            return {name: _texts(given, "id", "number", "title", "state", "name", "conclusion", "html_url")}
    return {}


_DETAILS: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "push": _push,
    "deployment": _deployment,
    "deployment_status": _deployment_status,
    "release": _release,
    "workflow_run": _run("workflow_run"),
    "check_suite": _run("check_suite"),
}


def _texts(given: Any, *names: str) -> dict[str, str]:
    return {name: cut(found, _TEXT) for name in names if (found := text(given, name))}


def _repository(body: dict[str, Any]) -> str:
    """Return the repository's name without its owner's."""
    return text(body, "repository", "name") or text(body, "repository", "full_name").rpartition("/")[2]


def _key(event: str, body: dict[str, Any]) -> str:
    repository = text(body, "repository", "full_name")
    what = {
        "push": text(body, "ref"),
        "deployment": text(body, "deployment", "id"),
        "deployment_status": text(body, "deployment", "id"),
        "release": text(body, "release", "id"),
        "workflow_run": text(body, "workflow_run", "name"),
        "check_suite": text(body, "check_suite", "head_branch"),
    }.get(event, "")
    return f"{repository}:{what}" if what else repository


def _time(event: str, body: dict[str, Any]) -> Any:
    return {
        "push": place(body, "head_commit", "timestamp"),
        "deployment": place(body, "deployment", "created_at"),
        "deployment_status": place(body, "deployment_status", "created_at"),
        "release": place(body, "release", "published_at") or place(body, "release", "created_at"),
    }.get(event)


def _link(event: str, body: dict[str, Any]) -> Any:
    status = place(body, "deployment_status")
    return {
        "push": place(body, "compare"),
        "deployment_status": place(status, "target_url") or place(status, "log_url"),
        "release": place(body, "release", "html_url"),
        "workflow_run": place(body, "workflow_run", "html_url"),
    }.get(event) or place(body, "repository", "html_url")


def _labels(body: dict[str, Any], data: dict[str, Any], state: str) -> dict[str, str]:
    deployment, run = place(data, "deployment"), place(data, "run")
    labels = {
        "repository": text(body, "repository", "full_name"),
        "ref": text(data, "ref") or text(deployment, "ref") or text(data, "release", "tag"),
        "branch": text(data, "branch") or text(run, "branch"),
        "sender": text(body, "sender", "login"),
        "state": state,
        "sha": text(data, "after") or text(deployment, "sha") or text(run, "sha"),
    }
    return labels_of({name: value for name, value in labels.items() if value}, set())


def _message(event: str, action: str, body: dict[str, Any], data: dict[str, Any]) -> str:
    repository, sender = text(body, "repository", "full_name"), text(body, "sender", "login")
    by = f" by {sender}" if sender else ""
    if event == "push":
        commits = place(body, "commits")
        count = len(commits) if isinstance(commits, list) else 0
        return f"{count} {'commit' if count == 1 else 'commits'} to {text(data, 'ref')} of {repository}{by}"
    if event in {"deployment", "deployment_status"}:
        state = text(data, "status", "state") or action
        where = text(data, "deployment", "environment")
        return f"deployment of {repository} to {where}: {state}"
    if event == "release":
        return f"release {text(data, 'release', 'tag')} of {repository} {action}{by}"
    if event in {"workflow_run", "check_suite"}:
        run = place(data, "run") or {}
        return (
            f"{text(run, 'name') or event} of {repository}: {text(run, 'conclusion') or text(run, 'status') or action}"
        )
    return f"{event.replace('_', ' ')} {action}".strip() + (f" in {repository}" if repository else "") + by
