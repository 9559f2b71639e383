"""Incidents as each destination type shows them: a simulated one is marked, whatever the form; suspects come with reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import orjson
import pytest

from alertd.delivery.naming import Naming
from alertd.destinations.base import Previewing, World
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.engine.issues.incidents import Report, open_for_report
from alertd.engine.issues.telling import told_of_incident
from alertd.model.change import Change, ChangeKind, Commit
from alertd.model.delivery import Delivery
from tests.conformance.destination_suite import FixedClock, ScriptedSender
from tests.renderings import WAYS
from tests.unit.engine.issues.errors import HOUR, NOW, error, frame

NAMING: Final = Naming({1: "incidents", 2: "all"}, lambda alert_id: f"https://alerts.example.com/{alert_id}")
CRASH = error("SimulatedError", "no answer (simulated)", [frame("total", "shop/cart.py")])
LOG = [
    Change(
        ChangeKind.WINDOW,
        "shop",
        NOW - HOUR,
        "prod",
        commits=(Commit("c1" * 20, NOW, "Ann", "Tune", ("shop/cart.py",)),),
    )
]
SHORT: Final = frozenset({"webhook-rustrak", "webhook-nora", "kafka-nora", "console", "webhook-template"})
"""Forms that have no place for suspects: of other products, of one line, in a user's own words."""
WORDLESS: Final = {("pagerduty", "resolved")}
"""What says nothing but the key of what it ends."""


def shown(way: str, *, test: bool, what: str = "opened") -> str:
    """Render the event that tells of an incident, as a delivery of it becomes a message."""
    report = Report(1, "shop", "prod", "k", "SimulatedError: no answer (simulated)", "error", CRASH, test=test)
    incident = open_for_report(5, report, LOG, NOW)
    if what == "resolved":
        incident = replace(incident, timeline=incident.timeline[-1:])
    event = told_of_incident("opened" if what == "opened" else "resolved", incident, "default", NOW, CRASH)
    delivery = Delivery(6 << 20, 5 << 20, 3, 1, 2, 0, NOW, event.type, event.payload)
    type_name, settings = WAYS[way]
    world = World(FixedClock(), ScriptedSender(), print)
    opened = REGISTRY[type_name].open(parse_settings(type_name, settings), 10.0, world)
    assert isinstance(opened, Previewing)
    return opened.preview(NAMING.message(delivery, "default")).body


@pytest.mark.parametrize("what", ["opened", "resolved"])
@pytest.mark.parametrize("way", WAYS)
def test_a_simulated_one_is_marked(way: str, what: str) -> None:
    """Nobody can take it for a real one: what a person reads first says so, at its beginning and at its end."""
    assert ("imulated" in shown(way, test=True, what=what)) is ((way, what) not in WORDLESS)


@pytest.mark.parametrize("way", WAYS)
def test_only_what_is_simulated_is_marked(way: str) -> None:
    """The mark is the source of the event, not what its texts say."""
    assert "[Test]" not in shown(way, test=False)
    assert "alertd/simulation" not in shown(way, test=False)


@pytest.mark.parametrize("way", sorted(WAYS.keys() - SHORT))
def test_suspects_come_with_their_reasons(way: str) -> None:
    """Whoever is told of an incident is told whom to ask, and why."""
    assert "changed shop/cart.py" in shown(way, test=False).replace("\\", "").replace("\u200b", "").replace(
        "&#x2F;", "/"
    )


def test_a_standard_webhook_says_that_it_is_a_test() -> None:
    """In the member that programs look at."""
    assert orjson.loads(shown("webhook-standard", test=True))["data"]["test"] is True
    assert orjson.loads(shown("webhook-standard", test=False))["data"]["test"] is False
