"""The default subscriptions over HTTP: there without having been made, edited, switched off, and there again."""

from __future__ import annotations

from typing import Any

from alertd.model.catalogue import catalogue
from tests.unit.api.bench import HOME, running
from tests.unit.api.test_resources import MADE, make

BACKUP = {"type": "database_backup_failed", "severity": "critical", "project": "shop"}


async def verdicts(call: Any, **event: Any) -> list[tuple[str, str, list[str]]]:
    """Explain an event; say what the default subscriptions make of it that are in scope, each with its destinations."""
    said = {name: value for name, value in (BACKUP | event).items() if value is not None}
    _, explained = await call("POST", f"{HOME}/explain", json=said)
    found = [v for v in explained["verdicts"] if v["subscription"].startswith("default") and v["verdict"] != "project"]
    sent = {d["destination"] for d in explained["deliveries"]}
    return [(each["subscription"], each["verdict"], sorted(sent & {"owner-email", "new-hook"})) for each in found]


async def test_every_workspace_and_every_project_has_one() -> None:
    """They are listed and shown as built in, also for projects made later, and go with them."""
    async with running() as call:
        await make(call, "projects", MADE["projects"])
        _, listed = await call("GET", f"{HOME}/subscriptions?built_in=true", "viewer")
        assert [each["name"] for each in listed["items"]] == ["default", "default-shop"]
        _, shown = await call("GET", f"{HOME}/subscriptions/default-shop", "viewer")
        assert shown["built_in"] is True
        assert shown["provisioned"] is False
        assert (shown["projects"], shown["channels"]) == (["shop"], ["critical-types"])
        assert (shown["destinations"], shown["enabled"]) == (["owner-email"], True)
        assert (await call("DELETE", f"{HOME}/projects/shop"))[0] == 204
        assert (await call("GET", f"{HOME}/subscriptions/default-shop"))[0] == 404


async def test_it_hears_the_critical_types_of_now() -> None:
    """Those of the catalogues, a type of one's own, and none that is not critical."""
    async with running() as call:
        await make(call, "projects", MADE["projects"])
        critical = {each.name for name in ("paas", "alertd") for each in catalogue(name) if each.severity == "critical"}
        _, channel = await call("GET", f"{HOME}/channels/critical-types")
        assert set(channel["types"]) == critical
        assert await verdicts(call) == [("default-shop", "sent", ["owner-email"])]
        assert await verdicts(call, project=None) == [("default", "sent", ["owner-email"])]
        assert await verdicts(call, type="run:failed") == []
        assert await verdicts(call, type="payment:lost") == []
        await make(call, "event-types", {"name": "payment:lost", "severity": "critical"})
        assert await verdicts(call, type="payment:lost") == [("default-shop", "sent", ["owner-email"])]
        await make(call, "event-types", {"name": BACKUP["type"], "severity": "error"})
        assert await verdicts(call) == []


async def test_metrics_do_not_name_what_producers_chose() -> None:
    """A project may come from an event; the default subscriptions of all are counted as one, others under their names."""
    async with running() as call:
        await make(call, "projects", MADE["projects"])
        own = {"channels": ["critical-types"], "destinations": ["owner-email"]}
        await make(call, "subscriptions", {"name": "night-shift", **own})
        await call.sent({"type": "app_crashed", "project": "shop"}, {"type": "app_crashed"})
        metrics, counted = call.bench.metrics.registry, {"workspace": "default", "verdict": "sent"}
        names = {
            sample.labels["subscription"]: sample.value
            for metric in metrics.collect()
            for sample in metric.samples
            if sample.name == "alertd_verdicts_total" and sample.labels.items() >= counted.items()
        }
        assert names == {"default": 2, "everything": 2, "night-shift": 2}


async def test_a_metric_is_named_by_what_decides_now() -> None:
    """What becomes an operator's own is counted under its name from then on."""
    async with running() as call:
        await make(call, "projects", MADE["projects"])
        await call.sent({"type": "app_crashed", "project": "shop"})
        await make(
            call, "subscriptions", {"name": "default-shop", "channels": ["critical-types"], "destinations": ["hook"]}
        )
        await call.sent({"type": "app_crashed", "project": "shop"})
        value = call.bench.metrics.registry.get_sample_value
        for name in ("default", "default-shop"):
            labels = {"workspace": "default", "subscription": name, "verdict": "sent"}
            assert value("alertd_verdicts_total", labels) == 1


async def test_it_can_be_edited_and_switched_off() -> None:
    """A change makes it the workspace's own; deleting that brings the default back, which cannot be deleted itself."""
    async with running() as call:
        await make(call, "projects", MADE["projects"])
        await make(call, "destinations", MADE["destinations"])
        where = f"{HOME}/subscriptions/default-shop"
        _, shown, headers = await call.full("GET", where)
        assert (await call("PATCH", where, json={"enabled": False}))[0] == 428
        fresh = {"If-Match": headers["ETag"]}
        status, changed, headers = await call.full("PATCH", where, json={"destinations": ["new-hook"]}, headers=fresh)
        assert (status, changed["built_in"], changed["destinations"]) == (200, False, ["new-hook"])
        assert await verdicts(call) == [("default-shop", "sent", ["new-hook"])]
        assert (await call("PATCH", where, json={"enabled": False}, headers=fresh))[0] == 412
        fresh = {"If-Match": headers["ETag"]}
        assert (await call("PUT", where, json={**shown, "enabled": False}, headers=fresh))[0] == 200
        assert await verdicts(call) == [("default-shop", "disabled", [])]
        assert (await call("DELETE", where))[0] == 204
        _, again = await call("GET", where)
        assert (again["built_in"], again["enabled"]) == (True, True)
        status, problem = await call("DELETE", where)
        assert status == 409
        assert "switch it off instead" in problem["detail"]


async def test_one_can_be_made_by_its_name() -> None:
    """A subscription made under the name of a default stands in its place."""
    async with running() as call:
        await make(call, "subscriptions", {"name": "default", "channels": ["run:failed"], "destinations": ["hook"]})
        _, listed = await call("GET", f"{HOME}/subscriptions?name=default")
        assert [each["built_in"] for each in listed["items"]] == [False]
        assert await verdicts(call, project=None) == []


async def test_what_it_joins_is_built_in() -> None:
    """Its channel and destination are shown by name, cannot be changed, and can be used by others."""
    async with running() as call:
        for where in (f"{HOME}/channels/critical-types", f"{HOME}/destinations/owner-email"):
            _, shown, headers = await call.full("GET", where)
            assert shown["built_in"] is True
            fresh = {"If-Match": headers["ETag"]}
            for method in ("PUT", "PATCH", "DELETE"):
                status, problem = await call(method, where, json={"title": "T"}, headers=fresh)
                assert status == 409
                assert "built in" in problem["detail"]
        assert (await call("POST", f"{HOME}/destinations", json={"name": "owner-email", "type": "null"}))[0] == 409
        tell = {"name": "tell", "channels": ["critical-types"], "destinations": ["owner-email", "hook"]}
        await make(call, "subscriptions", tell)
        _, tested = await call("POST", f"{HOME}/destinations/owner-email/test", "operator")
        assert tested["destination"] == "owner-email"


async def test_a_workspace_without_catalogues_has_none() -> None:
    """Where no critical type is known there is nothing to tell; the first one of one's own brings it."""
    async with running() as call:
        where = "/api/v1/workspaces/bare"
        assert (await call("POST", "/api/v1/workspaces", "root", json={"name": "bare", "catalogues": []}))[0] == 201
        assert (await call("GET", f"{where}/subscriptions", "root"))[1]["items"] == []
        lost = {"name": "payment:lost", "severity": "critical"}
        assert (await call("POST", f"{where}/event-types", "root", json=lost))[0] == 201
        _, listed = await call("GET", f"{where}/subscriptions", "root")
        assert [each["name"] for each in listed["items"]] == ["default"]
