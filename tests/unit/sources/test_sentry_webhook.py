"""Webhooks of Sentry: what each resource becomes, and what is refused or ignored."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import orjson
import pytest

from alertd.errors import DecodeError, NotJsonError, TooLargeError
from alertd.model.event import Bounds
from alertd.sources.sentry_defaults import SentryDefaults
from alertd.sources.sentry_hook import IncompleteError
from alertd.sources.sentry_webhook import decode_value, decode_webhook
from tests.unit.sources.sentry_samples import (
    COMMENT,
    CONTEXT,
    ERROR,
    EVENT_ID,
    INSTALLATION,
    ISSUE,
    NOW,
    OTHER_ID,
    alert,
    hook,
    issue,
    metric_alert,
    refused,
    webhook,
)


def test_an_issue_alert() -> None:
    """The event of an issue alert: type, severity, link, project, environment and issue are those of the contract."""
    body = webhook(alert(), "event_alert")
    data = body.pop("data")
    assert body == {
        "id": EVENT_ID,
        "type": "sentry.error",
        "workspace": "default",
        "project": "front-end",
        "environment": "production",
        "source": "sentry",
        "severity": "error",
        "time": "2019-08-19T21:06:17.677Z",
        "key": "1117540176",
        "message": "heck is not defined",
        "url": ERROR["web_url"],
        "labels": {"environment": "production", "level": "error", "user": "ip:192.0.2.7"},
    }
    assert data["title"] == "ReferenceError: heck is not defined"
    assert data["sentry"] == {
        "resource": "event_alert",
        "issue_id": "1117540176",
        "issue_url": ERROR["issue_url"],
        "project_id": "1",
        "organization": "test-org",
        "triggered_rule": "Very Important Alert Rule!",
    }
    (raised,) = data["exception"]["values"]
    assert (data["exception"]["type"], data["exception"]["value"]) == ("ReferenceError", "heck is not defined")
    assert raised["stacktrace"]["frames"][-1] == {
        "filename": "/app/checkout.js",
        "module": "app/checkout",
        "function": "total",
        "lineno": 17,
        "colno": 5,
        "in_app": True,
        "context_line": "  return heck;",
        "pre_context": ["function total() {"],
        "post_context": ["}"],
    }


def test_secrets_are_not_kept() -> None:
    """Values of variables, cookies, headers and queries never reach the event."""
    event = decode_webhook(orjson.dumps(alert()), "event_alert", CONTEXT)[0]
    for secret in (b"hunter2", b"session=1", b"4111"):
        assert secret not in event.payload


def test_the_two_of_one_error_are_one_event() -> None:
    """What comes as `error` and as `event_alert` has one id, with dashes, in capitals or malformed too."""
    for event_id in (EVENT_ID, EVENT_ID.upper(), "e4874d66-4c35-40c1-a32e-ab185f12c5ab", "of-another-kind"):
        event = ERROR | {"event_id": event_id}
        first = webhook(hook("created", error=event), "error")
        second = webhook(hook("triggered", event=event, triggered_rule="r"), "event_alert")
        assert first["id"] == second["id"]
        assert first["type"] == second["type"] == "sentry.error"
    assert first["id"] != EVENT_ID


def test_an_event_without_an_id_is_told_by_its_bytes() -> None:
    """Without an id the same body is the same event, and another body another one."""
    without = {name: value for name, value in ERROR.items() if name != "event_id"}
    one, same, other = (
        webhook(hook("triggered", event=event), None) for event in (without, without, without | {"x": 1})
    )
    assert one["id"] == same["id"] != other["id"]
    assert len(one["id"]) == 32


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        ("fatal", "critical"),
        ("error", "error"),
        ("warning", "warning"),
        ("info", "info"),
        ("debug", "debug"),
        ("log", "info"),
        ("WARNING", "warning"),
        ("sample", "error"),
        (None, "error"),
        (5, "error"),
    ],
)
def test_levels_are_severities(level: Any, severity: str) -> None:
    """Each level has its severity; what is no level counts as an error."""
    body = webhook(alert(level=level, tags=[]), "event_alert")
    assert body["severity"] == severity


def test_without_an_exception_it_is_a_message() -> None:
    """An event without exception is a `sentry.message` whose text is the message, else the title."""
    logged = {"formatted": "Order 17 failed", "message": "Order %s failed", "params": [17]}
    body = webhook(alert(exception=None, logentry=logged, title="Order 17 failed"), "event_alert")
    assert (body["type"], body["message"]) == ("sentry.message", "Order 17 failed")
    assert body["data"]["logentry"] == logged
    bare = webhook(alert(exception={"values": []}, title="Something"), "event_alert")
    assert (bare["type"], bare["message"]) == ("sentry.message", "Something")


def test_an_exception_without_a_value_is_told_by_its_title() -> None:
    """Where the raised exception says nothing, the title is the message."""
    body = webhook(alert(exception={"values": [{"type": "Oops"}]}, title="Oops: something"), "event_alert")
    assert body["message"] == "Oops: something"


def test_the_raised_exception_counts() -> None:
    """Of a chain the last one is the raised one: its type and value are those of the event."""
    chain = [{"type": "KeyError", "value": "'sku'"}, {"type": "ValueError", "value": "no such thing", "module": "shop"}]
    body = webhook(alert(exception={"values": chain}), "event_alert")
    assert body["message"] == "no such thing"
    assert body["data"]["exception"] == {
        "type": "ValueError",
        "value": "no such thing",
        "module": "shop",
        "values": chain,
    }


@pytest.mark.parametrize(
    ("changes", "environment"),
    [
        ({"tags": [["environment", "prod"]]}, "prod"),
        ({"tags": {"environment": "prod"}}, "prod"),
        ({"tags": [], "environment": "staging"}, "staging"),
        ({"tags": [["environment", "prod"]], "environment": "staging"}, "staging"),
        ({"tags": [], "environment": None}, None),
        ({"tags": None}, None),
        ({"tags": [["environment", ""]]}, None),
        ({"tags": [["environment", "a\tb" + "c" * 200]]}, "a b" + "c" * 124 + "…"),
    ],
)
def test_the_environment(changes: dict[str, Any], environment: str | None) -> None:
    """The environment is taken from the event or its tags, mended where it must be."""
    body = webhook(alert(**changes), "event_alert")
    assert body.get("environment") == environment


def test_the_project() -> None:
    """The project is the endpoint's, else the slug in the links, else its number."""
    bodies = [
        webhook(alert(), "event_alert", SentryDefaults(project="shop")),
        webhook(alert(), "event_alert"),
        webhook(alert(url=None), "event_alert"),
        webhook(alert(url=None, project=None), "event_alert"),
    ]
    assert [body.get("project") for body in bodies] == ["shop", "front-end", "1", None]


def test_links_are_links() -> None:
    """Only what a browser may follow becomes the link, and only where it is not too long."""
    for url in ("javascript:alert(1)", "", None, 5, "https://x/" + "a" * 2039):
        body = webhook(alert(web_url=url), "event_alert")
        assert "url" not in body
    at_bound = "https://x/" + "a" * 2038
    body = webhook(alert(web_url=at_bound), "event_alert")
    assert body["url"] == at_bound


def test_times() -> None:
    """The time is the event's in any of its forms, else that of arrival."""
    cases: list[tuple[dict[str, Any], str]] = [
        ({"timestamp": 1566248777.677}, "2019-08-19T21:06:17.677Z"),
        ({"timestamp": None}, "2019-08-19T21:06:17.677000Z"),
        ({"timestamp": "2019-08-19T21:06:17"}, "2019-08-19T21:06:17Z"),
        ({"timestamp": 1e300, "datetime": "soon"}, NOW),
        ({"timestamp": -1, "datetime": None}, NOW),
    ]
    for changes, time in cases:
        body = webhook(alert(**changes), "event_alert")
        assert body["time"] == time


@pytest.mark.parametrize("resource", ["event_alert", "Event_Alert ", None, ""])
@pytest.mark.parametrize(
    "value",
    [
        {},
        {"action": "test", "installation": {"uuid": "test"}},
        {"action": "triggered", "data": {}},
        {"action": "triggered", "data": {"event": {}}},
        {"action": "triggered", "data": {"event": None}},
        {"action": "triggered", "data": {"event": "x"}},
        {"action": "triggered", "data": {"event": []}},
        {"action": "triggered", "data": []},
        {"action": "created", "data": {"issue": ISSUE}},
    ],
)
def test_a_missing_event_is_named(value: Any, resource: str | None) -> None:
    """As an issue alert, or without the header, a missing or empty `data.event` is refused and says so."""
    problems = refused(lambda: webhook(value, resource), IncompleteError)
    assert set(problems) == {"/data/event"}
    assert "is required" in problems["/data/event"]


@pytest.mark.parametrize(
    ("resource", "pointer"),
    [("error", "/data/error"), ("issue", "/data/issue"), ("metric_alert", "/data/metric_alert"), ("comment", "/data")],
)
def test_what_a_resource_is_about_is_required(resource: str, pointer: str) -> None:
    """Every resource names what it lacks; only a body without `data` whose action is `test` asks for nothing."""
    assert set(refused(lambda: webhook({"action": "created"}, resource), IncompleteError)) == {pointer}
    assert set(refused(lambda: webhook({"action": "created", "data": {}}, resource), IncompleteError)) == {pointer}
    assert decode_webhook(b'{"action":"test","installation":{"uuid":"test"}}', resource, CONTEXT) == []


def test_an_incomplete_body_answers_400() -> None:
    """What is missing belongs to the errors that HTTP answers with 400."""
    assert issubclass(IncompleteError, NotJsonError)


@pytest.mark.parametrize(
    ("resource", "body", "pointer"),
    [
        ("issue", hook("created", issue=ISSUE | {"id": None}), "/data/issue/id"),
        ("issue", hook("created", issue=ISSUE | {"id": "a b"}), "/data/issue/id"),
        ("issue", hook("Cre ated", issue=ISSUE), "/action"),
        ("issue", hook("a" * 65, issue=ISSUE), "/action"),
        ("issue", {"data": {"issue": ISSUE}}, "/action"),
        ("metric_alert", metric_alert("critical", id={}), "/data/metric_alert/id"),
        ("comment", hook("created", **COMMENT | {"comment_id": None}), "/data/comment_id"),
        ("comment", hook("created", **COMMENT | {"issue_id": True}), "/data/issue_id"),
    ],
)
def test_bad_fields_are_named(resource: str, body: dict[str, Any], pointer: str) -> None:
    """What cannot be an id or an action is named by its pointer."""
    assert set(refused(lambda: webhook(body, resource))) == {pointer}


@pytest.mark.parametrize("value", [[], "x", 5, None, True])
def test_a_body_is_an_object(value: Any) -> None:
    """JSON that is no object is refused."""
    assert set(refused(lambda: webhook(value, "issue"), NotJsonError)) == {""}


def test_a_body_that_is_not_json() -> None:
    """Bytes that are not JSON are refused with the place."""
    with pytest.raises(NotJsonError, match=r"not JSON: .* at line 1, column"):
        decode_webhook(b'{"data":', "event_alert", CONTEXT)


def test_the_bound_of_a_body() -> None:
    """A body is read at its bound and refused beyond it."""
    raw = orjson.dumps(alert())
    at_bound = replace(CONTEXT, bounds=Bounds(max_body_bytes=len(raw)))
    assert decode_webhook(raw, "event_alert", at_bound)
    with pytest.raises(TooLargeError):
        decode_webhook(raw + b" ", "event_alert", at_bound)


def test_a_half_character_loses_no_error() -> None:
    """A text that was cut inside a character is mended, not refused."""
    raw = orjson.dumps(alert(title="TITLE")).replace(b"TITLE", rb"cut \ud83d")
    (event,) = decode_webhook(raw, "event_alert", CONTEXT)
    assert event.body["data"]["title"] == "cut \ufffd"


@pytest.mark.parametrize("resource", ["installation", "activity_alert", "seer", "preprod_artifact", "x" * 1000, "ü"])
def test_other_resources_are_acknowledged(resource: str) -> None:
    """An installation, and what is not known, is taken and becomes nothing."""
    body = {
        "action": "created",
        "data": {"installation": {"status": "pending", "code": "x"}},
        "installation": INSTALLATION,
    }
    assert decode_webhook(orjson.dumps(body), resource, CONTEXT) == []


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("created", "sentry.issue.created"),
        ("resolved", "sentry.issue.resolved"),
        ("assigned", "sentry.issue.assigned"),
        ("archived", "sentry.issue.archived"),
        ("ignored", "sentry.issue.archived"),
        ("unresolved", "sentry.issue.unresolved"),
    ],
)
def test_each_action_of_an_issue(action: str, kind: str) -> None:
    """Each action is a type; the older word for archived is the same one."""
    body = webhook(issue(action), "issue")
    assert body["type"] == kind


def test_an_issue() -> None:
    """The event of an issue carries its link, short id, status and substatus."""
    body = webhook(issue("created"), "issue")
    assert body == {
        "id": "sentry.issue.created:1234567890:de3fed7f9384d6009cf9bbbcd74ae1c3",
        "type": "sentry.issue.created",
        "workspace": "default",
        "project": "shop",
        "source": "sentry",
        "severity": "critical",
        "time": "2025-11-10T20:56:00.679000+00:00",
        "key": "1234567890",
        "message": "KeyError: 'sku'",
        "url": ISSUE["permalink"],
        "labels": {
            "status": "unresolved",
            "substatus": "new",
            "level": "fatal",
            "priority": "high",
            "platform": "python",
            "short_id": "SHOP-Y",
        },
        "data": {
            "action": "created",
            "issue_id": "1234567890",
            "level": "fatal",
            "short_id": "SHOP-Y",
            "title": "KeyError: 'sku'",
            "culprit": "shop.cart in checkout",
            "status": "unresolved",
            "substatus": "new",
            "platform": "python",
            "priority": "high",
            "type": "error",
            "category": "error",
            "first_seen": ISSUE["firstSeen"],
            "last_seen": ISSUE["lastSeen"],
            "permalink": ISSUE["permalink"],
            "event_count": 3,
            "user_count": 2,
            "handled": False,
            "metadata": {"type": "KeyError", "value": "'sku'"},
            "actor": {"id": "sentry", "name": "Sentry", "type": "application"},
            "project": {"id": "42", "name": "The shop", "slug": "shop"},
        },
    }


def test_details_of_an_issue() -> None:
    """Who it was given to, how it was resolved and until when it is archived is kept."""
    assigned = webhook(
        hook("assigned", issue=ISSUE, assignee={"type": "user", "name": "Ann", "id": 7, "email": "x"}), "issue"
    )
    assert assigned["data"]["assignee"] == {"type": "user", "id": "7", "name": "Ann"}
    resolved = webhook(
        hook("resolved", issue=ISSUE | {"statusDetails": {"inRelease": "1.2"}}, resolution_type="in_release"), "issue"
    )
    assert resolved["data"]["resolution_type"] == "in_release"
    assert resolved["data"]["status_details"] == {"in_release": "1.2"}
    archived = webhook(issue("archived", statusDetails={"ignoreCount": 5, "ignoreUserCount": None, "x": 1}), "issue")
    assert archived["data"]["status_details"] == {"ignore_count": 5}
    bare = webhook(hook("resolved", issue={"id": 7}), "issue")
    assert bare["data"] == {"action": "resolved", "issue_id": "7", "level": "error", "actor": assigned["data"]["actor"]}
    assert bare["message"] == "issue 7"


def test_an_issue_again() -> None:
    """The same bytes are the same event; what becomes of the issue later is another, but it is created only once."""
    first, again, later = (webhook(issue("resolved", count=count), "issue") for count in ("3", "3", "4"))
    assert first["id"] == again["id"] != later["id"]
    made = [webhook(issue("created", count=count), "issue") for count in ("3", "4")]
    assert len({body["id"] for body in made}) == 1


def test_the_same_number_in_another_sentry() -> None:
    """Two installations count alike: what one calls 1 is none of the other's. By two integrations of one Sentry it is one."""
    own = issue("created")
    others = [
        issue("created", permalink="https://sentry.example.com/organizations/sentry/issues/1234567890/"),
        issue("created", firstSeen="2025-11-10T20:56:00.680000+00:00"),
        issue("created", firstSeen=None, permalink=None),
    ]
    ids = [webhook(each, "issue")["id"] for each in (own, *others)]
    assert len({*ids}) == len(ids)
    assert webhook(own | {"installation": {"uuid": "x"}}, "issue")["id"] == ids[0]
    for action in ("created", "deleted"):
        given = [COMMENT, COMMENT | {"timestamp": NOW}, COMMENT | {"issue_id": 9}, COMMENT | {"project_slug": "x"}]
        ids = [webhook(hook(action, **each), "comment")["id"] for each in given]
        assert len({*ids}) == len(ids)
        assert webhook(hook(action, **COMMENT) | {"installation": {"uuid": "x"}}, "comment")["id"] == ids[0]


def test_an_issue_again_without_a_difference() -> None:
    """Resolved, reopened and resolved again looks the same: when it was sent tells. What is no time tells nothing."""

    def id_of(action: str, sent_at: str | None) -> str:
        return decode_webhook(orjson.dumps(issue(action)), "issue", CONTEXT, sent_at=sent_at)[0].id

    first, again, later = (id_of("resolved", at) for at in ("1778112000", " 1778112000", "1778112001"))
    assert first == again != later
    unsaid = id_of("resolved", None)
    assert [id_of("resolved", at) == unsaid for at in ("", "soon", "1" * 21, "1" * 20, "-1")] == [
        True,
        True,
        True,
        False,
        True,
    ]
    assert id_of("created", "1") == id_of("created", "2")


@pytest.mark.parametrize(
    ("action", "severity", "time"),
    [
        ("critical", "critical", "2020-09-13T12:27:40.000000Z"),
        ("warning", "warning", "2020-09-13T12:27:40.000000Z"),
        ("open", "warning", "2020-09-13T12:27:40.000000Z"),
        ("resolved", "info", NOW),
    ],
)
def test_a_metric_alert(action: str, severity: str, time: str) -> None:
    """A metric alert is a type of its action, with the severity and the beginning of that."""
    body = webhook(metric_alert(action), "metric_alert")
    assert body.pop("id").startswith(f"sentry.metric_alert.{action}:4:")
    assert body == {
        "type": f"sentry.metric_alert.{action}",
        "workspace": "default",
        "project": "shop",
        "environment": "prod",
        "source": "sentry",
        "severity": severity,
        "time": time,
        "key": "4",
        "message": "Critical: Too many errors\n1000 events in the last 10 minutes\nFilter: level:error",
        "url": "https://sentry.io/organizations/baz/alerts/1/",
        "labels": {"action": action, "rule": "Too many errors"},
        "data": {
            "action": action,
            "alert_id": "4",
            "title": "Critical: Too many errors",
            "description": "1000 events in the last 10 minutes\nFilter: level:error",
            "identifier": "1",
            "date_started": "2020-09-13T12:26:40.000000Z",
            "date_detected": "2020-09-13T12:27:40.000000Z",
            "web_url": "https://sentry.io/organizations/baz/alerts/1/",
            "projects": ["shop", "bar"],
            "rule": {
                "id": "7",
                "name": "Too many errors",
                "aggregate": "count()",
                "query": "level:error",
                "dataset": "events",
                "environment": "prod",
                "time_window": 10,
            },
        },
    }


def test_the_end_of_a_metric_alert() -> None:
    """A resolved alert has the time of its end where Sentry says one."""
    body = webhook(metric_alert("resolved", date_closed="2020-09-13T13:00:00Z"), "metric_alert")
    assert body["time"] == "2020-09-13T13:00:00Z"


@pytest.mark.parametrize("action", ["created", "updated", "deleted"])
def test_a_comment(action: str) -> None:
    """A comment is a type of its action, about its issue."""
    body = webhook(hook(action, **COMMENT), "comment")
    assert body.pop("id").startswith(f"sentry.comment.{action}:1234")
    assert body == {
        "type": f"sentry.comment.{action}",
        "workspace": "default",
        "project": "shop",
        "source": "sentry",
        "severity": "info",
        "time": "2022-03-02T21:51:44.118160Z",
        "key": "100",
        "message": "adding a comment",
        "data": {
            "action": action,
            "comment_id": "1234",
            "issue_id": "100",
            "comment": "adding a comment",
            "actor": {"id": "sentry", "name": "Sentry", "type": "application"},
        },
    }


LEGACY = {
    "id": "1117540176",
    "project": "front-end",
    "project_name": "Front End",
    "project_slug": "front-end",
    "logger": None,
    "level": "warning",
    "culprit": "raven.scripts.runner in main",
    "message": "This is an example",
    "url": "https://sentry.io/organizations/test-org/issues/1117540176/?referrer=webhooks_plugin",
    "triggering_rules": ["Send a notification for new issues"],
    "event": {"event_id": EVENT_ID, "tags": [["environment", "prod"]], "timestamp": 1566248777.677, "id": EVENT_ID},
}


def test_the_legacy_plugin() -> None:
    """A flat body of the older plugin is an event as well, its parts gathered from in and beside the event."""
    body = webhook(LEGACY, None)
    assert {
        name: body[name] for name in ("id", "type", "project", "environment", "severity", "key", "message", "url")
    } == {
        "id": EVENT_ID,
        "type": "sentry.message",
        "project": "front-end",
        "environment": "prod",
        "severity": "warning",
        "key": "1117540176",
        "message": "This is an example",
        "url": LEGACY["url"],
    }
    assert body["data"]["culprit"] == "raven.scripts.runner in main"
    assert body["data"]["sentry"]["triggered_rule"] == "Send a notification for new issues"
    assert set(refused(lambda: webhook(LEGACY | {"event": "x"}, None), IncompleteError)) == {"/event"}
    assert set(refused(lambda: webhook(LEGACY | {"event": {}}, None), IncompleteError)) == {"/data/event"}


def test_names_of_types_and_severities_are_settings() -> None:
    """An endpoint may give each type another name and each level another severity."""
    defaults = SentryDefaults(types={"sentry.error": "app:crashed"}, severities={"error": "warning"})
    body = webhook(alert(), "event_alert", defaults)
    assert (body["type"], body["severity"]) == ("app:crashed", "warning")
    other = webhook(issue("created"), "issue", defaults)
    assert (other["type"], other["severity"]) == ("sentry.issue.created", "critical")


def test_the_environment_of_those_that_name_none() -> None:
    """An endpoint may name the environment of what names none itself."""
    defaults = SentryDefaults(environment="staging")
    assert webhook(alert(), "event_alert", defaults)["environment"] == "production"
    assert webhook(alert(tags=[]), "event_alert", defaults)["environment"] == "staging"
    assert webhook(issue("created"), "issue", defaults)["environment"] == "staging"
    assert webhook(metric_alert("open"), "metric_alert", defaults)["environment"] == "prod"
    assert webhook(metric_alert("open", alert_rule={}), "metric_alert", defaults)["environment"] == "staging"
    assert webhook(hook("created", **COMMENT), "comment", defaults)["environment"] == "staging"


def test_a_value_without_headers_is_told_by_its_members() -> None:
    """From a Kafka topic the resource is read from `data`."""
    bodies = {
        "sentry.error": alert(),
        "sentry.issue.resolved": issue("resolved"),
        "sentry.metric_alert.critical": metric_alert("critical"),
        "sentry.comment.created": hook("created", **COMMENT),
    }
    for kind, value in bodies.items():
        (event,) = decode_value(orjson.dumps(value), CONTEXT)
        assert event.type == kind
    (event,) = decode_value(orjson.dumps(hook("created", error=ERROR)), CONTEXT)
    assert event.body["data"]["sentry"]["resource"] == "error"
    assert decode_value(orjson.dumps(hook("created", installation={"uuid": "x"})), CONTEXT) == []
    assert [event.type for event in decode_value(orjson.dumps(LEGACY), CONTEXT)] == ["sentry.message"]
    for raw in (b"{}", b'{"data":{}}', b'{"data":5}'):
        assert set(refused(partial(decode_value, raw, CONTEXT))) == {"/data/event"}


def test_other_ids_are_other_events() -> None:
    """Two errors are never taken for one."""
    one, other = (webhook(alert(event_id=event_id), "event_alert") for event_id in (EVENT_ID, OTHER_ID))
    assert one["id"] != other["id"]


def test_an_event_is_normalised_like_any_other() -> None:
    """What comes out is an event by the rules of native ones."""
    from alertd.sources.native import decode_record  # noqa: PLC0415 - the one place that needs it

    for value, resource in (
        (alert(), "event_alert"),
        (issue("resolved"), "issue"),
        (metric_alert("open"), "metric_alert"),
    ):
        (event,) = decode_webhook(orjson.dumps(value), resource, CONTEXT)
        assert decode_record(event.payload, CONTEXT) == event


def test_an_endless_nest_is_refused() -> None:
    """Ten thousand levels are refused in words."""
    raw = b'{"data":{"event":{"extra":' + b"[" * 10_000 + b"]" * 10_000 + b"}}}"
    with pytest.raises(DecodeError, match="nested deeper"):
        decode_webhook(raw, "event_alert", CONTEXT)
