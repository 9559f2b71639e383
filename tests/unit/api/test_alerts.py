"""Alerts over HTTP: what became of each, and who took note."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from alertd.model.delivery import Outcome, OutcomeKind
from tests.unit.api.bench import HOME, Caller, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EVENT = {"type": "run:failed", "severity": "error", "project": "shop"}


@pytest.fixture
async def call() -> AsyncIterator[Caller]:
    """Run everything."""
    async with running() as caller:
        yield caller


async def alert_of(call: Caller, **event: Any) -> dict[str, Any]:
    """Send an event and return its alert."""
    await call.sent({**EVENT, **event})
    _, page = await call("GET", f"{HOME}/alerts?limit=1")
    (alert,) = page["items"]
    found: dict[str, Any] = alert
    return found


async def test_a_summary_tells_what_became_of_an_alert(call: Caller) -> None:
    """How many arrived, wait, failed and were held back, and the states at each destination; alike in list and alone."""
    call.bench.doors["default", "page"].outcome = Outcome(OutcomeKind.REJECTED, 404, "returned 404")
    call.bench.doors["default", "hook"].gate.clear()
    alert = await alert_of(call)
    await call.settled(f"{HOME}/deliveries?destination=page", "dead")
    await call.settled(f"{HOME}/deliveries?destination=hook", "in_flight")
    expected = {
        "sent": 0, "pending": 1, "failed": 1, "cancelled": 0, "suppressed": 0,
        "destinations": {"hook": {"in_flight": 1}, "page": {"dead": 1}},
    }  # fmt: skip
    for path in (f"{HOME}/alerts/{alert['id']}", f"/api/v1/alerts/{alert['id']}"):
        assert (await call("GET", path))[1]["summary"] == expected
    assert (await call("GET", f"{HOME}/alerts"))[1]["items"][0]["summary"] == expected
    call.bench.doors["default", "hook"].gate.set()
    await call.settled(f"{HOME}/deliveries?destination=hook")
    _, shown = await call("GET", f"{HOME}/alerts/{alert['id']}")
    assert (shown["summary"]["sent"], shown["summary"]["pending"]) == (1, 0)


async def test_what_was_held_back_is_counted(call: Caller) -> None:
    """A subscription whose destinations are disabled would have been told: it is suppressed."""
    call.bench.pipeline.disabled = frozenset({call.bench.ruleset.ids["destination", "default", "page"]})
    alert = await alert_of(call)
    assert alert["summary"]["suppressed"] == 1


async def test_an_operator_takes_note(call: Caller) -> None:
    """Who was first and when stands in the alert, in lists, and once in the audit log; a second call changes nothing."""
    alert = await alert_of(call)
    assert (alert["acknowledged_at"], alert["acknowledged_by"]) == (None, None)
    path = f"{HOME}/alerts/{alert['id']}"
    status, first = await call("POST", f"{path}/acknowledge", "operator")
    assert (status, first["acknowledged_by"]) == (200, "operator")
    assert first["acknowledged_at"].endswith("Z")
    status, second = await call("POST", f"{path}/acknowledge", "admin")
    noted = (first["acknowledged_at"], "operator")
    assert (status, (second["acknowledged_at"], second["acknowledged_by"])) == (200, noted)
    for _, shown in (await call("GET", path), await call("GET", f"/api/v1/alerts/{alert['id']}")):
        assert (shown["acknowledged_at"], shown["acknowledged_by"]) == noted
    assert [each["id"] for each in (await call("GET", f"{HOME}/alerts?acknowledged=true"))[1]["items"]] == [alert["id"]]
    _, log = await call("GET", f"{HOME}/audit?kind=alert")
    assert [(each["actor"], each["action"], each["name"]) for each in log["items"]] == [
        ("operator", "acknowledged", alert["id"])
    ]


async def test_who_may_not_take_note(call: Caller) -> None:
    """A viewer, a sender and another workspace's admin may not, and leave nothing behind; nobody is 401."""
    alert = await alert_of(call)
    path = f"{HOME}/alerts/{alert['id']}/acknowledge"
    for who, wanted in (("viewer", 403), ("intake", 403), ("other-admin", 403), (None, 401)):
        assert (await call("POST", path, who))[0] == wanted
    other = path.replace("default", "other")
    assert (await call("POST", other, "other-admin"))[0] == 404
    assert (await call("GET", f"{HOME}/alerts?acknowledged=true"))[1]["items"] == []
    assert (await call("GET", f"{HOME}/audit?kind=alert"))[1]["items"] == []


@pytest.mark.parametrize("name", ["alt_0000000000000001", "nothing", "dlv_0000000000000001"])
async def test_only_an_alert_is_acknowledged(call: Caller, name: str) -> None:
    """What is no alert of the workspace is 404."""
    assert (await call("POST", f"{HOME}/alerts/{name}/acknowledge"))[0] == 404
