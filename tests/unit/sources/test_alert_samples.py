"""What Alertmanager and Grafana send, member by member as they document it, and the whole event that each becomes.

Alertmanager itself is asked in `tests/acceptance/test_webhooks.py`. No Grafana can be had from Debian, so its body here is
written from its source: `webhookMessage`, an alert's members, and what of it may be null, empty or missing.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from alertd.errors import DecodeError
from alertd.sources.alerts import AlertmanagerDecoder, GrafanaDecoder
from alertd.sources.base import Context
from alertd.sources.outside import WebhookRequest
from alertd.sources.sentry_defaults import STANDARD

GRAFANA: dict[str, Any] = {
    "receiver": "alertd",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "alert1"},
            "annotations": {},
            "startsAt": "2026-11-20T22:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://localhost/test?orgId=1",
            "fingerprint": "fac0861a85de433a",
            "silenceURL": "",
            "dashboardURL": "",
            "panelURL": "",
            "values": None,
            "valueString": "",
        }
    ],
    "groupLabels": {"alertname": "alert1"},
    "commonLabels": {"alertname": "alert1"},
    "commonAnnotations": {},
    "externalURL": "http://localhost",
    "version": "1",
    "groupKey": '{}:{alertname="alert1"}',
    "truncatedAlerts": 0,
    "orgId": 1,
    "title": "[FIRING:1]  (alert1)",
    "state": "alerting",
    "message": "...",
}
ALERTMANAGER: dict[str, Any] = {
    "version": "4",
    "groupKey": '{}:{alertname="HighErrorRate"}',
    "truncatedAlerts": 3,
    "status": "firing",
    "receiver": "my\\.team",
    "notification_reason": "first notification",
    "routeLabels": {},
    "groupLabels": {"alertname": "HighErrorRate"},
    "commonLabels": {"alertname": "HighErrorRate", "severity": "critical"},
    "commonAnnotations": {},
    "externalURL": "http://am:9093",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "HighErrorRate", "severity": "critical", "instance": "a"},
            "annotations": {"summary": "5xx > 5%"},
            "startsAt": "2026-11-20T22:00:00.123456789Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prom:9090/graph?g0.expr=x",
            "fingerprint": "fac0861a85de433a",
        }
    ],
}


def decoded(decoder: AlertmanagerDecoder | GrafanaDecoder, group: dict[str, Any], **alert: Any) -> dict[str, Any]:
    """Decode a group whose one alert has other members."""
    body = orjson.dumps({**group, "alerts": [{**group["alerts"][0], **alert}]})
    (event,) = decoder.decode(WebhookRequest({}, body, body), Context("default", 0, frozenset({"default"})), STANDARD)
    return {name: value for name, value in event.body.items() if name != "id"}


def test_grafana() -> None:
    """Every member that says something is kept, those that are null, empty or zero are absent."""
    assert decoded(GrafanaDecoder(), GRAFANA) == {
        "type": "grafana.alert.firing",
        "workspace": "default",
        "source": "grafana",
        "severity": "error",
        "time": "2026-11-20T22:00:00Z",
        "key": "fac0861a85de433a",
        "message": "alert1",
        "url": "http://localhost/test?orgId=1",
        "labels": {"alertname": "alert1"},
        "data": {
            "status": "firing",
            "alertname": "alert1",
            "starts_at": "2026-11-20T22:00:00Z",
            "fingerprint": "fac0861a85de433a",
            "generator_url": "http://localhost/test?orgId=1",
            "receiver": "alertd",
            "group_key": '{}:{alertname="alert1"}',
            "group_labels": {"alertname": "alert1"},
            "external_url": "http://localhost",
            "org_id": "1",
        },
    }


@pytest.mark.parametrize(
    ("alert", "kept"),
    [
        ({"values": {"B": 7.5, "C": None}}, {"values": {"B": 7.5, "C": None}}),
        ({"panelURL": "http://g/d/x?viewPanel=1"}, {"panel_url": "http://g/d/x?viewPanel=1"}),
        ({"dashboardURL": "http://g/d/x"}, {"dashboard_url": "http://g/d/x"}),
        ({"silenceURL": "http://g/silence"}, {"silence_url": "http://g/silence"}),
        ({"ruleUID": "abc"}, {"rule_uid": "abc"}),
        ({"imageURL": "http://g/i.png", "embeddedImage": "aGk=", "enrichments": {"x": []}, "orgId": 1}, {}),
        ({"annotations": {"grafana_state_reason": "NoData"}}, {"annotations": {"grafana_state_reason": "NoData"}}),
    ],
)
def test_what_grafana_may_add(alert: dict[str, Any], kept: dict[str, Any]) -> None:
    """Links, values and annotations of an alert are kept; pictures and enrichments are not."""
    base = decoded(GrafanaDecoder(), GRAFANA)["data"]
    assert decoded(GrafanaDecoder(), GRAFANA, **alert)["data"] == {**base, **kept}


def test_grafanas_alerts_about_itself() -> None:
    """That a data source fails is an alert like any other, with the rule's name among the labels."""
    labels = {"alertname": "DatasourceError", "rulename": "alert1", "datasource_uid": "x"}
    event = decoded(GrafanaDecoder(), GRAFANA, labels=labels)
    assert (event["message"], event["labels"]) == ("DatasourceError", labels)


def test_alertmanager() -> None:
    """Every member that says something is kept; the receiver's name is no regular expression any more."""
    assert decoded(AlertmanagerDecoder(), ALERTMANAGER) == {
        "type": "alertmanager.alert.firing",
        "workspace": "default",
        "source": "alertmanager",
        "severity": "critical",
        "time": "2026-11-20T22:00:00.123456789Z",
        "key": "fac0861a85de433a",
        "message": "5xx > 5%",
        "url": "http://prom:9090/graph?g0.expr=x",
        "labels": {"alertname": "HighErrorRate", "severity": "critical", "instance": "a"},
        "data": {
            "status": "firing",
            "alertname": "HighErrorRate",
            "starts_at": "2026-11-20T22:00:00.123456789Z",
            "annotations": {"summary": "5xx > 5%"},
            "fingerprint": "fac0861a85de433a",
            "generator_url": "http://prom:9090/graph?g0.expr=x",
            "receiver": "my.team",
            "group_key": '{}:{alertname="HighErrorRate"}',
            "group_labels": {"alertname": "HighErrorRate"},
            "external_url": "http://am:9093",
            "truncated_alerts": 3,
        },
    }


@pytest.mark.parametrize("start", ["2026-11-20T22:00:00.123456789Z", "2026-11-20T23:00:00+01:00"])
def test_the_end_of_an_alert(start: str) -> None:
    """It keeps when it began, and happens when it ended; nanoseconds and other offsets are read."""
    ended = {"status": "resolved", "startsAt": start, "endsAt": "2026-11-20T23:30:00+01:00"}
    event = decoded(AlertmanagerDecoder(), ALERTMANAGER, **ended)
    assert (event["type"], event["time"]) == ("alertmanager.alert.resolved", "2026-11-20T23:30:00+01:00")
    assert (event["data"]["starts_at"], event["data"]["ends_at"]) == (start, "2026-11-20T23:30:00+01:00")


@pytest.mark.parametrize("start", [None, "", "0001-01-01T00:00:00Z", "soon", 5])
def test_an_alert_that_does_not_say_when_it_began(start: Any) -> None:
    """Nothing tells its next occurrence from a repeat, so each is an event, of now; one that ended says when."""
    decoders: tuple[tuple[Any, dict[str, Any]], ...] = (
        (AlertmanagerDecoder(), ALERTMANAGER),
        (GrafanaDecoder(), GRAFANA),
    )
    for decoder, sample in decoders:
        body = orjson.dumps({**sample, "alerts": [{**sample["alerts"][0], "startsAt": start}]})
        context = Context("default", 1_778_112_000_000, frozenset({"default"}))
        (event,) = decoder.decode(WebhookRequest({}, body, body), context, STANDARD)
        assert (event.id, event.time) == ("", "2026-05-07T00:00:00.000Z")
        ended = {"status": "resolved", "startsAt": start, "endsAt": "2026-11-20T23:30:00Z"}
        assert decoded(decoder, sample, **ended)["time"] == "2026-11-20T23:30:00Z"


def test_old_grafanas_are_refused() -> None:
    """The body of dashboard alerts, gone since Grafana 9, is no group: it is refused by its place."""
    body = orjson.dumps({"title": "x", "ruleId": 1, "state": "alerting", "evalMatches": [], "orgId": 1})
    with pytest.raises(DecodeError, match="expected an array of alerts"):
        GrafanaDecoder().decode(WebhookRequest({}, body, body), Context("default", 0), STANDARD)
