"""Acceptance: what counts, what is made of it, and who hears of it, through kills and restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.daemon import Daemon, eventually, hook, route, workspace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")

CRASH = "app_crashed_repeated"
RUN = {"type": "object", "required": ["run_id"], "properties": {"run_id": {"type": "integer"}}}


def with_rules(hooks: list[dict[str, Any]], routes: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Write a configuration with more in its workspace than channels, destinations and subscriptions."""
    return {"workspaces": [workspace(hooks, routes) | more]}


def heard(receiver: Receiver, path: str) -> list[dict[str, Any]]:
    """Read the events that arrived at a hook, each delivery once (a kill may have sent it again)."""
    return list({request.delivery_id: request.event for request in receiver.got(path)}.values())


async def test_an_app_crashes_through_kills_and_restarts(receiver: Receiver, tmp_path: Path) -> None:
    """Twelve crashes with a kill in between make three alerts, of the 2nd, the 5th and the 12th; a resent one makes none."""
    config = with_rules([hook("app", receiver.url("/app"))], [route("crashed", "app_crashed", "app")])
    async with Daemon(tmp_path, config) as daemon:
        for number in range(1, 13):
            await daemon.send({"type": CRASH, "id": f"crash-{number}", "project": "shop"})
            if number == 4:
                await daemon.kill()
                await daemon.start()
            if number in {2, 4, 7}:
                await daemon.send({"type": CRASH, "id": f"crash-{number}", "project": "shop"})
            if number == 9:
                await daemon.restart()
        await receiver.until(lambda: len(heard(receiver, "/app")) == 3, "three alerts")
        events = heard(receiver, "/app")
        assert [(event["type"], event["data"]["count"]) for event in events] == [("app_crashed", n) for n in (2, 5, 12)]
        made = await daemon.get(f"events/{events[0]['id']}")
        assert (made["source"], made["severity"], made["matched"]) == ("alertd", "critical", True)
        types = (await daemon.metrics())['alertd_events_total{result="accepted",source="alertd"}']
        assert types == 1


async def test_a_ladder_goes_on_after_a_kill(receiver: Receiver, tmp_path: Path) -> None:
    """The 2nd and the 5th are delivered, the others say where they stand."""
    config = with_rules(
        [hook("ladder", receiver.url("/ladder"))], [route("ladder", "boom.*", "ladder", occurrences=[2, 5])]
    )
    async with Daemon(tmp_path, config) as daemon:
        said = []
        for number in range(1, 7):
            [made] = await daemon.send({"type": "boom.x"})
            [verdict] = (await daemon.get(f"events/{made}"))["verdicts"]
            said.append(verdict["verdict"])
            if number == 3:
                await daemon.kill()
                await daemon.start()
        assert said == ["occurrences", "sent", "occurrences", "occurrences", "sent", "occurrences"]
        assert "none is sent any more until a quiet period" in verdict["detail"]
        await receiver.until(lambda: len(heard(receiver, "/ladder")) == 2, "two alerts")


async def test_a_metric_alert_tells_those_that_it_names(receiver: Receiver, tmp_path: Path) -> None:
    """It fires by time alone, reminds, and is over with the next good value; others hear nothing of it."""
    alert = {
        "name": "cpu", "types": ["metrics"], "field": "data.cpu", "when": "above", "limit": 90, "for_seconds": 0.2,
        "reminder_seconds": 0.3, "destinations": ["told"],
    }  # fmt: skip
    hooks = [hook("told", receiver.url("/told")), hook("other", receiver.url("/other"))]
    config = with_rules(hooks, [route("all", "app_*", "other")], metric_alerts=[alert])
    async with Daemon(tmp_path, config) as daemon:
        await daemon.send({"type": "metrics", "project": "shop", "data": {"cpu": 97}})
        await receiver.expect("/told", 2)
        await daemon.send({"type": "metrics", "project": "shop", "data": {"cpu": 20}})
        await receiver.until(lambda: heard(receiver, "/told")[-1]["type"] == "app_alert_resolved", "its end")
        events = heard(receiver, "/told")
        reasons = [event["data"]["reason"] for event in events]
        assert reasons[:2] == ["firing", "reminder"]
        assert sorted(set(reasons)) == ["firing", "reminder", "resolved"]
        assert {(event["project"], event["key"]) for event in events} == {("shop", "cpu/metrics")}
        assert receiver.got("/other") == []
        verdicts = (await daemon.get(f"events/{events[0]['id']}"))["verdicts"]
        assert {v["subscription"]: v["reason"] for v in verdicts} == {"cpu": None, "all": "metric_alert"}


async def test_schemas_flag_or_refuse(receiver: Receiver, tmp_path: Path) -> None:
    """A violation is shown on the event; where the workspace says so it is 422 with its pointer, and nothing is stored."""
    types = [{"name": "run", "data_schema": RUN}]
    config = with_rules([hook("runs", receiver.url("/runs"))], [route("runs", "run", "runs")], event_types=types)
    async with Daemon(tmp_path, config) as daemon:
        await daemon.send({"type": "run", "id": "bad", "data": {"run_id": "x"}})
        await daemon.send({"type": "run", "id": "good", "data": {"run_id": 1}})
        violations = [(await daemon.get(f"events/{name}"))["violations"] for name in ("bad", "good")]
        assert violations == [[{"pointer": "/data/run_id", "detail": '"x" is not of type "integer"'}], []]
        config["workspaces"][0]["schema_policy"] = "refuse"
        daemon.configure(config)
        await daemon.post("/-/reload")
        reply = await daemon.offer({"type": "run", "id": "other", "data": {}}, {"type": "run", "data": {"run_id": 2}})
        assert (reply.status, reply.pointers) == (422, ["/0/data"])
        single = await daemon.offer({"type": "run", "data": {}})
        assert (single.status, single.pointers) == (422, ["/data"])
        assert {item["id"] for item in (await daemon.get("events?type=run"))["items"]} == {"bad", "good"}


async def test_an_old_event_is_explained_by_its_own_ruleset(receiver: Receiver, tmp_path: Path) -> None:
    """What was out of scope is told as it was when it was decided, through reloads and restarts."""
    hooks = [hook("a", receiver.url("/a"))]
    before = with_rules(hooks, [route("one", "x.*", "a", environments=["prod"])])
    after = with_rules(hooks, [route("one", "x.*", "a", projects=["shop"]), route("two", "x.*", "a")])
    async with Daemon(tmp_path, before) as daemon:
        [old] = await daemon.send({"type": "x.y", "environment": "dev"})
        daemon.configure(after)
        await daemon.post("/-/reload")
        [new] = await daemon.send({"type": "x.y", "environment": "dev"})
        for _ in range(2):
            reasons = [
                {v["subscription"]: v["reason"] for v in (await daemon.get(f"events/{made}"))["verdicts"]}
                for made in (old, new)
            ]
            assert reasons == [{"one": "environment"}, {"two": None, "one": "project"}]
            await daemon.restart()


async def test_a_cause_leads_to_what_came_of_it_and_back(receiver: Receiver, tmp_path: Path) -> None:
    """Of derived types, of an alert that fired by time and of its end, of an error: as they then were, through a restart."""
    alert = {"name": "cpu", "types": ["metrics"], "field": "data.cpu", "when": "above", "limit": 90, "for_seconds": 0.2}
    typo = {"name": "memory", "types": ["metrics"], "field": "data.mem", "when": "below", "limit": 10}
    hooks = [hook("all", receiver.url("/all"))]
    config = with_rules(hooks, [route("all", "*", "all", min_severity="error")], metric_alerts=[alert, typo])
    error = {"event_id": "0" * 32, "title": "KeyError: sku", "level": "error"}
    async with Daemon(tmp_path, config) as daemon:

        async def made_of(cause: str) -> list[str]:
            """Name what an event made, each of which must lead back to it."""
            named = (await daemon.get(f"events/{cause}"))["made"]
            causes = [(await daemon.get(f"events/{each['id']}"))["cause"]["id"] for each in named]
            assert causes == [cause] * len(named)
            return sorted(each["type"] for each in named)

        await daemon.send({"type": CRASH, "id": "crash-1"}, {"type": CRASH, "id": "crash-2"})
        await daemon.send({"type": "metrics", "id": "high", "project": "shop", "data": {"cpu": 97}})
        await eventually(lambda: made_of("high"), "the alert to fire")
        await daemon.send({"type": "metrics", "id": "good", "project": "shop", "data": {"cpu": 20}})
        await daemon.send(
            {"type": "sentry.error", "id": "error", "environment": "prod", "severity": "error", "data": error}
        )
        progress = {each["name"]: each["detail"] for each in (await daemon.get("events/high"))["progress"]}
        assert progress == {
            "cpu": "data.cpu is 97, above 90 (the alert fires when that lasts for 0.2 s); by now the value is 20",
            "memory": "the event has no data.mem, so the alert does not look at it",
        }
        daemon.configure(with_rules(hooks, []))
        for _ in range(2):
            found = {cause: await made_of(cause) for cause in ("crash-1", "crash-2", "high", "good", "error")}
            assert found == {
                "crash-1": [],
                "crash-2": ["app_crashed"],
                "high": ["app_alert_triggered"],
                "good": ["app_alert_resolved"],
                "error": ["incident.opened", "issue.new"],
            }
            await daemon.restart()
        gone = (await daemon.get("events/high"))["progress"][0]["detail"]
        assert gone.endswith("; by now no value is followed any more")
