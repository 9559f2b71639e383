"""What an SDK sends: which items become events, which are counted, and what is refused."""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson
import pytest

from alertd.errors import NotJsonError, TooLargeError
from alertd.sources.sentry_defaults import SentryDefaults
from alertd.sources.sentry_sdk import PAYLOAD_MAX_BYTES, SKIPPED, decode_store
from tests.unit.sources.sentry_samples import CONTEXT, EVENT_ID, NOW, OTHER_ID, envelope, item, received, refused

MINIMAL = (
    b'{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","sent_at":"2026-11-20T22:00:00Z"}\n'
    b'{"type":"event"}\n'
    b'{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","timestamp":"2026-11-20T22:00:00Z","platform":"python",'
    b'"level":"error","exception":{"values":[{"type":"KeyError","value":"\'sku\'"}]}}\n'
)
FEEDBACK: dict[str, Any] = {
    "event_id": EVENT_ID,
    "timestamp": "2011-05-02T17:41:36Z",
    "platform": "javascript",
    "level": "error",
    "environment": "prod",
    "release": "shop@1",
    "tags": {"team": "payments"},
    "contexts": {
        "feedback": {
            "contact_email": "john@example.com",
            "name": "John Smith",
            "message": "I love it",
            "url": "https://shop.example/pay",
            "associated_event_id": "32fd1995636d446385016e2747623e11",
            "replay_id": "82840977e85b4ed3bc27f7b5b25cec15",
        }
    },
}
CHECK_IN: dict[str, Any] = {
    "check_in_id": "83a7c03ed0a04e1b97e2e3b18d38f244",
    "monitor_slug": "nightly",
    "status": "in_progress",
    "duration": 10.5,
    "release": "1.0.0",
    "environment": "production",
    "contexts": {"trace": {"trace_id": "8f431b7aa08441bbbd5a0100fd91f9fe"}},
    "monitor_config": {
        "schedule": {"type": "crontab", "value": "0 * * * *", "own": 1},
        "checkin_margin": 5,
        "max_runtime": 30,
        "timezone": "America/Los_Angeles",
        "own": {},
    },
}
REPORT = {"event_id": EVENT_ID, "email": "john@example.com", "name": "John Me", "comments": "It broke."}


def only(*items: bytes, defaults: SentryDefaults | None = None, **header: Any) -> dict[str, Any]:
    """Decode an envelope that holds one event and return its body."""
    (event,) = received(envelope(*items, **header), defaults or SentryDefaults()).events
    assert orjson.loads(event.payload) == event.body
    return event.body


def test_the_wire_sheets_example() -> None:
    """The minimal envelope becomes the event of the contract, and its id is the answer."""
    got = received(MINIMAL)
    assert got.event_id == OTHER_ID
    assert not got.skipped
    (event,) = got.events
    assert event.body == {
        "id": OTHER_ID,
        "type": "sentry.error",
        "workspace": "default",
        "source": "sentry-sdk",
        "severity": "error",
        "time": "2026-11-20T22:00:00Z",
        "key": "KeyError: 'sku'",
        "message": "'sku'",
        "data": {
            "event_id": OTHER_ID,
            "title": "KeyError: 'sku'",
            "level": "error",
            "platform": "python",
            "exception": {"type": "KeyError", "value": "'sku'", "values": [{"type": "KeyError", "value": "'sku'"}]},
        },
    }


def test_the_project_is_that_of_the_key() -> None:
    """An SDK's event belongs to the project of its key."""
    assert only(item("event", {}), defaults=SentryDefaults(project="shop"))["project"] == "shop"


def test_the_environment_of_those_that_name_none() -> None:
    """What names no environment may be given one."""
    defaults = SentryDefaults(environment="staging")
    for kind, payload in (("event", {}), ("user_report", REPORT), ("feedback", FEEDBACK), ("check_in", CHECK_IN)):
        named = "environment" in payload
        assert (only(item(kind, payload), defaults=defaults)["environment"] == "staging") is not named


def test_the_headers_id_wins() -> None:
    """Of two ids that of the envelope counts; the payload's stands in for a missing one."""
    assert only(item("event", {"event_id": EVENT_ID}))["id"] == OTHER_ID
    got = received(envelope(item("event", {"event_id": EVENT_ID}), event_id=None))
    assert got.event_id == got.events[0].id == EVENT_ID


def test_an_event_needs_an_id() -> None:
    """An event without an id, or with one that is none, is refused."""
    for kind in ("event", "feedback"):
        without = envelope(item(kind, FEEDBACK | {"event_id": None}), event_id=None)
        assert set(refused(partial(received, without), NotJsonError)) == {"/header/event_id"}
    bad = envelope(item("session", {}), item("event", {"event_id": "x"}), event_id=None)
    assert set(refused(lambda: received(bad), NotJsonError)) == {"/items/1/payload/event_id"}


def test_feedback() -> None:
    """What a user says is an event about the error that it names."""
    assert only(item("feedback", FEEDBACK)) == {
        "id": OTHER_ID,
        "type": "sentry.feedback",
        "workspace": "default",
        "environment": "prod",
        "source": "sentry-sdk",
        "severity": "info",
        "time": "2011-05-02T17:41:36Z",
        "key": "32fd1995636d446385016e2747623e11",
        "message": "I love it",
        "url": "https://shop.example/pay",
        "labels": {"team": "payments"},
        "data": {
            "feedback": {
                "message": "I love it",
                "name": "John Smith",
                "url": "https://shop.example/pay",
                "email": "john@example.com",
                "associated_event_id": "32fd1995636d446385016e2747623e11",
                "replay_id": "82840977e85b4ed3bc27f7b5b25cec15",
            },
            "platform": "javascript",
            "release": "shop@1",
            "environment": "prod",
        },
    }
    alone = only(item("feedback", {"contexts": {"feedback": {"message": "m" * 4097}}}))
    assert alone["key"] == OTHER_ID
    assert alone["message"] == "m" * 4095 + "…"
    assert alone["data"]["trimmed"] == ["feedback.message"]


@pytest.mark.parametrize(
    "contexts", [None, [], {}, {"feedback": None}, {"feedback": {}}, {"feedback": {"message": ""}}]
)
def test_feedback_says_something(contexts: Any) -> None:
    """Feedback without a message is refused."""
    body = envelope(item("feedback", {"contexts": contexts}))
    assert set(refused(lambda: received(body))) == {"/items/0/payload/contexts/feedback/message"}


def test_a_user_report() -> None:
    """The older form of feedback is one as well; the header's id is that of the error."""
    body = only(item("user_report", REPORT), event_id=None)
    assert body == {
        "id": f"user_report:{EVENT_ID}",
        "type": "sentry.feedback",
        "workspace": "default",
        "source": "sentry-sdk",
        "severity": "info",
        "time": NOW,
        "key": EVENT_ID,
        "message": "It broke.",
        "data": {
            "feedback": {
                "message": "It broke.",
                "name": "John Me",
                "email": "john@example.com",
                "associated_event_id": EVENT_ID,
            }
        },
    }
    assert only(item("user_report", REPORT))["key"] == OTHER_ID
    assert set(refused(lambda: received(envelope(item("user_report", {"comments": "x"}), event_id=None)))) == {
        "/items/0/payload/event_id"
    }
    assert set(refused(lambda: received(envelope(item("user_report", REPORT | {"comments": ""}))))) == {
        "/items/0/payload/comments"
    }


def test_a_check_in() -> None:
    """A check-in is an event about its monitor."""
    assert only(item("check_in", CHECK_IN), event_id=None) == {
        "id": "check_in:83a7c03ed0a04e1b97e2e3b18d38f244:in_progress",
        "type": "sentry.check_in",
        "workspace": "default",
        "environment": "production",
        "source": "sentry-sdk",
        "severity": "info",
        "time": NOW,
        "key": "nightly",
        "message": "nightly: in_progress",
        "labels": {"monitor": "nightly", "status": "in_progress"},
        "data": {
            "check_in": {
                "monitor_slug": "nightly",
                "status": "in_progress",
                "check_in_id": "83a7c03ed0a04e1b97e2e3b18d38f244",
                "duration_seconds": 10.5,
                "release": "1.0.0",
                "monitor_config": {
                    "checkin_margin": 5,
                    "max_runtime": 30,
                    "timezone": "America/Los_Angeles",
                    "schedule": {"type": "crontab", "value": "0 * * * *"},
                },
            }
        },
    }


@pytest.mark.parametrize(
    ("status", "severity"),
    [("in_progress", "info"), ("ok", "info"), ("error", "error"), ("missed", "error"), ("timeout", "error")],
)
def test_each_status_of_a_check_in(status: str, severity: str) -> None:
    """What failed is an error, and each status of one check-in is an event of its own."""
    body = only(item("check_in", CHECK_IN | {"status": status}))
    assert (body["severity"], body["labels"]["status"]) == (severity, status)
    assert body["id"].endswith(f":{status}")


def test_the_latest_check_in_has_no_id() -> None:
    """The id of zeros stands for whichever was the latest: it is no idempotency key."""
    assert "id" not in only(item("check_in", CHECK_IN | {"check_in_id": "0" * 32}))
    assert "id" not in only(item("check_in", CHECK_IN | {"check_in_id": None}))


def test_a_bad_check_in_is_named_at_every_place() -> None:
    """All that is wrong with a check-in is listed."""
    body = envelope(item("check_in", {"monitor_slug": "\t", "status": "fine", "check_in_id": "x"}))
    assert set(refused(lambda: received(body))) == {
        f"/items/0/payload/{name}" for name in ("monitor_slug", "status", "check_in_id")
    }
    assert set(refused(lambda: received(envelope(item("check_in", {}))))) == {
        f"/items/0/payload/{name}" for name in ("monitor_slug", "status")
    }


def test_all_else_is_counted() -> None:
    """What is not kept is counted by its type, what nobody knows under one name, and never looked into."""
    got = received(
        envelope(*(item(kind, b"\xff not JSON") for kind in sorted(SKIPPED)), item("x", b""), item("y", b""))
    )
    assert got.events == []
    assert got.event_id == OTHER_ID
    assert got.skipped == dict.fromkeys(SKIPPED, 1) | {"other": 2}


def test_an_event_beside_others() -> None:
    """An event, its attachment, a report and a session come together."""
    got = received(
        envelope(item("session", {}), item("event", {}), item("attachment", b"\n\n"), item("user_report", REPORT))
    )
    assert [event.type for event in got.events] == ["sentry.message", "sentry.feedback"]
    assert got.skipped == {"session": 1, "attachment": 1}


def test_a_transaction_in_disguise_is_counted() -> None:
    """An event that says it is a transaction is counted as one."""
    got = received(envelope(item("event", {"type": "transaction"})))
    assert (got.events, got.skipped) == ([], {"transaction": 1})


@pytest.mark.parametrize(("kind", "payload"), [("event", {}), ("feedback", FEEDBACK), ("check_in", CHECK_IN)])
def test_a_second_one_is_refused(kind: str, payload: dict[str, Any]) -> None:
    """An envelope holds at most one of each."""
    problems = refused(lambda: received(envelope(item(kind, payload), item(kind, payload))), NotJsonError)
    assert problems == {"/items/1": f"a second item of type {kind} in one envelope"}


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"5", b"null", b"\xff", b"{}x"])
@pytest.mark.parametrize("kind", ["event", "feedback", "user_report", "check_in"])
def test_a_payload_is_an_object(kind: str, payload: bytes) -> None:
    """A payload that is no JSON object refuses the envelope, and is named."""
    assert set(refused(lambda: received(envelope(item(kind, payload))), NotJsonError)) == {"/items/0/payload"}


def test_the_bound_of_a_payload() -> None:
    """A payload is read at its bound and refused beyond; what is not kept may be larger."""
    whole = orjson.dumps({"message": "x"})
    at_bound = whole + b" " * (PAYLOAD_MAX_BYTES - len(whole))
    assert received(envelope(item("event", at_bound))).events
    with pytest.raises(TooLargeError, match="/items/0/payload: the event has"):
        received(envelope(item("event", at_bound + b" ")))
    assert received(envelope(item("attachment", at_bound + b" "))).skipped == {"attachment": 1}


def test_a_bare_event() -> None:
    """The older endpoint takes the event alone."""
    got = decode_store(orjson.dumps({"event_id": EVENT_ID, "message": "x"}), CONTEXT, SentryDefaults(project="shop"))
    assert got.event_id == got.events[0].id == EVENT_ID
    assert got.events[0].project == "shop"
    assert set(refused(lambda: decode_store(b'{"event_id":"x"}', CONTEXT), NotJsonError)) == {"/event_id"}
    assert set(refused(lambda: decode_store(b"[]", CONTEXT), NotJsonError)) == {""}
    with pytest.raises(TooLargeError):
        decode_store(b" " * (PAYLOAD_MAX_BYTES + 1), CONTEXT)
    assert decode_store(b'{"type":"transaction"}', CONTEXT).skipped == {"transaction": 1}


def test_a_bare_event_without_an_id() -> None:
    """Its bytes tell it: sent again it is the same event."""
    one, same, other = (decode_store(body, CONTEXT).event_id for body in (b'{"a":1}', b'{"a":1}', b'{"a":2}'))
    assert one == same != other
