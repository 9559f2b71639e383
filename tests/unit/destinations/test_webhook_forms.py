"""The forms of webhooks: what receivers of other products read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from alertd.destinations.base import Digest, DigestEntry, HttpAnswer, World
from alertd.destinations.webhook import WebhookType
from alertd.destinations.webhook_settings import WebhookSettings
from tests.conformance.destination_suite import NOW, FixedClock, ScriptedSender
from tests.conformance.messages import make_event, make_issue, make_message

if TYPE_CHECKING:
    from alertd.destinations.base import HttpRequest, Message

URL = "https://hooks.example.com/x"
ALERT = f"alt_{(NOW * 1000 << 20) + 7:016x}"
"""An alert that was made at NOW."""


class Known:
    """A directory with one project and one subscription."""

    async def catch_up(self) -> None:
        """Nothing is being learnt."""

    def project_number(self, workspace: str, project: str) -> int:
        """Number it."""
        return 7

    def project_title(self, workspace: str, project: str) -> str:
        """Call it."""
        return "The shop"

    def subscription_number(self, workspace: str, subscription: str) -> int:
        """Number it."""
        return 31

    def subscription_title(self, workspace: str, subscription: str) -> str:
        """Call it."""
        return "Production runs"


class Learning(Known):
    """A directory that knows the project when it has caught up."""

    def __init__(self) -> None:
        self.asked = 0

    @override
    async def catch_up(self) -> None:
        """Learn."""
        self.asked += 1

    @override
    def project_number(self, workspace: str, project: str) -> int:
        """Number it, when it is known."""
        return 7 if self.asked else 0


def sent(message: Message, **settings: Any) -> HttpRequest:
    """Render."""
    valid = WebhookSettings.model_validate({"url": URL, **settings})
    world = World(FixedClock(), ScriptedSender([HttpAnswer(204, {}, b"")]), print, directory=Known())
    return WebhookType().open(valid, 10, world).render(message, NOW)


def body(message: Message, **settings: Any) -> Any:
    """Render and read the body."""
    return json.loads(sent(message, **settings).body)


@pytest.mark.parametrize(("form", "asked"), [("rustrak", 1), ("nora", 0)])
async def test_rustrak_waits_for_the_number_of_a_new_project(form: str, asked: int) -> None:
    """The alert's id begins with it, and is to be the same on every attempt; nobody else waits, and once is enough."""
    sender, directory = ScriptedSender([HttpAnswer(503, {}, b""), HttpAnswer(204, {}, b"")]), Learning()
    settings = WebhookSettings.model_validate({"url": URL, "format": form})
    hook = WebhookType().open(settings, 10, World(FixedClock(), sender, print, directory=directory))
    message = make_message(alert_id=ALERT, event=make_event(), issue=make_issue(), trigger="new")
    for _ in range(2):
        await hook.attempt(message)
    assert directory.asked == asked
    if asked:
        assert {json.loads(request.body)["alert_id"][:2] for request in sender.requests} == {"7-"}


def test_rustrak_has_the_exact_body() -> None:
    """An alert about an issue is told in Rustrak's members, in their order, with the project's number."""
    message = make_message(alert_id=ALERT, event=make_event(), issue=make_issue(), trigger="new")
    assert body(message, format="rustrak") == {
        "alert_id": f"7-iss_0042-{NOW * 1000}",
        "alert_type": "new_issue",
        "triggered_at": "2026-05-07T00:00:00Z",
        "project": {"id": 7, "name": "The shop", "slug": "shop"},
        "issue": {
            "id": "iss_0042",
            "short_id": "SHOP-42",
            "title": "KeyError: 'sku'",
            "level": "error",
            "first_seen": "2026-05-01T08:00:00Z",
            "last_seen": "2026-05-07T00:00:00Z",
            "event_count": 1240,
        },
        "issue_url": "https://alerts.example.com/issues/SHOP-42",
        "actor": "Rustrak",
    }


@pytest.mark.parametrize(
    ("trigger", "count", "expected"),
    [
        ("new", 1, "new_issue"),
        ("regression", 9, "regression"),
        ("unmuted", 9, "unmute"),
        ("spike", 9, "regression"),
        (None, 1, "new_issue"),
        (None, 2, "regression"),
    ],
)
def test_rustrak_knows_three_reasons(trigger: str | None, count: int, expected: str) -> None:
    """Each trigger becomes one of the three that its receivers know."""
    message = make_message(issue=make_issue(event_count=count), trigger=trigger)
    assert body(message, format="rustrak")["alert_type"] == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("issue.new", "new_issue"),
        ("issue.regression", "regression"),
        ("issue.unmuted", "unmute"),
        ("issue.spike", "regression"),
    ],
)
def test_rustrak_is_told_what_became_of_an_issue(kind: str, expected: str) -> None:
    """The events of alertd's own have no trigger and carry their issue: so an issue that a person unmutes is told truly."""
    issue = json.loads(make_issue(event_count=3))
    event = make_event(type=kind, source="alertd", data={"issue": issue})
    found = body(make_message(event=event, event_type=kind), format="rustrak")
    assert (found["alert_type"], found["issue"]["short_id"]) == (expected, issue["short_id"])
    assert (found["issue"]["event_count"], found["issue_url"]) == (3, issue["url"])


def test_rustrak_headers() -> None:
    """The id of the request is the alert's, the same on every attempt."""
    message = make_message(alert_id=ALERT, issue=make_issue())
    headers = sent(message, format="rustrak").headers
    assert headers["X-Rustrak-Request-ID"] == f"7-iss_0042-{NOW * 1000}"
    assert headers["X-Rustrak-Timestamp"] == str(NOW)
    assert "X-Rustrak-Signature" not in headers


def test_a_test_to_rustrak_needs_no_issue() -> None:
    """A test message, which is about no issue, is written as if there were one."""
    issue = body(make_message(test=True), format="rustrak")["issue"]
    assert (issue["id"], issue["title"], issue["event_count"]) == ("alt_0001", "Run 17 failed", 1)


def test_only_rustrak_needs_an_issue() -> None:
    """Whether a destination takes alerts about issues only is known from its settings."""
    kind = WebhookType()
    needing = [
        form
        for form in ("standard", "rustrak", "nora", "alertmanager", "cloudevents")
        if kind.needs_issue(WebhookSettings.model_validate({"url": URL, "format": form}))
    ]
    assert needing == ["rustrak"]


def test_nora_has_the_exact_body() -> None:
    """The type, the data with the workspace, and the subscription as the rule."""
    event = make_event(message="Budget used up", data={"agent": "a-1", "spent": 12.5}, type="agent.budget_paused")
    message = make_message(event=event, event_type="agent.budget_paused", time="2026-05-07T00:00:00Z")
    assert body(message, format="nora") == {
        "eventType": "agent.budget_paused",
        "message": "Budget used up",
        "metadata": {"agent": "a-1", "spent": 12.5, "workspace": {"id": "default"}},
        "firedAt": "2026-05-07T00:00:00Z",
        "ruleId": "sub_000000000000001f",
        "ruleName": "Production runs",
        "deliveryId": "dlv_0001",
    }


def test_nora_replaces_the_producers_workspace() -> None:
    """The workspace is the one that the event came into, whatever its data says."""
    message = make_message(event=make_event(data={"workspace": {"id": "other"}}))
    assert body(message, format="nora")["metadata"] == {"workspace": {"id": "default"}}


@pytest.mark.parametrize(("spare", "whole"), [(0, True), (-1, False)])
def test_nora_metadata_is_bounded_at_8_kib(spare: int, whole: bool) -> None:
    """8,192 bytes pass; one more is replaced by a note of its size, its workspace and its agent."""
    fixed = len(json.dumps({"agent": "a", "x": "", "workspace": {"id": "default"}}, separators=(",", ":")))
    data = {"agent": "a", "x": "y" * (8192 - fixed - spare)}
    metadata = body(make_message(event=make_event(data=data)), format="nora")["metadata"]
    if whole:
        assert metadata == {**data, "workspace": {"id": "default"}}
    else:
        assert metadata == {
            "truncated": True,
            "originalBytes": 8193,
            "workspace": {"id": "default"},
            "agent": "a",
        }


def test_nora_note_stays_small() -> None:
    """An agent that is large itself is not repeated."""
    metadata = body(make_message(event=make_event(data={"agent": "a" * 9000})), format="nora")["metadata"]
    assert metadata["agent"] is None


def test_alertmanager_firing_and_resolved_are_one_alert() -> None:
    """What fires and what ends it have one fingerprint; an end has a time, a firing alert has the zero time."""
    firing = body(
        make_message(event=make_event(key="disk-1", type="disk.full"), event_type="disk.full"), format="alertmanager"
    )
    ended = body(
        make_message(event=make_event(key="disk-1", type="disk.resolved"), event_type="disk.resolved"),
        format="alertmanager",
    )
    (first,), (second,) = firing["alerts"], ended["alerts"]
    assert (firing["status"], ended["status"]) == ("firing", "resolved")
    assert first["fingerprint"] == second["fingerprint"]
    assert first["endsAt"] == "0001-01-01T00:00:00Z"
    assert second["endsAt"] == "2026-05-07T00:00:00Z"
    assert first["labels"] == {
        "alertname": "disk.full",
        "severity": "error",
        "project": "shop",
        "environment": "prod",
        "key": "disk-1",
        "team": "payments",
        "release": "2026.5.1",
        "workspace": "default",
    }
    assert firing["groupKey"] == '{}:{alertname="disk.full"}'
    assert firing["externalURL"] == "http://127.0.0.1:8080"


def test_alertmanager_takes_the_events_own_labels() -> None:
    """An event that was an alert keeps its name and labels, but never names another workspace."""
    labels = {"alertname": "HighErrorRate", "severity": "page", "workspace": "other", "k8s.io/pod": "a", "0x": "b"}
    (alert,) = body(make_message(event=make_event(labels=labels)), format="alertmanager")["alerts"]
    assert alert["labels"]["alertname"] == "HighErrorRate"
    assert alert["labels"]["severity"] == "page"
    assert alert["labels"]["workspace"] == "default"
    assert alert["labels"]["k8s_io_pod"] == "a"
    assert alert["labels"]["label_0x"] == "b"


def test_alertmanager_digest() -> None:
    """A digest is its alerts, and counts those that are not listed."""
    digest = Digest((DigestEntry(make_event(key="a")), DigestEntry(make_event(key="b"))), 500)
    found = body(make_message(digest=digest), format="alertmanager")
    assert [each["labels"]["key"] for each in found["alerts"]] == ["a", "b"]
    assert found["truncatedAlerts"] == 498
    assert "key" not in found["commonLabels"]


def test_cloudevents_structured_and_binary_say_the_same() -> None:
    """Both ways have the same attributes, and the data of the standard form."""
    message = make_message(event=make_event(message="Ümlaut %", key='a "b"'), time="2026-05-07T00:00:00Z")
    whole = body(message, format="cloudevents")
    apart = sent(message, format="cloudevents", mode="binary")
    assert whole["data"] == json.loads(apart.body) == body(message)["data"]
    assert (whole["id"], whole["source"], whole["type"]) == ("dlv_0001", "/alertd/workspaces/default", "run:failed")
    assert whole["time"] == apart.headers["ce-time"] == "2026-05-07T00:00:00Z"
    assert (whole["subject"], apart.headers["ce-subject"]) == ('a "b"', "a%20%22b%22")
    assert "ce-datacontenttype" not in apart.headers


def test_standard_tells_of_its_issue_and_digest() -> None:
    """The issue is the one of the alert; a digest lists its alerts."""
    message = make_message(issue=make_issue(), digest=Digest((DigestEntry(make_event(), "u", "new"),), 9, "Too many."))
    data = body(message)["data"]
    assert data["issue"]["short_id"] == "SHOP-42"
    assert data["digest"] == {
        "count": 9,
        "reason": "Too many.",
        "alerts": [{"event": json.loads(make_event()), "url": "u", "trigger": "new"}],
    }
