"""Webhooks of GitHub, Alertmanager, Grafana and reporters of incidents, decoded: their types, signatures and bounds."""

from __future__ import annotations

import hashlib
import hmac
import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alertd.engine.issues.fingerprint import fingerprint_of
from alertd.errors import DecodeError, TooLargeError
from alertd.model.event import Bounds
from alertd.sources.alerts import ALERTS_MAX, SKEW_SECONDS, AlertmanagerDecoder, GrafanaDecoder
from alertd.sources.base import Context, NoEventError
from alertd.sources.detect import decode_kafka
from alertd.sources.github import COMMITS_MAX, GithubDecoder
from alertd.sources.incident import FRAMES_MAX, TEXTS, IncidentDecoder
from alertd.sources.outside import WebhookDecoder, WebhookRequest
from alertd.sources.sentry_defaults import STANDARD, SentryDefaults
from tests.cost import cpu_seconds

NOW_MS = 1_778_112_000_000
GUID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
DECODERS: tuple[WebhookDecoder, ...] = (GithubDecoder(), AlertmanagerDecoder(), GrafanaDecoder(), IncidentDecoder())
PUSH: dict[str, Any] = {
    "ref": "refs/heads/main", "before": "0" * 40, "after": "6" * 40, "created": False, "deleted": False, "forced": False,
    "compare": "https://github.com/o/r/compare/0...6",
    "commits": [{
        "id": "6" * 40, "message": "Initial commit", "timestamp": "2019-05-15T15:19:25Z", "url": "https://github.com/o/r/commit/6",
        "author": {"name": "A", "email": "a@example.com"}, "added": ["README.md"], "removed": [], "modified": ["README.md", "x"],
    }],
    "repository": {"id": 1, "name": "r", "full_name": "o/r", "default_branch": "main"}, "sender": {"login": "a"},
}  # fmt: skip
ALERT = {
    "status": "firing", "labels": {"alertname": "HighErrorRate", "severity": "critical", "env": "prod"},
    "annotations": {"summary": "5xx > 5%"}, "startsAt": "2026-11-20T22:00:00.123456789Z", "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prom:9090/graph", "fingerprint": "fac0861a85de433a",
}  # fmt: skip
GROUP = {
    "version": "4",
    "groupKey": '{}:{alertname="x"}',
    "receiver": "my\\.team",
    "status": "firing",
    "alerts": [ALERT],
}
INCIDENT: dict[str, Any] = {
    "source": "sentry", "service": "api", "environment": "prod", "timestamp": "2025-01-15T10:30:00Z", "severity": "error",
    "exception_type": "TypeError", "message": "Cannot read property 'id' of undefined",
    "stacktrace": [{"file": "src/handler.ts", "function": "handleRequest", "line": 42}, {"file": "src/auth.ts"}],
    "tags": {"release": "v1.2.3"}, "links": {"source_url": "https://sentry.io/issues/12345"},
    "change_window": {"deploy_time": "2025-01-15T10:00:00Z",
                      "commits": [{"id": "abc123def", "timestamp": "2025-01-15T09:50:00Z", "files": ["src/handler.ts"]}]},
}  # fmt: skip


def decoded(
    decoder: WebhookDecoder,
    body: Any,
    headers: dict[str, str] | None = None,
    defaults: SentryDefaults = STANDARD,
    **bounds: int,
) -> list[dict[str, Any]]:
    """Decode a body and give the events' JSON."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    context = Context("default", NOW_MS, frozenset({"default"}), Bounds(**{"max_body_bytes": 5_000_000, **bounds}))
    found = decoder.decode(WebhookRequest(headers or {}, raw, raw), context, defaults)
    return [orjson.loads(event.payload) for event in found]


def github(event: str, body: Any, **options: Any) -> list[dict[str, Any]]:
    """Decode a webhook of GitHub."""
    return decoded(GithubDecoder(), body, {"X-GitHub-Event": event, "X-GitHub-Delivery": GUID}, **options)


def test_push() -> None:
    """A push tells what changed: commits with their files, each once, branch and whether it is the default one."""
    (event,) = github("push", PUSH)
    assert (event["type"], event["id"], event["project"], event["key"]) == (
        "github.push",
        GUID,
        "r",
        "o/r:refs/heads/main",
    )
    assert event["data"]["is_default_branch"] is True
    assert event["data"]["commits"] == [{
        "sha": "6" * 40, "message": "Initial commit", "author": {"name": "A", "email": "a@example.com"},
        "time": "2019-05-15T15:19:25Z", "url": "https://github.com/o/r/commit/6", "files": ["README.md", "x"],
    }]  # fmt: skip
    assert event["labels"]["sender"] == "a"


def test_a_repository_that_says_only_its_full_name() -> None:
    """The project is its last part; one commit is one."""
    (event,) = github("push", {**PUSH, "repository": {"id": 1, "full_name": "acme/shop", "default_branch": "main"}})
    assert (event["project"], event["key"]) == ("shop", "acme/shop:refs/heads/main")
    assert event["message"] == "1 commit to refs/heads/main of acme/shop by a"


def test_push_keeps_the_newest_commits() -> None:
    """Of a very large push the newest commits stay, and how many went is said."""
    body = {**PUSH, "commits": [{"id": f"{n:040x}"} for n in range(COMMITS_MAX + 1)]}
    (event,) = github("push", body)
    assert (len(event["data"]["commits"]), event["data"]["commits_omitted"]) == (COMMITS_MAX, 1)
    assert event["data"]["commits"][-1]["sha"] == f"{COMMITS_MAX:040x}"


@pytest.mark.parametrize(("state", "severity"), [("success", "info"), ("failure", "error"), ("error", "error")])
def test_deployments(state: str, severity: str) -> None:
    """A deployment's state is its severity; its environment is the event's."""
    deployment = {"id": 7, "sha": "a" * 40, "ref": "main", "environment": "prod", "creator": {"login": "b"}}
    body = {"action": "created", "deployment": deployment, "deployment_status": {"id": 8, "state": state}, **PUSH}
    (event,) = github("deployment_status", body)
    assert (event["type"], event["environment"], event["severity"]) == (
        "github.deployment_status.created",
        "prod",
        severity,
    )
    assert (event["labels"]["state"], event["key"]) == (state, "o/r:7")


@pytest.mark.parametrize(
    ("links", "url"),
    [
        ({"target_url": "https://x.example/t", "log_url": "https://x.example/l"}, "https://x.example/t"),
        ({"target_url": "", "log_url": "https://x.example/l"}, "https://x.example/l"),
    ],
)
def test_the_link_of_a_deployment(links: dict[str, str], url: str) -> None:
    """It leads to the deployment or its log, as `data` does; GitHub sends the first empty where nobody gave one."""
    body = {"deployment": {"id": 7}, "deployment_status": {"id": 8, "state": "failure", **links}, **PUSH}
    (event,) = github("deployment_status", body)
    assert (event["url"], event["data"]["status"]["url"]) == (url, url)


def test_ping_and_form_and_missing_header() -> None:
    """A ping makes no event; a form's payload is read; without the event's name it is 400 and says so."""
    assert github("ping", {"zen": "x"}) == []
    form = urlencode({"payload": json.dumps(PUSH)}).encode()
    headers = {"X-GitHub-Event": "push", "Content-Type": "application/x-www-form-urlencoded"}
    assert decoded(GithubDecoder(), form, headers)[0]["type"] == "github.push"
    with pytest.raises(DecodeError, match="X-GitHub-Event is missing"):
        decoded(GithubDecoder(), PUSH)


def test_a_push_that_is_too_large_loses_its_largest_part() -> None:
    """What does not fit goes, and `trimmed` names it; the event is not lost."""
    body = {
        **PUSH,
        "commits": [{"id": "1" * 40, "message": "m" * 500, "added": [f"{n}" * 50 for n in range(200)]}] * 150,
    }
    (event,) = github("push", body, max_event_bytes=10_000)
    assert event["data"]["trimmed"] == ["commits"]
    assert event["data"]["ref"] == "refs/heads/main"


def test_a_push_of_many_files_keeps_every_commit() -> None:
    """What is too large loses files first, and says how many: each commit is still there to be suspected."""
    commits = [
        {**PUSH["commits"][0], "id": f"{n:040x}", "message": f"Change {n}\n\n" + "m" * 400,
         "added": [f"some/folder/of/{n}/{m}.py" for m in range(150)], "removed": [], "modified": []}
        for n in range(COMMITS_MAX)
    ]  # fmt: skip
    (event,) = github("push", {**PUSH, "commits": commits})
    data = event["data"]
    assert [each["sha"] for each in data["commits"]] == [each["id"] for each in commits]
    assert data["trimmed"] == ["commits.files", "commits.message"]
    for n, each in enumerate(data["commits"]):
        assert each["message"] == f"Change {n}"
        assert each["files"] == commits[n]["added"][: len(each["files"])]
        assert 0 < len(each["files"]) == 150 - each["files_omitted"]
    assert len(orjson.dumps(event)) <= Bounds().max_event_bytes


def test_endpoint_says_otherwise() -> None:
    """An endpoint may name the project and other types and severities."""
    defaults = SentryDefaults(
        project="shop", types={"github.push": "push"}, severities={"firing": "debug", "critical": "info"}
    )
    (event,) = github("push", PUSH, defaults=defaults)
    assert (event["type"], event["project"]) == ("push", "shop")
    assert decoded(AlertmanagerDecoder(), GROUP, defaults=defaults)[0]["severity"] == "info"


def test_alerts() -> None:
    """Each alert is an event with its labels; what is repeated has the same id, its end another one."""
    ended = {**ALERT, "status": "resolved", "endsAt": "2026-11-20T23:00:00Z"}
    firing, again, resolved = decoded(AlertmanagerDecoder(), {**GROUP, "alerts": [ALERT, ALERT, ended]})
    assert (firing["type"], firing["severity"], firing["key"]) == (
        "alertmanager.alert.firing",
        "critical",
        "fac0861a85de433a",
    )
    assert (firing["environment"], firing["message"], firing["labels"]["alertname"]) == (
        "prod",
        "5xx > 5%",
        "HighErrorRate",
    )
    assert (firing["id"], firing["id"] == resolved["id"]) == (again["id"], False)
    assert (resolved["type"], resolved["time"]) == ("alertmanager.alert.resolved", "2026-11-20T23:00:00Z")
    assert "ends_at" not in firing["data"]
    assert firing["data"]["receiver"] == "my.team"


def test_grafana() -> None:
    """Grafana's alerts bring their panel and values."""
    alert = {**ALERT, "values": {"B": 7.5}, "panelURL": "http://g/p", "valueString": ""}
    (event,) = decoded(GrafanaDecoder(), {**GROUP, "version": "1", "orgId": 1, "alerts": [alert]})
    assert event["type"] == "grafana.alert.firing"
    assert (event["data"]["values"], event["data"]["panel_url"], event["data"]["org_id"]) == (
        {"B": 7.5},
        "http://g/p",
        "1",
    )


@pytest.mark.parametrize("decoder", [AlertmanagerDecoder(), GrafanaDecoder()], ids=lambda decoder: decoder.source)
def test_how_many_alerts_a_group_may_have(decoder: WebhookDecoder) -> None:
    """More than a body of events may hold, since who sends groups does not send a refused one again; or so many as that."""
    few = [{"status": "firing", "labels": {"n": f"{n}"}} for n in range(ALERTS_MAX + 1)]
    assert len(decoded(decoder, {"alerts": few[:-1]}, max_events=10)) == ALERTS_MAX
    with pytest.raises(TooLargeError, match="/alerts: the group has 5001 alerts, at most 5000 are accepted"):
        decoded(decoder, {"alerts": few}, max_events=10)
    assert len(decoded(decoder, {"alerts": few}, max_events=ALERTS_MAX + 1)) == ALERTS_MAX + 1


@pytest.mark.parametrize("decoder", [AlertmanagerDecoder(), GrafanaDecoder()], ids=lambda decoder: decoder.source)
def test_an_alert_with_more_than_is_kept_says_so(decoder: WebhookDecoder) -> None:
    """So many labels and annotations, and not one more without a word."""
    at, beyond = ({f"n{n}": "x" for n in range(most)} for most in (64, 65))
    alerts = [{**ALERT, "labels": labels, "annotations": notes} for labels, notes in ((at, at), (beyond, beyond))]
    whole, cut = decoded(decoder, {**GROUP, "alerts": alerts})
    assert (len(whole["labels"]), len(whole["data"]["annotations"]), whole["data"].get("trimmed")) == (64, 64, None)
    assert (len(cut["labels"]), len(cut["data"]["annotations"])) == (64, 64)
    assert cut["data"]["trimmed"] == ["annotations", "labels"]
    (cut,) = decoded(decoder, {**GROUP, "alerts": [{**ALERT, "labels": {"a": "x" * 1025}, "annotations": 1}]})
    assert (len(cut["labels"]["a"]), cut["data"]["trimmed"]) == (1024, ["labels"])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/alerts"),
        ({"alerts": {}}, "/alerts"),
        ({"alerts": [1]}, "/alerts/0"),
        ({"alerts": [ALERT, {**ALERT, "status": "new"}]}, "/alerts/1/status"),
        ({"alerts": [{**ALERT, "labels": None}]}, "/alerts/0/labels"),
    ],
)
def test_what_is_no_group_is_refused_by_its_place(body: Any, pointer: str) -> None:
    """A custom payload that does not read as alerts is refused, and says where."""
    with pytest.raises(DecodeError) as caught:
        decoded(AlertmanagerDecoder(), body)
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_incident() -> None:
    """A report becomes an error in the common layout, the crash frame last, with its change window; a repeat is the same."""
    defaults = SentryDefaults(issue_key=lambda project, data, labels: fingerprint_of(data, labels))
    (event,) = decoded(IncidentDecoder(), INCIDENT, defaults=defaults)
    assert (event["type"], event["project"], event["environment"], event["severity"]) == (
        "incident.reported",
        "api",
        "prod",
        "error",
    )
    frames = event["data"]["exception"]["values"][-1]["stacktrace"]["frames"]
    assert [frame["filename"] for frame in frames] == ["src/auth.ts", "src/handler.ts"]
    assert event["data"]["change_window"]["commits"][0]["files"] == ["src/handler.ts"]
    assert event["url"] == "https://sentry.io/issues/12345"
    assert event["key"] == fingerprint_of(event["data"], event["labels"])
    assert decoded(IncidentDecoder(), INCIDENT)[0]["id"] == event["id"]
    assert decoded(IncidentDecoder(), {**INCIDENT, "message": "other"})[0]["id"] != event["id"]


@pytest.mark.parametrize("word", ["warn", "ERR", "Fatal", "crit", "warning"])
def test_incident_severities(word: str) -> None:
    """Severity words are read in any case, the short ones too."""
    wanted = {"warn": "warning", "warning": "warning", "err": "error", "fatal": "critical", "crit": "critical"}
    assert decoded(IncidentDecoder(), {**INCIDENT, "severity": word})[0]["severity"] == wanted[word.lower()]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        *(({name: None}, f"/{name}") for name in TEXTS),
        *(({name: "x" * (most + 1)}, f"/{name}") for name, most in TEXTS.items()),
        ({"severity": "bad"}, "/severity"),
        ({"timestamp": "yesterday"}, "/timestamp"),
        ({"stacktrace": []}, "/stacktrace"),
        ({"stacktrace": [{"file": "x"}] * (FRAMES_MAX + 1)}, "/stacktrace"),
        ({"stacktrace": [{"file": "x", "line": 0}]}, "/stacktrace/0/line"),
        ({"stacktrace": [{"function": "f"}]}, "/stacktrace/0/file"),
        ({"tags": {"a": 1}}, "/tags/a"),
        ({"tags": {"n" * 129: "a"}}, "/tags"),
        ({"links": {"n" * 129: "https://a.example"}}, "/links"),
        ({"change_window": {"deploy_time": "x", "commits": []}}, "/change_window/deploy_time"),
        (
            {"change_window": {"deploy_time": INCIDENT["timestamp"], "commits": [{"files": []}]}},
            "/change_window/commits/0/id",
        ),
        (
            {"change_window": {"deploy_time": INCIDENT["timestamp"], "commits": [{"id": "a", "files": [1]}]}},
            "/change_window/commits/0/files",
        ),
    ],
)
def test_a_bad_report_names_the_place(change: dict[str, Any], pointer: str) -> None:
    """Each rule is told by its place; at the bound a report is taken."""
    with pytest.raises(DecodeError) as caught:
        decoded(IncidentDecoder(), {**INCIDENT, **change})
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_a_report_at_its_bounds_is_taken() -> None:
    """So many frames and characters and not one more."""
    assert decoded(
        IncidentDecoder(), {**INCIDENT, "stacktrace": [{"file": "x"}] * FRAMES_MAX, "message": "m" * TEXTS["message"]}
    )
    (event,) = decoded(IncidentDecoder(), {**INCIDENT, "tags": {"n" * 128: "v" * 512}})
    assert event["labels"] == {"n" * 128: "v" * 512}


def test_a_large_window_keeps_what_may_have_done_it() -> None:
    """Within its bounds a window is never lost whole: files go, those that are named as files of the stack last."""
    commits = [{"id": f"c{n}", "files": [f"some/folder/of/{n}/{m}.py" for m in range(300)]} for n in range(100)]
    commits[7]["files"] += ["src/handler.ts"]
    (event,) = decoded(
        IncidentDecoder(), {**INCIDENT, "change_window": {"deploy_time": "2025-01-15T10:00:00Z", "commits": commits}}
    )
    kept = event["data"]["change_window"]["commits"]
    assert event["data"]["trimmed"] == ["change_window.commits.files"]
    assert [each["id"] for each in kept] == [each["id"] for each in commits]
    assert kept[7]["files"][0] == "src/handler.ts"
    assert all(len(each["files"]) + each["files_omitted"] == 300 + (n == 7) for n, each in enumerate(kept))
    assert event["data"]["exception"]["type"] == INCIDENT["exception_type"]


def digest(secret: str, body: bytes) -> str:
    """The hexadecimal HMAC-SHA256 of a body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


SIGNED: list[tuple[WebhookDecoder, str, Any]] = [
    (GithubDecoder(), "X-Hub-Signature-256", lambda secret, body: f"sha256={digest(secret, body)}"),
    (GrafanaDecoder(), "X-Grafana-Alerting-Signature", digest),
    (AlertmanagerDecoder(), "Authorization", lambda secret, body: f"Bearer {secret}"),
    (IncidentDecoder(), "X-Incident-Webhook-Secret", lambda secret, body: secret),
]


@pytest.mark.parametrize(("decoder", "header", "sign"), SIGNED, ids=lambda x: getattr(x, "source", ""))
def test_signatures(decoder: WebhookDecoder, header: str, sign: Any) -> None:
    """The right one passes; a wrong secret, another body where the body is signed, none, and what is no text do not."""
    body = b'{"version":"1","title":"[FIRING:1]"}'
    right = sign("s3cr3t", body)

    def check(value: str | None, signed: bytes = body, secret: str = "s3cr3t") -> bool:  # noqa: S107 - a test
        return decoder.is_signed(
            WebhookRequest({} if value is None else {header: value}, signed, signed), secret, NOW_MS
        )

    assert check(right)
    assert not any(check(bad) for bad in (None, "", right[:-1], right + "0", "\udcff", sign("other", body)))
    if sign("s3cr3t", b"other") != right:
        assert not check(right, body + b" ")


def test_vendors_vectors() -> None:
    """The vendors' own published examples."""
    request = WebhookRequest(
        {"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
        b"Hello, World!",
        b"",
    )
    assert GithubDecoder().is_signed(request, "It's a Secret to Everybody", NOW_MS)
    body = b'{"version":"1","title":"[FIRING:1]"}'
    plain = {"X-Grafana-Alerting-Signature": "f7784a537b6ed22f93e9a9511f7ec8f0ee1ed24404bb05e7760ff32e5392f15c"}
    assert GrafanaDecoder().is_signed(WebhookRequest(plain, body, b""), "grafana-secret", NOW_MS)
    stamped = {
        "X-Grafana-Alerting-Signature": "d7f52538cafbbab51a3f2f2cd3c30780f2f2d5a6597f0a6213c46d0e5be5b6c1",
        "X-Grafana-Alerting-Timestamp": "1700000000",
    }
    at = 1_700_000_000_000
    for skew, accepted in ((0, True), (SKEW_SECONDS, True), (SKEW_SECONDS + 1, False), (-SKEW_SECONDS - 1, False)):
        signed = GrafanaDecoder().is_signed(WebhookRequest(stamped, body, b""), "grafana-secret", at + skew * 1000)
        assert signed is accepted


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.source)
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_only_its_own_error(decoder: WebhookDecoder, data: st.DataObject) -> None:
    """Whatever comes, good bodies with parts of any shape or any bytes: events, or the decoder's own error."""
    good: dict[str, Any] = data.draw(st.sampled_from([PUSH, GROUP, INCIDENT]))
    changed = {name: data.draw(st.one_of(st.just(value), JSON)) for name, value in good.items()}
    value = data.draw(st.one_of(st.just(changed), JSON))
    body = data.draw(st.one_of(st.binary(max_size=50), st.just(json.dumps(value).encode())))
    headers = {
        "X-GitHub-Event": data.draw(st.sampled_from(["push", "deployment_status", "release", "workflow_run", "issues"]))
    }
    with suppress(DecodeError):
        decoded(decoder, body, headers)


def test_kafka_values() -> None:
    """The same formats as values of a topic, by its format or, for GitHub, by its header; a ping is no event there."""
    context = Context("default", NOW_MS, frozenset({"default"}))
    headers = [("X-GitHub-Event", b"push"), ("X-GitHub-Delivery", GUID.encode())]
    for form in ("github", "auto"):
        assert decode_kafka(form, headers, orjson.dumps(PUSH), context).id == GUID
    for form in ("incidents", "auto"):
        event = decode_kafka(form, [], orjson.dumps(INCIDENT), context)  # type: ignore[arg-type]  # forms are texts here
        assert (event.type, event.key) == ("incident.reported", fingerprint_of(event.body["data"]))
    with pytest.raises(DecodeError, match="/stacktrace: expected at least one frame"):
        decode_kafka("auto", [], orjson.dumps({**INCIDENT, "stacktrace": []}), context)
    with pytest.raises(DecodeError, match="/service: unknown field"):
        decode_kafka("auto", [], orjson.dumps({**INCIDENT, "type": "x"}), context)
    with pytest.raises(NoEventError, match="no event"):
        decode_kafka("github", [("X-GitHub-Event", b"ping")], b"{}", context)


def test_a_report_with_a_huge_stack_keeps_the_calls_next_to_the_crash() -> None:
    """Its key is that of the whole stack, and what was left out is named beside what else was."""
    frames = [{"file": f"src/{n}{'x' * 900}.ts", "function": "f" * 500} for n in range(FRAMES_MAX)]
    files = [f"{n}{'y' * 1000}" for n in range(400)]
    commits = [{"id": f"{n}", "timestamp": "2025-01-15T09:50:00Z", "files": files} for n in range(3)]
    window = {"deploy_time": "2025-01-15T10:00:00Z", "commits": commits}
    by_stack = SentryDefaults(issue_key=lambda _project, data, tags: fingerprint_of(data, tags))
    (event,) = decoded(
        IncidentDecoder(), {**INCIDENT, "stacktrace": frames, "change_window": window}, defaults=by_stack
    )
    kept = event["data"]["exception"]["values"][0]["stacktrace"]["frames"]
    assert [frame["filename"] for frame in kept] == [frame["file"] for frame in frames[:20]][::-1]
    assert event["data"]["trimmed"] == ["change_window.commits.files", "exception.values.stacktrace.frames"]
    (few,) = decoded(IncidentDecoder(), {**INCIDENT, "stacktrace": frames[:5]}, defaults=by_stack)
    assert event["key"] == few["key"]
    assert "trimmed" not in few["data"]


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.source)
def test_depth_and_size(decoder: WebhookDecoder) -> None:
    """Ten thousand levels are refused at once, and a body beyond the bound; time grows with the size alone."""
    headers = {"X-GitHub-Event": "push"}
    for deep in (b"[" * 10_000, b'{"a":' * 10_000, b'{"alerts":' + b"[" * 900 + b"]" * 900 + b"}"):
        with pytest.raises(DecodeError):
            decoded(decoder, deep, headers)
    with pytest.raises(DecodeError):
        decoded(decoder, PUSH, headers, max_body_bytes=100)
    large = {**PUSH, "commits": [PUSH["commits"][0]] * 2048}
    assert cpu_seconds(lambda: decoded(GithubDecoder(), large, headers)) < 2


def test_the_documented_report_is_taken() -> None:
    """`docs/sending.md` shows a whole report, and says which of its members may be left out."""
    page = (Path(__file__).parents[3] / "docs/sending.md").read_text()
    shown = orjson.loads(page.partition("reports an incident as this")[2].partition("```json\n")[2].partition("```")[0])
    (event,) = decoded(IncidentDecoder(), shown)
    assert (event["type"], event["project"], event["url"]) == (
        "incident.reported",
        "shop",
        "https://shop.example/errors/42",
    )
    assert event["data"]["change_window"]["commits"][0]["files"] == ["src/cart.ts"]
    optional = {"tags", "links", "change_window"}
    for name in shown:
        rest = {each: value for each, value in shown.items() if each != name}
        if name in optional:
            assert decoded(IncidentDecoder(), rest)
        else:
            with pytest.raises(DecodeError, match=f"/{name}"):
                decoded(IncidentDecoder(), rest)
    assert decoded(IncidentDecoder(), {**shown, "stacktrace": [{"file": call["file"]} for call in shown["stacktrace"]]})
