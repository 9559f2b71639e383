"""PagerDuty and Opsgenie: what opens an incident, what takes care of it, what closes it, and how bad it is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from pydantic import ValidationError

from alertd.destinations.base import Digest, DigestEntry, World
from alertd.destinations.composing import content_of
from alertd.destinations.opsgenie import DETAILS_MAX, OpsgenieType
from alertd.destinations.pagerduty import PagerdutyType
from alertd.destinations.turn import NEVER_CLOSED, STAYS_OPEN, Turn, turn_of
from alertd.model.severity import Severity
from tests.conformance.destination_suite import NOW, FixedClock, ScriptedSender
from tests.conformance.messages import make_digest, make_event, make_issue, make_message

KEY = "0123456789abcdef0123456789abcdef"


def sent(kind: Any, message: Any, **settings: Any) -> tuple[str, Any]:
    """Render; return the address and the body."""
    opened = kind.open(kind.settings_model.model_validate(settings), 10, World(FixedClock(), ScriptedSender(), print))
    request = opened.render(message, NOW)
    return request.url, json.loads(request.body)


def pagerduty(message: Any, **settings: Any) -> Any:
    """Give PagerDuty's body."""
    return sent(PagerdutyType(), message, **{"routing_key": KEY, **settings})[1]


@pytest.mark.parametrize(
    ("type_", "issue", "turn"),
    [
        ("run:failed", None, Turn.OPEN),
        ("disk.resolved", None, Turn.CLOSE),
        ("issue.muted", None, Turn.ACKNOWLEDGE),
        ("incident.acknowledged", None, Turn.ACKNOWLEDGE),
        ("app_acknowledged", None, Turn.ACKNOWLEDGE),
        ("sentry.error", {"state": "ongoing"}, Turn.OPEN),
        ("sentry.error", {"state": "muted"}, Turn.ACKNOWLEDGE),
        ("sentry.error", {"state": "resolved"}, Turn.CLOSE),
        ("resolved.error", None, Turn.OPEN),
    ],
)
def test_turn(type_: str, issue: dict[str, str] | None, turn: Turn) -> None:
    """The last word of a type, or the state of its issue, says what becomes of an incident."""
    message = make_message(event_type=type_, issue=None if issue is None else make_issue(**issue))
    assert turn_of(message, content_of(message)) is turn


def test_pagerduty_follows_one_problem() -> None:
    """Trigger, acknowledge and resolve name the same key; only a trigger has a payload."""
    bodies = [pagerduty(make_message(issue=make_issue(state=state))) for state in ("new", "muted", "resolved")]
    assert [body["event_action"] for body in bodies] == ["trigger", "acknowledge", "resolve"]
    assert len({body["dedup_key"] for body in bodies}) == 1
    assert ["payload" in body for body in bodies] == [True, False, False]


def test_pagerduty_trigger_says_what_happened() -> None:
    """Summary, place, time and details are there, with links."""
    message = make_message(event=make_event(), issue=make_issue(), trigger="new", event_type="sentry.error")
    body = pagerduty(message)
    assert body["payload"]["summary"] == "New issue SHOP-42: KeyError: 'sku' (shop/prod)"
    assert body["payload"]["source"] == "shop/prod"
    assert body["payload"]["timestamp"] == "2026-05-07T00:00:00Z"
    assert body["payload"]["class"] == "sentry.error"
    assert body["payload"]["custom_details"]["Events"] == "1,240"
    assert body["links"][0] == {"href": "https://alerts.example.com/issues/SHOP-42", "text": "Issue"}
    assert body["client_url"] == "https://alerts.example.com/issues/SHOP-42"


@pytest.mark.parametrize(
    ("chosen", "own", "told"),
    [
        ("auto", "debug", "info"),
        ("auto", "info", "info"),
        ("auto", "warning", "warning"),
        ("auto", "error", "error"),
        ("auto", "critical", "critical"),
        ("warning", "critical", "warning"),
        ("critical", "debug", "critical"),
    ],
)
def test_pagerduty_severity(chosen: str, own: str, told: str) -> None:
    """A severity that was chosen holds for every alert; else the event's own."""
    assert pagerduty(make_message(event=make_event(severity=own)), severity=chosen)["payload"]["severity"] == told


def test_pagerduty_has_a_choice_where_it_knows_no_repeat() -> None:
    """A change event may be there twice, so the destination's choice counts; an alert has its key."""
    settings = {"routing_key": KEY, "on_ambiguous": "dead"}
    assert PagerdutyType.settings_model.model_validate(settings | {"events": "changes"})
    for events, place in (("alerts", "on_ambiguous"), ("x", "events")):
        with pytest.raises(ValidationError) as caught:
            PagerdutyType.settings_model.model_validate(settings | {"events": events})
        assert [error["loc"] for error in caught.value.errors(include_input=False)] == [(place,)]


def test_pagerduty_change_events_have_no_key() -> None:
    """A change event has neither action, key nor severity, and another address."""
    url, body = sent(PagerdutyType(), make_message(), routing_key=KEY, events="changes")
    assert url == "https://events.pagerduty.com/v2/change/enqueue"
    assert not {"event_action", "dedup_key"} & body.keys()
    assert "severity" not in body["payload"]


def test_pagerduty_in_the_eu() -> None:
    """The address can be that of another service region."""
    url, _ = sent(PagerdutyType(), make_message(), routing_key=KEY, api_url="https://events.eu.pagerduty.com/")
    assert url == "https://events.eu.pagerduty.com/v2/enqueue"


def test_pagerduty_lists_a_digest() -> None:
    """A digest is one incident that lists its alerts and counts the rest."""
    body = pagerduty(make_message(digest=make_digest(500)))
    assert len(body["payload"]["custom_details"]["Alerts"]) == 20
    assert body["payload"]["custom_details"]["More alerts"] == 480
    assert body["payload"]["custom_details"]["To resolve"] == NEVER_CLOSED


def digest_of_ends(**changes: Any) -> Any:
    """Make a digest of nothing but ends, one of them of something critical."""
    entries = tuple(DigestEntry(make_event(type="disk.resolved", severity=word)) for word in ("info", "critical"))
    return make_message(digest=Digest(entries, len(entries), worst=Severity.CRITICAL), **changes)


def test_a_digest_is_an_incident_of_its_own() -> None:
    """It has a key of its own, the same on every attempt, and neither closes nor acknowledges anything."""
    first, again = (pagerduty(make_message(digest=make_digest(5), attempt=n)) for n in (1, 2))
    other = pagerduty(make_message(digest=make_digest(5), delivery_id="dlv_0002"))
    assert first["dedup_key"] == again["dedup_key"] != other["dedup_key"]
    for type_ in ("alertd.digest", "issue.muted", "disk.resolved"):
        body = pagerduty(make_message(digest=make_digest(5), event_type=type_, issue=make_issue(state="resolved")))
        assert (body["event_action"], body["dedup_key"]) == ("trigger", first["dedup_key"])


def test_a_digest_of_ends_tells_of_them() -> None:
    """To resolve what was never opened would tell nobody: it is opened, informs, and says what is left to do."""
    body = pagerduty(digest_of_ends())
    assert (body["event_action"], body["payload"]["severity"]) == ("trigger", "info")
    assert body["payload"]["custom_details"]["To resolve"] == STAYS_OPEN
    assert pagerduty(digest_of_ends(), severity="critical")["payload"]["severity"] == "critical"
    url, created = sent(OpsgenieType(), digest_of_ends(), api_key="k")
    assert (urlsplit(url).path, created["priority"]) == ("/v2/alerts", "P5")
    assert created["details"]["To resolve"] == STAYS_OPEN


@pytest.mark.parametrize("kind", [PagerdutyType, OpsgenieType])
def test_a_label_hides_nothing(kind: Any) -> None:
    """One that is called as a fact, or as another detail, stands beside it."""
    labels = {"Severity": "fine", "Subscription": "mine", "Test": "no", "team": "payments"}
    message = make_message(event=make_event(labels=labels, severity="critical", message="a\nb"))
    _, body = sent(kind(), message, **({"routing_key": KEY} if kind is PagerdutyType else {"api_key": "k"}))
    details = body["details"] if kind is OpsgenieType else body["payload"]["custom_details"]
    assert (details["Severity"], details["Subscription"]) == ("Critical", "production-runs")
    assert {name: details[f"{name} (label)"] for name in ("Severity", "Subscription", "Test")} == {
        name: labels[name] for name in ("Severity", "Subscription", "Test")
    }
    assert details["team"] == "payments"


@pytest.mark.parametrize(("length", "whole"), [(200, True), (300, False)])
def test_what_opsgenie_has_no_room_for_is_said(length: int, *, whole: bool) -> None:
    """Labels go first, and not in silence; suspects and the subscription stay."""
    labels = {f"label-{number}": "v" * length for number in range(30)}
    message = make_message(event=make_event(labels=labels), issue=make_issue(), trigger="new")
    details = sent(OpsgenieType(), message, api_key="k")[1]["details"]
    assert sum(len(name) + len(text) for name, text in details.items()) <= DETAILS_MAX
    assert ("label-29" in details) is whole
    assert (details.get("…") == "and more") is not whole
    assert {"Severity", "Suspect commits", "Subscription"} <= details.keys()


def test_a_digest_is_as_bad_as_the_worst_in_it() -> None:
    """Listed or not."""
    message = make_message(digest=replace(make_digest(500), worst=Severity.CRITICAL))
    assert pagerduty(message)["payload"]["severity"] == "critical"
    _, created = sent(OpsgenieType(), message, api_key="k")
    assert (created["priority"], created["details"]["To resolve"]) == ("P1", NEVER_CLOSED)


def test_a_digest_as_a_change_has_nothing_to_resolve() -> None:
    """Change events open nothing."""
    assert (
        "To resolve"
        not in pagerduty(make_message(digest=make_digest(5)), events="changes")["payload"]["custom_details"]
    )


@pytest.mark.parametrize("key", ["", "has space", "dash-ed", "ü" * 32])
def test_routing_key_is_letters_and_digits(key: str) -> None:
    """What cannot be a key is refused without repeating it."""
    with pytest.raises(ValidationError) as caught:
        PagerdutyType.settings_model.model_validate({"routing_key": key})
    assert not key or key not in str(caught.value)


def test_opsgenie_follows_one_problem() -> None:
    """An alert is created, acknowledged and closed by one alias, which stands escaped in the path."""
    urls = []
    for state in ("new", "muted", "resolved"):
        url, body = sent(OpsgenieType(), make_message(issue=make_issue(state=state)), api_key="k")
        urls.append(url)
        alias = body.get("alias", "default/issue/iss_0042")
    assert alias == "default/issue/iss_0042"
    assert urls == [
        "https://api.opsgenie.com/v2/alerts",
        "https://api.opsgenie.com/v2/alerts/default%2Fissue%2Fiss_0042/acknowledge?identifierType=alias",
        "https://api.opsgenie.com/v2/alerts/default%2Fissue%2Fiss_0042/close?identifierType=alias",
    ]
    assert unquote(urls[1].split("/")[5]) == alias


def test_opsgenie_lists_and_counts_a_digest_whatever_else_is_said() -> None:
    """Neither long titles nor words of one's own take the list's place, or that of the number of the rest."""
    entries = tuple(DigestEntry(make_event(message=f"{number} {'x' * 490}"), "") for number in range(20))
    message = make_message(digest=Digest(entries, 500), own_title="t" * 400, own_body="word " * 2000)
    description = sent(OpsgenieType(), message, api_key="k")[1]["description"]
    assert len(description) <= 15_000
    assert description.count("xxx…") == 20
    assert "\n… and 480 more" in description


@pytest.mark.parametrize(
    ("chosen", "own", "told"),
    [("auto", "critical", "P1"), ("auto", "error", "P2"), ("auto", "warning", "P3"), ("auto", "info", "P5"), ("P4", "critical", "P4")],
)  # fmt: skip
def test_opsgenie_priority(chosen: str, own: str, told: str) -> None:
    """A priority that was chosen holds for every alert; else the severity decides."""
    _, body = sent(OpsgenieType(), make_message(event=make_event(severity=own)), api_key="k", priority=chosen)
    assert body["priority"] == told


@pytest.mark.parametrize(("count", "good"), [(20, True), (21, False)])
def test_opsgenie_takes_twenty_tags(count: int, good: bool) -> None:
    """Twenty tags of fifty characters are taken, one more is not."""
    settings = {"api_key": "k", "tags": ["x" * 50] * count}
    if good:
        assert len(OpsgenieType.settings_model.model_validate(settings).model_dump()["tags"]) == 20
    else:
        with pytest.raises(ValidationError):
            OpsgenieType.settings_model.model_validate(settings)
