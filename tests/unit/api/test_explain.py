"""Explain over HTTP and on the command line: the exact answer to who would be told and why, with nothing done."""

from __future__ import annotations

import pytest

from alertd.model.event import Bounds
from alertd.resources.kinds import SUBSCRIPTION
from tests.unit.api.bench import HOME, running
from tests.unit.api.test_issues import error

EXPLAIN = f"{HOME}/explain"


async def test_it_says_what_would_be_decided_and_does_nothing() -> None:
    """The verdicts are those that the same event gets when it is sent; nothing of the explained one is stored."""
    event = {"type": "run:failed", "severity": "info", "project": "shop"}
    async with running() as call:
        status, plan = await call("POST", EXPLAIN, "viewer", json=event)
        assert status == 200
        assert [(v["subscription"], v["reason"]) for v in plan["verdicts"]] == [
            ("everything", None), ("serious", "severity"), ("elsewhere", "environment"),
        ]  # fmt: skip
        assert [(d["destination"], d["subscription"]) for d in plan["deliveries"]] == [("hook", "everything")]
        assert plan["event"]["type"] == "run:failed"
        assert (await call("GET", f"{HOME}/events"))[1]["items"] == []
        (sent,) = await call.sent(event)
        _, stored = await call("GET", f"{HOME}/events/{sent}")
        assert stored["verdicts"] == plan["verdicts"]


async def test_the_bounds_are_those_of_the_intake() -> None:
    """What the intake would not take is not explained, and what it would take is, whatever the defaults are."""
    async with running() as call:
        event = {"type": "t", "message": "x" * 500}
        for most, expected in ((300_000, 200), (100, 413)):
            call.bench.context.bounds = lambda most=most: Bounds(max_event_bytes=most)
            assert (await call("POST", EXPLAIN, json=event))[0] == expected
        call.bench.context.bounds = lambda: Bounds(max_event_bytes=300_000, max_body_bytes=600_000)
        assert (await call("POST", EXPLAIN, json={"type": "t", "message": "x" * 280_000}))[0] == 200


async def test_a_workspace_that_goes_while_the_event_comes() -> None:
    """It is 404, as it would have been a moment later."""
    async with running() as call:
        await call("POST", "/api/v1/workspaces", json={"name": "lab"})
        event = call.late_for("lab", b'{"type": ', b'"t"}')
        status, problem = await call("POST", "/api/v1/workspaces/lab/explain", data=event)
        assert (status, "'lab'" in problem["detail"]) == (404, True)


async def test_an_error_is_explained_with_what_its_issue_makes_of_it() -> None:
    """Its trigger and its place in a cooldown are those that it would have; explaining begins no issue and ends none."""
    async with running() as call:
        document = {"name": "told", "channels": ["all"], "destinations": ["hook"], "triggers": ["new", "regression"]}
        await call.bench.registry.create(SUBSCRIPTION, "default", {**document, "cooldown_seconds": 60}, "test")
        for number, word in ((1, "sent"), (2, "trigger"), (3, "cooldown")):
            if number == 3:
                await call("POST", f"{HOME}/issues/SHOP-1/resolve")
            for _ in range(2):
                _, plan = await call("POST", EXPLAIN, "viewer", json=error(number))
                assert {v["subscription"]: v["verdict"] for v in plan["verdicts"]}["told"] == word
            (sent,) = await call.sent(error(number))
            _, stored = await call("GET", f"{HOME}/events/{sent}")
            assert {v["subscription"]: v["verdict"] for v in stored["verdicts"]}["told"] == word
        _, issue = await call("GET", f"{HOME}/issues/SHOP-1")
        assert (issue["event_count"], len(issue["transitions"])) == (3, 3)


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 400), (b"{", 400), (b"[]", 422), (b'[{"type": "x"}]', 422), (b"{}", 422), (b"7", 422)]
)
async def test_only_one_event_is_explained(body: bytes, status: int) -> None:
    """What is not one event is refused as the intake refuses it."""
    async with running() as call:
        assert (await call("POST", EXPLAIN, data=body))[0] == status


async def test_another_workspace_is_not_explained() -> None:
    """An event may not name another workspace than the path's; who only sends may not ask."""
    async with running() as call:
        assert (await call("POST", EXPLAIN, json={"type": "x", "workspace": "other"}))[0] in (403, 422)
        assert (await call("POST", EXPLAIN, "intake", json={"type": "x"}))[0] == 403
        assert (await call("POST", EXPLAIN, "other-admin", json={"type": "x"}))[0] == 403


async def test_what_it_would_make_is_explained_too() -> None:
    """A derived event stands in `makes` with its own verdicts, and the count with its next step in `progress`."""
    async with running() as call:
        _, first = await call("POST", EXPLAIN, json={"type": "app_crashed_repeated", "project": "shop"})
        assert (first["makes"], first["progress"][0]["count"], first["progress"][0]["next"]) == ([], 1, 2)
        await call.sent({"type": "app_crashed_repeated", "project": "shop"})
        _, second = await call("POST", EXPLAIN, json={"type": "app_crashed_repeated", "project": "shop"})
        (made,) = second["makes"]
        assert made["event"]["type"] == "app_crashed"
        assert "everything" in [v["subscription"] for v in made["verdicts"]]


async def test_what_it_would_make_of_an_issue_is_explained_too() -> None:
    """The transition and the incident are told by the events, and to those, that tell of them when it is sent; then there is no more."""
    async with running() as call:
        for number, kinds in (
            (1, ["incident.opened", "issue.new"]),
            (2, []),
            (3, ["incident.opened", "issue.regression"]),
        ):
            if number == 3:
                await call("POST", f"{HOME}/issues/SHOP-1/resolve")
            _, plan = await call("POST", EXPLAIN, "viewer", json=error(number))
            assert [made["event"]["type"] for made in plan["makes"]] == kinds
            (sent,) = await call.sent(error(number))
            for made in plan["makes"]:
                assert "everything" in [each["subscription"] for each in made["deliveries"]]
            _, stored = await call("GET", f"{HOME}/events/{sent}")
            assert {made["type"] for made in stored["made"]} == {*kinds}
