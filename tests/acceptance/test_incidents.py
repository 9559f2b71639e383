"""Acceptance: from a push and a deployment to the incident that names them, through kills, as services really send it."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from alertd.clock import SystemClock, rfc3339
from tests.acceptance.test_webhooks import door, sent
from tests.daemon import BELOW, PROGRAM, Daemon
from tests.unit.engine.issues.test_change_reports import COMMIT, DEPLOYMENT, PUSH, STATUS
from tests.unit.engine.issues.test_news import REPORT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")
SHA = COMMIT["id"]


def configuration(url: str, *types: str) -> dict[str, Any]:
    """Send what is of these types to a receiver."""
    own = {
        "name": "default",
        "projects": [{"name": "shop", "environments": ["prod"]}],
        "channels": [{"name": "told", "kind": "list", "types": list(types)}],
        "destinations": [{"name": "hook", "type": "webhook", "settings": {"url": url}}],
        "subscriptions": [{"name": "told", "channels": ["told"], "destinations": ["hook"]}],
    }
    return {"workspaces": [own]}


def now(seconds_ago: float = 0) -> str:
    """Write a time."""
    return rfc3339(SystemClock().now_ms() - round(seconds_ago * 1000))


def crash(number: int, file: str = "shop/cart.py", environment: str = "prod") -> dict[str, Any]:
    """Make what an SDK sends for an error."""
    frames = [
        {"filename": "shop/views.py", "function": "pay"},
        {"filename": file, "function": f"total_{file[5:9]}", "in_app": True},
    ]
    raised = {"type": "KeyError", "value": "'sku'", "stacktrace": {"frames": frames}}
    return {
        "event_id": f"{number:032x}",
        "environment": environment,
        "level": "error",
        "exception": {"values": [raised]},
    }


class Shop:
    """A project with its GitHub, its SDK, and its reporter of incidents."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.guids = 0
        self.told_at = 1_778_112_000

    async def open(self, **github: Any) -> Shop:
        """Make its doors."""
        self.github = await door(self.daemon, "github", **github)
        self.reports = await door(self.daemon, "incidents", project="shop")
        self.sentry = await door(self.daemon, "sentry", project="shop")
        made = await self.daemon.post(f"{BELOW}/projects/shop/keys")
        self.store = f"/sentry/api/shop/store/?sentry_key={made.json['public_key']}"
        return self

    async def tells(self, event: str, **body: Any) -> None:
        """Tell of something, as GitHub does."""
        self.guids += 1
        told = orjson.dumps({"sender": {"login": "ann"}, "repository": PUSH["repository"], **body})
        named = {"X_GitHub_Event": event, "X_GitHub_Delivery": f"{self.guids:036x}"}
        assert await sent(self.daemon, self._now(self.github), told, **named) == 202

    async def deploys(self) -> None:
        """Push, then deploy to production just now."""
        await self.tells("push", **PUSH)
        await self.tells("deployment_status", deployment=DEPLOYMENT, deployment_status={**STATUS, "created_at": now()})

    async def reported(self, **more: Any) -> None:
        """Report an incident."""
        body = orjson.dumps({**REPORT, "timestamp": now(), **more})
        assert await sent(self.daemon, self._now(self.reports), body) == 202

    async def upstream(self, resource: str, body: dict[str, Any]) -> None:
        """Tell something as Sentry does, each time a second later."""
        self.told_at += 1
        headers = {"Sentry_Hook_Resource": resource, "Sentry_Hook_Timestamp": str(self.told_at)}
        assert await sent(self.daemon, self._now(self.sentry), orjson.dumps(body), **headers) == 202

    async def crashes(self, number: int, file: str = "shop/cart.py") -> None:
        """Crash, and tell of it as an SDK does."""
        assert (await self.daemon.post(self.store, crash(number, file), token="")).status == 200

    def _now(self, url: str) -> str:
        return re.sub(r"^http://[^/]+", self.daemon.base_url, url)

    async def incidents(self, query: str = "") -> list[dict[str, Any]]:
        """List incidents, oldest first."""
        items: list[dict[str, Any]] = (await self.daemon.get(f"incidents?{query}"))["items"]
        return items[::-1]


async def test_from_a_deployment_to_its_incident(tmp_path: Path, receiver: Receiver) -> None:
    """Told once each; it names the commits and whom to ask; all of it is there after a kill, and explains what comes then."""
    async with Daemon(
        tmp_path, configuration(receiver.url("/deploys"), "incident.opened", "incident.resolved")
    ) as daemon:
        shop = await Shop(daemon).open()
        await shop.deploys()
        await shop.crashes(1)
        *informed, incident = await shop.incidents()
        assert [each["kind"] for each in informed] == ["deploy", "deploy"]
        assert (incident["environment"], incident["deploys"][0]["commits"][0]["id"]) == ("prod", SHA)
        assert incident["suspect_commits"][0]["reasons"][0] == "changed shop/cart.py, where it crashed (in total_cart)"
        requests = await receiver.expect("/deploys", 3)
        opened = requests[-1].data["event"]
        assert opened["key"] == incident["id"]
        assert opened["data"]["exception"]["values"][0]["value"] == "'sku'"
        assert opened["data"]["incident"]["suspect_commits"] == incident["suspect_commits"]
        await daemon.restart()
        assert (await shop.incidents())[-1] == incident
        await shop.crashes(2, "shop/new.py")
        *_, later = await shop.incidents()
        assert later["suspect_commits"][0]["reasons"][0].startswith("changed shop/new.py, where it crashed")
        issue = await daemon.get("issues/SHOP-2")
        assert issue["suspect_commits"] == later["suspect_commits"]
        reply = await daemon.post(f"incidents/{incident['id']}/resolve")
        assert reply.json["state"] == "resolved"
        ended = lambda each: (each.event["type"], each.event["key"]) == ("incident.resolved", incident["id"])  # noqa: E731 - a word used once
        await receiver.until(lambda: any(map(ended, receiver.got("/deploys"))), "the word of its end")


async def test_a_deployment_may_be_no_incident(tmp_path: Path) -> None:
    """Where the endpoint says so; what it tells explains errors all the same."""
    config = {"workspaces": [{"name": "default", "projects": [{"name": "shop"}]}]}
    async with Daemon(tmp_path, config) as daemon:
        shop = await Shop(daemon).open(deploy_incidents=False)
        await shop.deploys()
        assert await shop.incidents() == []
        await shop.crashes(1)
        (incident,) = await shop.incidents()
        assert incident["suspect_commits"][0]["id"] == SHA


async def test_reports_become_incidents_of_ours(tmp_path: Path, receiver: Receiver) -> None:
    """One for each key, whatever is killed between; a report that is sent again does nothing."""
    async with Daemon(tmp_path, configuration(receiver.url("/reports"), "incident.opened")) as daemon:
        shop = await Shop(daemon).open()
        window = {
            "deploy_time": now(60),
            "commits": [{"id": "c1", "files": ["shop/cart.py"]}, {"id": "c2", "files": ["a.md"]}],
        }
        first = {"timestamp": now(5), "change_window": window}
        await shop.reported(**first)
        await daemon.restart()
        await shop.reported(**first)
        await shop.reported(change_window=window)
        (incident,) = await shop.incidents()
        assert (incident["kind"], incident["severity"], incident["state"]) == ("reported", "critical", "open")
        assert [moment["what"] for moment in incident["timeline"]] == ["opened", "reported"]
        assert [each["id"] for each in incident["suspect_commits"]][:1] == ["c1"]
        with closing(sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)) as conn:
            assert conn.execute("SELECT count(*) FROM change").fetchone() == (1,)
        assert len({each.delivery_id for each in await receiver.expect("/reports")}) == 1


async def test_a_simulation_from_the_command_line(tmp_path: Path, receiver: Receiver) -> None:
    """It reaches whoever is told of incidents, marked as a test from the beginning to the end, also after a restart."""
    async with Daemon(
        tmp_path, configuration(receiver.url("/simulated"), "incident.opened", "incident.resolved", "incident.reported")
    ) as daemon:
        options = ["--simulate", "incident", "--project", "shop", "--severity", "critical", "--json"]
        incident = json.loads(await typed(daemon, *options))
        assert (incident["kind"], incident["test"], incident["project"]) == ("simulated", True, "shop")
        await receiver.expect("/simulated", 2)
        await daemon.restart()
        assert (await daemon.post(f"incidents/{incident['id']}/resolve")).status == 200
        kinds = {"incident.reported", "incident.opened", "incident.resolved"}
        requests = receiver.got("/simulated")
        await receiver.until(lambda: {each.event["type"] for each in requests} == kinds, "the word of its end")
        assert {(each.data["test"], each.event["source"]) for each in requests} == {(True, "alertd/simulation")}
        assert await issues_of(daemon) == {}
        shown = await daemon.get("subscriptions/told")
        assert (shown["fired_total"], shown["delivered_total"]) == (0, 0)
        assert "simulated inc_" in await typed(daemon, "--simulate", "incident")


async def test_merged_and_split_through_kills(tmp_path: Path) -> None:
    """What was answered holds after a kill at once; what comes goes where it belongs."""
    config = {"workspaces": [{"name": "default", "projects": [{"name": "shop"}]}]}
    async with Daemon(tmp_path, config) as daemon:
        shop = await Shop(daemon).open()
        await shop.crashes(1, "shop/cart.py")
        await shop.crashes(2, "shop/page.py")
        assert (await daemon.post("issues/SHOP-1/merge", {"issues": ["SHOP-2"]})).status == 200
        await daemon.restart()
        await shop.crashes(3, "shop/page.py")
        assert await issues_of(daemon) == {"SHOP-1": 3}
        assert (await daemon.get("issues/SHOP-2"))["short_id"] == "SHOP-1"
        assert (await daemon.post("issues/SHOP-1/split", {"issue": "SHOP-2"})).status == 200
        await daemon.restart()
        await shop.crashes(4, "shop/page.py")
        await shop.crashes(5, "shop/cart.py")
        assert await issues_of(daemon) == {"SHOP-1": 2, "SHOP-2": 3}
        assert len((await daemon.get("issues/SHOP-2"))["alerts"]) == 3


async def test_killed_in_the_middle_of_merging(tmp_path: Path) -> None:
    """Whenever it is killed, the issues are merged or they are not: every event is counted once, every key leads on."""
    config = {"workspaces": [{"name": "default", "projects": [{"name": "shop"}]}]}
    async with Daemon(tmp_path, config) as daemon:
        shop = await Shop(daemon).open()
        files = [f"shop/f{n:03}.py" for n in range(8)]
        for number, file in enumerate(files):
            await shop.crashes(number, file)
        for number in range(1, 8):
            action = asyncio.create_task(daemon.post("issues/SHOP-1/merge", {"issues": [f"SHOP-{number + 1}"]}))
            await asyncio.sleep(0)
            await daemon.restart()
            await asyncio.gather(action, return_exceptions=True)
            counted = await issues_of(daemon)
            assert sum(counted.values()) == len(files), counted
        for number, file in enumerate(files):
            await shop.crashes(100 + number, file)
        counted = await issues_of(daemon)
        assert (sum(counted.values()), all(count >= 2 for count in counted.values())) == (2 * len(files), True)


async def test_sentry_moves_our_issues(tmp_path: Path) -> None:
    """Resolved there it is resolved here, and its next error is a regression; archived it is muted; assigned it is theirs."""
    config = {"workspaces": [{"name": "default", "projects": [{"name": "shop"}]}]}
    async with Daemon(tmp_path, config) as daemon:
        shop = await Shop(daemon).open()

        async def errs(number: int) -> None:
            event = {"event_id": f"{number:032x}", "issue_id": "77", "title": "KeyError", "level": "error", "project": 1,
                     "exception": {"values": [{"type": "KeyError", "value": "x"}]}}  # fmt: skip
            await shop.upstream("event_alert", {"action": "triggered", "data": {"event": event, "triggered_rule": "r"}})

        async def does(action: str, **more: Any) -> dict[str, Any]:
            issue = {"id": "77", "title": "KeyError", "level": "error", **more.pop("issue", {})}
            await shop.upstream("issue", {"action": action, "data": {"issue": issue, **more}})
            found: dict[str, Any] = await daemon.get("issues/SHOP-1")
            return found

        await errs(1)
        assert (await does("resolved"))["state"] == "resolved"
        await errs(2)
        assert (await daemon.get("issues/SHOP-1"))["state"] == "regressed"
        assert (await does("archived", issue={"substatus": "archived_until_escalating"}))["state"] == "muted"
        await errs(3)
        assert (await daemon.get("issues/SHOP-1"))["state"] == "muted"
        assert (await does("unresolved", issue={"substatus": "escalating"}))["state"] == "escalating"
        found = await does("assigned", assignee={"type": "user", "id": "1", "name": "ann"})
        assert (found["assignee"], found["event_count"]) == ("ann", 3)
        changed_minds = [(await does(action))["state"] for action in ("resolved", "unresolved", "resolved")]
        assert changed_minds == ["resolved", "ongoing", "resolved"]
        assert {each["by"] for each in found["transitions"]} == {None, "sentry"}


async def issues_of(daemon: Daemon) -> dict[str, int]:
    """How many events each issue has."""
    return {each["short_id"]: each["event_count"] for each in (await daemon.get("issues?limit=200"))["items"]}


async def typed(daemon: Daemon, *options: str) -> str:
    """Type `alertd send` and return what it prints."""
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "send", *options, "--url", daemon.base_url,
        env={**daemon.environ, "ALERTD_TOKEN": daemon.token}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return printed.decode()
