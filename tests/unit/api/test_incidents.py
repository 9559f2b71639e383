"""Incidents over HTTP: opened by deployments and reports, told of, resolved, simulated; who may, and what is noted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from alertd.clock import rfc3339
from alertd.destinations.about_issue import issue_of
from alertd.resources.kinds import CHANNEL, DESTINATION, SUBSCRIPTION, WORKSPACE
from tests.unit.api.bench import HOME, running
from tests.unit.api.test_issues import error
from tests.unit.engine.issues.test_upstream import webhook

if TYPE_CHECKING:
    from alertd.destinations.base import Message
    from tests.unit.api.bench import Caller

WHERE = f"{HOME}/incidents"
FRAMES = [
    {"filename": "shop/views.py", "function": "pay"},
    {"filename": "shop/cart.py", "function": "total", "in_app": True},
]
CRASH: Any = {"exception": {"values": [{"type": "KeyError", "value": "'sku'", "stacktrace": {"frames": FRAMES}}]}}


def push(number: int, *files: str, **data: Any) -> dict[str, Any]:
    """Make the event of a push to the default branch, in the layout of the decoder."""
    commit = {"sha": f"{number:040x}", "message": f"Change {number}", "author": {"name": "Ann"}, "files": list(files)}
    return {
        "type": "github.push", "id": f"push-{number}", "project": "shop", "key": "acme/shop:refs/heads/main",
        "data": {
            "event": "push", "repository": {"full_name": "acme/shop"}, "is_default_branch": True, "branch": "main",
            "after": f"{number:040x}", "commits": [commit], **data,
        },
    }  # fmt: skip


def deploy(call: Caller, number: int, environment: str = "prod") -> dict[str, Any]:
    """Make the event of a deployment that succeeded just now."""
    return {
        "type": "github.deployment_status.created", "id": f"deploy-{number}", "project": "shop",
        "environment": environment, "key": f"acme/shop:{number}", "time": rfc3339(call.bench.clock.now_ms()),
        "data": {
            "event": "deployment_status", "repository": {"full_name": "acme/shop"},
            "status": {"state": "success", "environment": environment},
            "deployment": {"sha": f"{number:040x}", "ref": f"v{number}"},
        },
    }  # fmt: skip


def report(number: int, key: str = "r") -> dict[str, Any]:
    """Make a native event that reports an incident."""
    data = {"title": "TimeoutError: no answer", "level": "error", **CRASH}
    return {"type": "incident.reported", "id": f"report-{number}", "project": "shop", "environment": "prod",
            "severity": "error", "key": key, "data": data}  # fmt: skip


async def listening(call: Caller, *types: str, **subscription: Any) -> None:
    """Tell a destination of such events."""
    registry = call.bench.registry
    await registry.create(DESTINATION, "default", {"name": "told", "type": "null"}, "test")
    await registry.create(CHANNEL, "default", {"name": "told", "kind": "list", "types": list(types)}, "test")
    document = {"name": "told", "channels": ["told"], "destinations": ["told"], **subscription}
    await registry.create(SUBSCRIPTION, "default", document, "test")


async def told(call: Caller, count: int) -> list[Message]:
    """Wait until a destination was told so often, and return what it was told, in order."""
    door = call.bench.doors["default", "told"]
    async with asyncio.timeout(60):
        while len(door.messages) < count:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)
    assert len(door.messages) == count
    return sorted(door.messages, key=lambda message: message.delivery_id)


async def incidents(call: Caller, query: str = "") -> list[dict[str, Any]]:
    """List incidents, oldest first."""
    items: list[dict[str, Any]] = (await call("GET", f"{WHERE}?{query}", "viewer"))[1]["items"]
    return items[::-1]


async def test_a_deployment_and_what_follows_it() -> None:
    """Both are incidents; the second names the first, its commits, and whom to ask; the issue shows it too."""
    async with running() as call:
        await call.sent(push(1, "shop/cart.py"), push(2, "docs/index.md"))
        await call.sent(deploy(call, 2, "staging"))
        await call.sent({**error(1, **CRASH), "environment": "staging"})
        *informed, incident = await incidents(call)
        assert [each["kind"] for each in informed] == ["deploy"] * 3
        assert {each["state"] for each in informed} == {"resolved"}
        (shown,) = incident["deploys"]
        assert (shown["name"], [c["message"] for c in shown["commits"]]) == ("v2", ["Change 2", "Change 1"])
        assert incident["suspect_commits"][0]["id"] == f"{1:040x}"
        assert "shop/cart.py, where it crashed" in incident["suspect_commits"][0]["reasons"][0]
        _, issue = await call("GET", f"{HOME}/issues/SHOP-1")
        assert issue["suspect_commits"] == incident["suspect_commits"]
        assert issue["incident"]["id"] == incident["id"]


async def test_an_issue_without_an_incident_has_suspects() -> None:
    """They are had at any time, and are those of the moment when it last became news: what was pushed since did not do it."""
    async with running() as call:
        await call.sent(push(1, "shop/cart.py"))
        await call.sent({**error(1, **CRASH), "environment": "dev"})
        assert [each["kind"] for each in await incidents(call)] == ["deploy"]

        async def suspected() -> list[str]:
            _, issue = await call("GET", f"{HOME}/issues/SHOP-1")
            assert issue["incident"] is None
            return [each["id"] for each in issue["suspect_commits"]]

        assert await suspected() == [f"{1:040x}"]
        await call.sent(push(2, "shop/cart.py"))
        await call.sent({**error(2, **CRASH), "environment": "dev"})
        assert await suspected() == [f"{1:040x}"]


async def test_incidents_are_filtered_by_their_fields() -> None:
    """Each filter is named as the field that it is about, and they hold together; open has acknowledged ones too."""
    async with running() as call:
        await call.sent(push(1, "shop/cart.py"), {**push(2), "project": "web"}, report(1), report(2, "other"))
        await call.sent({**report(3), "environment": "staging"})
        *_, first = (await call("GET", f"{WHERE}?kind=reported"))[1]["items"]
        await call("POST", f"{WHERE}/{first['id']}/acknowledge")

        async def count(filters: str) -> int:
            _, page = await call("GET", f"{WHERE}?{filters}")
            return len(page["items"])

        assert [await count(f"kind={kind}") for kind in ("deploy", "reported", "issue", "simulated")] == [2, 3, 0, 0]
        assert [await count(f"project={name}") for name in ("shop", "web", "nowhere")] == [4, 1, 0]
        assert [await count(f"environment={name}") for name in ("prod", "staging")] == [2, 1]
        assert [await count(f"state={word}") for word in ("open", "acknowledged", "resolved")] == [3, 1, 2]
        assert await count("kind=deploy&project=web&state=resolved&limit=1") == 1
        for name in ("kind", "state"):
            status, refused = await call("GET", f"{WHERE}?{name}=x")
            assert (status, refused["errors"][0]["pointer"]) == (422, f"/{name}")


async def test_no_incidents_where_they_are_not_wanted() -> None:
    """What an endpoint wants no word of explains errors all the same."""
    async with running() as call:
        await call.sent(push(1, "shop/cart.py", deploy_incidents=False))
        assert await incidents(call) == []
        await call.sent(error(1, **CRASH))
        (incident,) = await incidents(call)
        assert incident["suspect_commits"][0]["id"] == f"{1:040x}"


async def test_each_incident_is_told_once_and_so_is_its_end() -> None:
    """`incident.opened` with the crash and the suspects, `incident.resolved` with the same key; a repeat tells nobody."""
    async with running() as call:
        await listening(call, "incident.opened", "incident.resolved")
        await call.sent(push(1, "shop/cart.py"), report(1))
        await call.sent(report(1))
        await call.sent(report(2))
        *_, incident = await incidents(call)
        assert [moment["what"] for moment in incident["timeline"]] == ["opened", "reported"]
        one = f"{WHERE}/{incident['id']}"
        for _ in range(2):
            assert (await call("POST", f"{one}/resolve", "operator"))[1]["state"] == "resolved"
        messages = await told(call, 3)
        assert [message.event_type for message in messages] == [
            "incident.opened",
            "incident.opened",
            "incident.resolved",
        ]
        _, page = await call("GET", f"{HOME}/events?type=incident.opened")
        opened = page["items"][0]
        assert (opened["key"], opened["severity"], opened["source"]) == (incident["id"], "error", "alertd")
        assert opened["data"]["exception"]["values"][0]["stacktrace"]["frames"][-1]["filename"] == "shop/cart.py"
        assert opened["data"]["incident"]["suspect_commits"][0]["id"] == f"{1:040x}"
        _, page = await call("GET", f"{HOME}/events?type=incident.resolved")
        assert [event["key"] for event in page["items"]] == [incident["id"]]


async def test_quiet_ends_an_incident_and_tells_of_it() -> None:
    """Once, whenever time is looked at; a later event opens another."""
    async with running() as call:
        await listening(call, "incident.resolved")
        await call.sent(error(1))
        pipeline, now_ms = call.bench.pipeline, call.bench.clock.now_ms()
        for later in (0, 30 * 60_000 + 5_000, 40 * 60_000, 50 * 60_000):
            await pipeline.settle(now_ms + later)
        (message,) = await told(call, 1)
        assert b"quiet for 30 minutes" in message.event
        assert (await incidents(call))[0]["state"] == "resolved"
        _, issue = await call("GET", f"{HOME}/issues/SHOP-1")
        assert issue["incident"] is None
        await call("POST", f"{HOME}/issues/SHOP-1/resolve")
        await call.sent(error(2))
        assert [each["trigger"] for each in await incidents(call)] == ["new", "regression"]


async def test_with_its_issue_an_incident_is_resolved() -> None:
    """Whoever resolves the issue need not resolve the incident; when it comes back another one is opened, and told."""
    async with running() as call:
        await listening(call, "incident.opened", "incident.resolved")
        await call.sent(error(1), error(2, key="other"))
        for _ in range(2):
            _, issue = await call("POST", f"{HOME}/issues/SHOP-1/resolve", "operator")
            assert (issue["state"], issue["incident"]) == ("resolved", None)
        await call.sent(error(3))
        await told(call, 4)
        first, other, second = await incidents(call)
        assert [each["state"] for each in (first, other, second)] == ["resolved", "open", "open"]
        _, page = await call("GET", f"{HOME}/events?type=incident.resolved")
        assert page["items"][0]["data"]["issue"]["state"] == "resolved"
        last = first["timeline"][-1]
        assert (last["what"], last["text"], last["by"]) == ("resolved", "SHOP-1 was resolved", "operator")
        assert (second["trigger"], second["issue_id"]) == ("regression", first["issue_id"])
        _, page = await call("GET", f"{HOME}/events?type=incident.resolved")
        assert [event["key"] for event in page["items"]] == [first["id"]]


async def test_what_people_do_to_an_issue_is_in_the_timeline_of_its_incident() -> None:
    """Assigned and muted, with who did it; the incident goes on."""
    async with running() as call:
        await call.sent(error(1))
        await call("POST", f"{HOME}/issues/SHOP-1/assign", "operator", json={"assignee": "ann"})
        await call("POST", f"{HOME}/issues/SHOP-1/mute", "operator", json={"events": 5})
        (incident,) = await incidents(call)
        assert [(m["what"], m["by"]) for m in incident["timeline"]] == [
            ("opened", None),
            ("assigned", "operator"),
            ("muted", "operator"),
        ]
        assert incident["state"] == "open"


async def test_sentry_resolves_an_incident_with_its_issue() -> None:
    """As soon as its webhook tells; the next error opens another one."""
    async with running() as call:
        await listening(call, "incident.opened", "incident.resolved")
        await call.sent(error(1, key="77"))
        word = replace(webhook("resolved"), project="shop")
        await call.bench.pipeline.submit([word], len(word.payload), "sentry")
        await call.sent(error(2, key="77"))
        types = [message.event_type for message in await told(call, 3)]
        assert types == ["incident.opened", "incident.resolved", "incident.opened"]
        assert [each["state"] for each in await incidents(call)] == ["resolved", "open"]


async def test_what_sentry_finds_is_told_where_the_issue_was_seen() -> None:
    """Its webhooks about issues name no environment: who listens in production alone hears of a regression there."""
    async with running() as call:
        await listening(call, "issue.regression", "incident.opened", environments=["prod"])
        await call.sent(error(1, key="77"))
        for action, status in (("resolved", "resolved"), ("unresolved", "regressed")):
            word = replace(webhook(action, substatus=status), project="shop")
            await call.bench.pipeline.submit([word], len(word.payload), "sentry")
        messages = await told(call, 3)
        types = [message.event_type for message in messages]
        assert sorted(types) == ["incident.opened", "incident.opened", "issue.regression"]
        assert {issue_of(message)["short_id"] for message in messages} == {"SHOP-1"}
        assert [(each["trigger"], each["environment"]) for each in await incidents(call)] == [
            ("new", "prod"),
            ("regression", "prod"),
        ]


async def test_a_simulated_incident_is_a_test_everywhere() -> None:
    """Its events, its incident and its messages are marked; its end is told as one too; nothing of it is counted."""
    async with running() as call:
        await listening(call, "incident.opened", "incident.resolved", "incident.reported")
        status, incident = await call(
            "POST", f"{WHERE}/simulate", "operator", json={"project": "shop", "severity": "critical"}
        )
        assert (status, incident["kind"], incident["test"]) == (201, "simulated", True)
        assert (incident["project"], incident["environment"], incident["severity"]) == ("shop", "prod", "critical")
        assert incident["suspect_commits"][0]["reasons"][0].startswith("changed shop/payment.py, where it crashed")
        await call("POST", f"{WHERE}/{incident['id']}/resolve", "operator")
        messages = await told(call, 3)
        assert [(m.event_type, m.test, m.note) for m in messages] == [
            (kind, True, "simulated") for kind in ("incident.reported", "incident.opened", "incident.resolved")
        ]
        assert all(b"imulated" in message.event for message in messages)
        _, shown = await call("GET", f"{HOME}/subscriptions/told")
        assert (shown["fired_total"], shown["sent_total"], shown["delivered_total"]) == (0, 0, 0)
        metrics = call.bench.metrics.registry
        assert metrics.get_sample_value("alertd_events_total", {"source": "simulation", "result": "accepted"}) == 1
        verdicts = {"workspace": "default", "subscription": "told", "verdict": "sent"}
        assert metrics.get_sample_value("alertd_verdicts_total", verdicts) is None
        assert "shop" not in [p["name"] for p in (await call("GET", f"{HOME}/projects"))[1]["items"]]
        await call.sent(error(1, **CRASH))
        assert (await call("GET", f"{HOME}/issues/SHOP-1"))[1]["suspect_commits"] == []


async def test_each_simulation_is_its_own() -> None:
    """Two are two incidents, and neither is taken for a real report."""
    async with running() as call:
        for _ in range(2):
            assert (await call("POST", f"{WHERE}/simulate", "operator"))[0] == 201
        await call.sent(report(1))
        assert [each["kind"] for each in await incidents(call, "state=open")] == ["simulated", "simulated", "reported"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"severity": "sad"}, "/severity"),
        ({"project": ""}, "/project"),
        ({"message": ""}, "/message"),
        ({"x": 1}, "/x"),
    ],
)
async def test_a_bad_simulation_does_nothing(body: dict[str, Any], pointer: str) -> None:
    """The bad field is named."""
    async with running() as call:
        status, problem = await call("POST", f"{WHERE}/simulate", json=body)
        assert (status, [e["pointer"] for e in problem["errors"]]) == (422, [pointer])
        assert await incidents(call) == []


async def test_who_may_and_what_is_noted() -> None:
    """An operator simulates and resolves, a viewer and who may only send do not; the log names who did it."""
    async with running() as call:
        for who, status in (("intake", 403), ("viewer", 403), (None, 401), ("other-admin", 403), ("operator", 201)):
            assert (await call("POST", f"{WHERE}/simulate", who))[0] == status
        (incident,) = await incidents(call)
        assert (await call("POST", f"{WHERE}/{incident['id']}/resolve", "viewer"))[0] == 403
        assert (await call("POST", f"{WHERE}/{incident['id']}/acknowledge", "operator"))[0] == 200
        _, page = await call("GET", f"{HOME}/audit?kind=incident")
        assert [(e["actor"], e["action"], e["name"]) for e in page["items"]] == [
            ("operator", "acknowledged", incident["id"]),
            ("operator", "simulated", incident["id"]),
        ]


async def test_sentry_tells_what_became_of_an_issue() -> None:
    """What is resolved there is resolved here, and the alert carries the issue; its next error is a regression, once."""
    async with running() as call:
        await listening(call, "sentry.issue.resolved")
        await call.sent(error(1, key="77"))
        for _ in range(2):
            word = replace(webhook("resolved"), project="shop")
            await call.bench.pipeline.submit([word], len(word.payload), "sentry")
        (message,) = await told(call, 1)
        assert message.issue is not None
        _, issue = await call("GET", f"{HOME}/issues/SHOP-1")
        assert (issue["state"], issue["transitions"][0]["by"]) == ("resolved", "sentry")
        await call.sent(error(2, key="77"), error(3, key="77"))
        _, issue = await call("GET", f"{HOME}/issues/SHOP-1")
        assert [t["change"] for t in issue["transitions"]] == ["regression", "resolved", "new"]


async def test_who_may_but_send_events_has_no_say_in_issues() -> None:
    """What writes like Sentry's webhook is stored as the event that it is, and mutes and resolves nothing."""
    async with running() as call:
        await call.sent(error(1, key="77"))
        for action in ("archived", "resolved", "assigned"):
            data = {"action": action, "issue_id": "77", "assignee": {"name": "eve"}}
            word = {"type": f"sentry.issue.{action}", "source": "sentry", "project": "shop", "key": "77", "data": data}
            assert (await call("POST", "/api/v1/events", "intake", json=word))[0] == 202
        _, issue = await call("GET", f"{HOME}/issues/SHOP-1")
        assert (issue["state"], issue["assignee"]) == ("new", None)
        assert [t["change"] for t in issue["transitions"]] == ["new"]


async def test_what_is_simulated_keeps_nothing_real_from_being_told() -> None:
    """An error that calls itself simulated begins no issue: the real one is new, and its cooldown has not begun."""
    async with running() as call:
        await listening(call, "sentry.error", cooldown_seconds=3600)
        for _ in range(2):
            await call.sent({**error(1), "id": None, "source": "alertd/simulation"})
        await call.sent(error(2), error(3))
        assert [message.test for message in await told(call, 2)] == [True, False]
        _, issue = await call("GET", f"{HOME}/issues/SHOP-1")
        assert (issue["event_count"], [t["change"] for t in issue["transitions"]]) == (2, ["new"])


async def test_a_workspace_chooses_what_opens_incidents() -> None:
    """By environment, for each trigger; after a deployment or not; and how much quiet ends them."""
    async with running() as call:
        chosen = {"new": ["staging"], "regression": None, "after_deploy_seconds": 0, "quiet_seconds": 60}
        await call.bench.registry.create(WORKSPACE, "mine", {"name": "mine", "incidents": chosen}, "test")
        home = "/api/v1/workspaces/mine"

        async def errs(number: int, environment: str, *more: dict[str, Any]) -> None:
            found = {**error(number, key=environment), "environment": environment}
            await call.sent(*({**each, "workspace": "mine"} for each in (*more, found)))

        await errs(1, "prod", deploy(call, 1))
        await errs(2, "staging")
        await call("POST", f"{home}/issues/SHOP-1/resolve")
        await errs(3, "prod")
        kinds = [(i["kind"], i["environment"]) for i in (await call("GET", f"{home}/incidents"))[1]["items"]]
        assert kinds == [("issue", "staging"), ("deploy", "prod")]
        await call.bench.pipeline.settle(call.bench.clock.now_ms() + 61_000)
        assert (await call("GET", f"{home}/incidents?state=open"))[1]["items"] == []
