"""Where an event came from and what it made: from the cause to what came of it and back, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from alertd.engine.issues.document import INCIDENT
from alertd.engine.making import made_id
from alertd.model.ids import parse_id
from alertd.resources.kinds import METRIC_ALERT
from tests.unit.api.bench import HOME, running
from tests.unit.api.test_incidents import deploy, report
from tests.unit.api.test_issues import error

if TYPE_CHECKING:
    from tests.unit.api.bench import Caller


async def page(call: Caller, event_id: str) -> dict[str, Any]:
    """Read an event's page."""
    status, found = await call("GET", f"{HOME}/events/{event_id}", "viewer")
    assert status == 200
    return dict(found)


async def made_of(call: Caller, event_id: str) -> list[str]:
    """Name the types of what an event made, and hold each against its own page, which leads back."""
    types = []
    for each in (await page(call, event_id))["made"]:
        back = await page(call, each["id"])
        assert back["cause"]["id"] == event_id
        assert (back["type"], back["severity"], back["message"]) == (each["type"], each["severity"], each["message"])
        types.append(each["type"])
    return types


async def alert(call: Caller, **more: Any) -> None:
    """Make an alert on `data.cpu` above 90."""
    rule = {"name": "cpu", "types": ["m"], "field": "data.cpu", "when": "above", "limit": 90, **more}
    await call.bench.registry.create(METRIC_ALERT, "default", rule, "test")


def value(cpu: float, **more: Any) -> dict[str, Any]:
    """Make an event with a value."""
    return {"type": "m", "project": "shop", "data": {"cpu": cpu}, **more}


async def test_a_derived_type_leads_to_its_cause_and_back() -> None:
    """The event whose count made it has it; the others have nothing, and nothing came of nothing."""
    async with running() as call:
        crash = {"type": "app_crashed_repeated", "project": "shop"}
        first, second = await call.sent(crash, crash)
        assert (await made_of(call, first), await made_of(call, second)) == ([], ["app_crashed"])
        assert (await page(call, second))["cause"] is None


async def test_what_was_made_of_what_was_made() -> None:
    """Each step of a chain names the next."""
    async with running() as call:
        often = {"type": "often", "types": ["app_crashed"], "occurrences": [1], "name": "often"}
        assert (await call("POST", f"{HOME}/derived-types", json=often))[0] == 201
        _, second = await call.sent({"type": "app_crashed_repeated"}, {"type": "app_crashed_repeated"})
        (crashed,) = (await page(call, second))["made"]
        assert await made_of(call, crashed["id"]) == ["often"]


async def test_a_metric_alert_leads_to_the_value_that_made_it_fire() -> None:
    """At once and at its end, among others of the same batch, each with its own cause."""
    async with running() as call:
        await alert(call)
        loud = await call.sent(value(97, key="a"), value(98, key="b"), value(20, key="c"))
        assert [await made_of(call, each) for each in loud] == [["app_alert_triggered"], ["app_alert_triggered"], []]
        quiet = await call.sent(value(20, key="b"))
        assert await made_of(call, quiet[0]) == ["app_alert_resolved"]
        assert (await page(call, quiet[0]))["progress"][0]["detail"] == "data.cpu is 20, not above 90"


async def test_an_alert_that_time_alone_fired_leads_to_the_value_that_began_it() -> None:
    """The first value beyond the limit made it, not one that came while it waited."""
    async with running() as call:
        await alert(call, for_seconds=0.05)
        (first,) = await call.sent(value(97))
        (meanwhile,) = await call.sent(value(97, key="other"))
        while not (await page(call, first))["made"] or not (await page(call, meanwhile))["made"]:
            pass
        assert await made_of(call, first) == ["app_alert_triggered"]
        assert await made_of(call, meanwhile) == ["app_alert_triggered"]


async def test_an_issue_and_its_incident_lead_to_the_error() -> None:
    """`issue.new` and `incident.opened` came of it; the end of the incident, which a person decides, of the same."""
    async with running() as call:
        (sent,) = await call.sent(error(1))
        assert sorted(await made_of(call, sent)) == ["incident.opened", "issue.new"]
        await call("POST", f"{HOME}/issues/SHOP-1/resolve")
        assert sorted(await made_of(call, sent)) == ["incident.opened", "incident.resolved", "issue.new"]
        (again,) = await call.sent(error(2))
        assert sorted(await made_of(call, again)) == ["incident.opened", "issue.regression"]


async def test_what_a_person_did_has_no_event_as_its_cause() -> None:
    """An unmuted issue tells of a command, and of nothing that was sent."""
    async with running() as call:
        (sent,) = await call.sent(error(1))
        for verb in ("mute", "unmute"):
            assert (await call("POST", f"{HOME}/issues/SHOP-1/{verb}"))[0] == 200
        _, listed = await call("GET", f"{HOME}/events?type=issue.unmuted")
        (unmuted,) = listed["items"]
        assert (await page(call, unmuted["id"]))["cause"] is None
        assert "issue.unmuted" not in await made_of(call, sent)


async def test_a_merged_issue_leads_back_as_before() -> None:
    """What told of it knows its event although the issue is another one now."""
    async with running() as call:
        sent = [(await call.sent(error(number, key=f"k{number}")))[0] for number in (1, 2)]
        body = {"issues": ["SHOP-2"]}
        assert (await call("POST", f"{HOME}/issues/SHOP-1/merge", json=body))[0] == 200
        for each in sent:
            assert "issue.new" in await made_of(call, each)


async def test_a_simulated_incident_leads_to_its_report() -> None:
    """It is told of like a real one, and marked as it is."""
    async with running() as call:
        assert (await call("POST", f"{HOME}/incidents/simulate", json={}))[0] in (200, 201)
        _, listed = await call("GET", f"{HOME}/events?type=incident.reported")
        (reported,) = listed["items"]
        assert await made_of(call, reported["id"]) == ["incident.opened"]


async def test_reports_and_deployments_lead_to_their_incidents() -> None:
    """What informs is over at once, and only said to be opened."""
    async with running() as call:
        (reported,) = await call.sent(report(1))
        (deployed,) = await call.sent(deploy(call, 1))
        assert await made_of(call, reported) == ["incident.opened"]
        assert await made_of(call, deployed) == ["incident.opened"]


async def test_a_claim_shows_nothing_of_another_workspace() -> None:
    """Whoever knows the number, or the id, of an event elsewhere cannot have it shown as the cause of one of their own."""
    async with running() as call:
        secret = {**error(1), "workspace": "other"}
        await call.sent(secret)
        _, opened = await call("GET", "/api/v1/workspaces/other/events?type=incident.opened")
        key = opened["items"][0]["key"]
        number = parse_id(INCIDENT, key)
        assert number is not None
        issue = (await call("GET", "/api/v1/workspaces/other/issues"))[1]["items"][0]["id"]
        for claim in (
            {"type": "incident.opened", "id": made_id("incident.opened", "default", number), "key": key},
            {"type": "issue.new", "id": made_id("issue.new", secret["id"]), "data": {"issue": {"id": issue}}},
        ):
            await call.sent({"source": "alertd", **claim})
            assert (await page(call, claim["id"]))["cause"] is None


@pytest.mark.parametrize(
    "claim",
    [
        {"id": "drv-0", "type": "x", "data": {"derived_type": "x", "cause": {"id": "real"}}},
        {"id": "drv-1", "type": "x", "data": {"cause": "real"}},
        {"id": "drv-2", "type": "x", "data": {"cause": {"id": 7}}},
        {"id": "met-0", "type": "x", "data": {"since": "yesterday"}},
        {"id": "met-1", "type": "x", "data": {"since": "0001-01-01T00:00:00Z"}},
        {"id": "met-2", "type": "x"},
        {"id": "issue.new-0", "type": "issue.new", "data": {"issue": {"id": "iss_0000000000000001"}}},
        {"id": "issue.new-1", "type": "issue.new", "data": {"issue": "x"}},
        {"id": "incident.opened-0", "type": "incident.opened", "key": "inc_0000000000000001"},
        {"id": "incident.opened-1", "type": "incident.opened"},
    ],
)
async def test_a_claim_that_is_not_so_leads_nowhere(claim: dict[str, Any]) -> None:
    """A producer may write what alertd would; what does not follow from a cause has none."""
    async with running() as call:
        await call.sent({"type": "t", "id": "real"}, {"source": "alertd", **claim})
        found = await page(call, claim["id"])
        assert (found["cause"], found["made"]) == (None, [])
        assert (await page(call, "real"))["made"] == []
