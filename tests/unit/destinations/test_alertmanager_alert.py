"""A message as the alerts that Alertmanager knows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alertd.destinations.alertmanager_alert import alerts_of, rest_of
from alertd.model.severity import Severity
from tests.conformance.destination_suite import NOW, make_message
from tests.conformance.messages import make_digest


@pytest.mark.parametrize(("count", "rest"), [(1, 0), (20, 0), (21, 1), (500, 480)])
def test_what_a_digest_does_not_list_is_counted(count: int, rest: int) -> None:
    """One alert stands for them, and says how many; where all are listed there is none."""
    whole = make_digest(count)
    digest = replace(whole, entries=whole.entries[:20])
    message = make_message(digest=digest, event_type="alertd.digest")
    assert len(alerts_of(message, NOW)) == count - rest
    found = rest_of(message, NOW)
    assert len(found) == (1 if rest else 0)
    for alert in found:
        assert alert.labels["alertname"] == "alertd.digest"
        assert alert.annotations["digest"] == f"{count} alerts, of which {rest} are in the history alone"
        assert not alert.ends_at


def test_it_is_as_bad_as_the_worst_of_all() -> None:
    """Who routes by severity hears of what is critical though it is not listed."""
    digest = replace(make_digest(500), worst=Severity.CRITICAL)
    (alert,) = rest_of(make_message(digest=digest), NOW)
    assert alert.labels["severity"] == "critical"


def test_what_is_no_digest_has_no_rest() -> None:
    """Neither has a digest of which nothing is listed: it is one alert as it is."""
    assert rest_of(make_message(), NOW) == ()
    bare = replace(make_digest(5), entries=())
    message = make_message(digest=bare)
    assert (len(alerts_of(message, NOW)), rest_of(message, NOW)) == (1, ())
