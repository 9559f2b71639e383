"""Issues over HTTP: error events become one, transitions alert once, people resolve, mute and assign."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from alertd.engine.ruleset import Reach, compile_ruleset
from alertd.resources.kinds import DESTINATION, SUBSCRIPTION
from alertd.store.issues import IssueWrites
from tests.unit.api.bench import HOME, running

if TYPE_CHECKING:
    from alertd.submission import Accepted
    from alertd.weighing import Deed
    from tests.unit.api.bench import Caller

ISSUES = f"{HOME}/issues"


def error(number: int, *, key: str = "boom", **data: Any) -> dict[str, Any]:
    """Make an error event in the layout of every decoder of errors."""
    return {
        "type": "sentry.error", "id": f"{number:032x}", "project": "shop", "environment": "prod", "severity": "error", "key": key,
        "data": {"event_id": f"{number:032x}", "title": f"KeyError: {key}", "level": "error", "culprit": "cart", **data},
    }  # fmt: skip


async def subscribed(call: Caller, *triggers: str) -> None:
    """Tell a destination of transitions alone."""
    await call.bench.registry.create(DESTINATION, "default", {"name": "told", "type": "null"}, "test")
    document = {"name": "told", "channels": ["all"], "destinations": ["told"], "triggers": list(triggers)}
    await call.bench.registry.create(SUBSCRIPTION, "default", document, "test")


async def told(call: Caller) -> list[str | None]:
    """Every trigger that the subscription sent, in order, once all of them have arrived."""
    _, page = await call("GET", f"{HOME}/deliveries?subscription=told&limit=200")
    if page["items"]:
        await call.settled(f"{HOME}/deliveries?subscription=told&limit=200")
    messages = [m for m in call.bench.doors["default", "told"].messages if m.subscription == "told"]
    return [m.trigger for m in sorted(messages, key=lambda m: m.delivery_id)]


async def test_errors_with_one_key_are_one_issue() -> None:
    """It has a short id, counts its events and says since when; plain events make none; it is found by either id."""
    async with running() as call:
        await call.sent(error(1), error(2, release="1.0", user={"id": "u1"}), {"type": "plain", "severity": "error"})
        await call.sent(error(3, key="other"))
        _, page = await call("GET", ISSUES, "viewer")
        assert [(i["short_id"], i["event_count"], i["state"]) for i in page["items"]] == [
            ("SHOP-2", 1, "new"),
            ("SHOP-1", 2, "new"),
        ]
        _, issue = await call("GET", f"{ISSUES}/SHOP-1")
        assert (issue["title"], issue["releases"], issue["user_count"], issue["culprit"]) == (
            "KeyError: boom",
            ["1.0"],
            1,
            "cart",
        )
        assert (await call("GET", f"{ISSUES}/{issue['id']}"))[1] == issue
        assert (await call("GET", f"{ISSUES}/shop-1"))[1] == issue
        assert [t["change"] for t in issue["transitions"]] == ["new"]
        assert len(issue["alerts"]) == 2
        for nothing in ("SHOP-9", "iss_0000000000000001", "x"):
            assert (await call("GET", f"{ISSUES}/{nothing}"))[0] == 404


@pytest.mark.parametrize(("one", "other", "short"), [("shop", "Shop", "SHOP-1"), ("", "issue", "ISSUE-1")])
async def test_a_short_id_of_two_is_a_question(one: str, other: str, short: str) -> None:
    """Where it may be either of two, nothing is done to one of them by chance: both ids are named, and lead to them."""
    async with running() as call:
        errors = [{**error(number), "project": name} for number, name in enumerate((one, other))]
        if not one:
            del errors[0]["project"]
        await call.sent(*errors)
        _, page = await call("GET", ISSUES)
        assert {issue["short_id"] for issue in page["items"]} == {short}
        for path, method in ((short, "GET"), (short.lower(), "GET"), (f"{short}/resolve", "POST")):
            status, problem = await call(method, f"{ISSUES}/{path}")
            assert status == 409
            assert all(issue["id"] in problem["detail"] for issue in page["items"])
        for issue in page["items"]:
            assert (await call("GET", f"{ISSUES}/{issue['id']}"))[1]["project"] == issue["project"]


async def test_each_transition_alerts_once() -> None:
    """New once, nothing more while it goes on; resolved at once, the next event is a regression, once."""
    async with running() as call:
        await subscribed(call, "new", "regression", "unmuted")
        for number in range(3):
            await call.sent(error(number))
        assert await told(call) == ["new"]
        status, issue = await call("POST", f"{ISSUES}/SHOP-1/resolve", "operator")
        assert (status, issue["state"]) == (200, "resolved")
        await call.sent(error(10), error(11))
        await call.sent(error(12))
        assert await told(call) == ["new", "regression"]
        _, issue = await call("GET", f"{ISSUES}/SHOP-1")
        assert (issue["state"], issue["event_count"]) == ("regressed", 6)
        assert [t["change"] for t in issue["transitions"]] == ["regression", "resolved", "new"]
        assert issue["transitions"][1]["by"] == "operator"


async def test_the_alert_carries_the_issue_as_it_was() -> None:
    """What goes out has the issue with its state and counts at that event, and the trigger."""
    async with running() as call:
        await subscribed(call, "new")
        await call.sent(error(1), error(2))
        door = call.bench.doors["default", "told"]
        async with asyncio.timeout(60):
            while not any(m.subscription == "told" for m in door.messages):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0)
        message = next(m for m in door.messages if m.trigger == "new")
        assert message.issue is not None
        issue = orjson.loads(message.issue)
        assert (issue["short_id"], issue["event_count"], issue["state"]) == ("SHOP-1", 1, "new")


async def test_a_format_that_needs_an_issue_has_one() -> None:
    """Where nothing but an alert about an issue can be written, an error is told and a plain event is not."""
    async with running() as call:
        bench = call.bench
        reach = Reach({}, frozenset({("default", "hook")}))
        own = bench.registry.snapshot.workspaces()
        await bench.pipeline.swap(compile_ruleset(own, bench.ruleset.ids, 99, reach=reach))
        for event, word in ((error(1), "sent"), ({"type": "plain"}, "format_needs_issue")):
            (sent,) = await call.sent(event)
            _, stored = await call("GET", f"{HOME}/events/{sent}")
            assert stored["verdicts"][0]["verdict"] == word
        await call.settled(f"{HOME}/deliveries?destination=hook")
        (message,) = bench.doors["default", "hook"].messages
        assert message.issue is not None


async def test_a_mute_ends_by_its_condition() -> None:
    """Muted until so many more events: silent until then, then unmuted once."""
    async with running() as call:
        await subscribed(call, "new", "unmuted")
        await call.sent(error(1))
        status, issue = await call("POST", f"{ISSUES}/SHOP-1/mute", "operator", json={"events": 2})
        assert (status, issue["state"]) == (200, "muted")
        for number in range(2, 6):
            await call.sent(error(number))
        assert await told(call) == ["new", "unmuted"]
        await call("POST", f"{ISSUES}/SHOP-1/mute", "operator")
        status, issue = await call("POST", f"{ISSUES}/SHOP-1/unmute", "operator")
        assert issue["state"] == "ongoing"


async def test_releases_decide_where_they_are_named() -> None:
    """Resolved in a release, an older one is no regression and a newer one is."""
    async with running() as call:
        await subscribed(call, "regression")
        await call.sent(error(1, release="shop@1.0.0"))
        assert (await call("POST", f"{ISSUES}/SHOP-1/resolve", json={"release": "shop@1.1.0"}))[0] == 200
        await call.sent(error(2, release="shop@1.0.0"))
        assert await told(call) == []
        await call.sent(error(3, release="shop@1.2.0"))
        assert await told(call) == ["regression"]


async def test_who_unmutes_an_issue_is_told_of() -> None:
    """`issue.unmuted`, once, for whoever listens where it was seen last; what is not muted is not unmuted."""
    async with running() as call:
        await call.sent(error(1, key="77"))
        await call("POST", f"{ISSUES}/SHOP-1/mute", "operator")
        for _ in range(2):
            assert (await call("POST", f"{ISSUES}/SHOP-1/unmute", "operator"))[1]["state"] == "ongoing"
        _, page = await call("GET", f"{HOME}/events?type=issue.unmuted")
        (event,) = page["items"]
        assert (event["project"], event["environment"], event["severity"], event["key"]) == (
            "shop",
            "prod",
            "error",
            "77",
        )
        assert event["message"] == "SHOP-1 KeyError: 77: unmuted by operator"
        assert event["data"]["issue"]["state"] == "ongoing"
        assert call.bench.metrics.registry.get_sample_value(
            "alertd_issue_transitions_total", {"trigger": "unmuted"}
        ) == 1  # fmt: skip


async def test_a_command_reaches_the_issue_into_which_another_is_merged_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Found before the merge and done after it, it is done to what the issue has become."""
    async with running() as call:
        await call.sent(error(1, key="a"), error(2, key="b"))
        pipeline = call.bench.pipeline
        do, merged = pipeline.do, []

        def slower(deed: Deed) -> asyncio.Future[list[Accepted]]:
            if deed.projects and not merged:
                merged.append(True)

                async def first() -> list[Accepted]:
                    await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]})
                    return await do(deed)

                return asyncio.ensure_future(first())
            return do(deed)

        monkeypatch.setattr(pipeline, "do", slower)
        status, issue = await call("POST", f"{ISSUES}/SHOP-2/assign", json={"assignee": "ann"})
        assert (status, merged, issue["short_id"], issue["assignee"]) == (200, [True], "SHOP-1", "ann")


async def test_what_cannot_be_done_is_said_and_changes_nothing() -> None:
    """Without any release there is no next one, though the command is weighed among events."""
    async with running() as call:
        await call.sent(error(1))
        status, problem = await call("POST", f"{ISSUES}/SHOP-1/resolve", json={"in_next_release": True})
        assert (status, problem["detail"]) == (409, "no release of shop is known, so there is no next one")
        assert (await call("GET", f"{ISSUES}/SHOP-1"))[1]["state"] == "new"
        await call.sent(error(2, release="1.0"))
        assert (await call("POST", f"{ISSUES}/SHOP-1/resolve", json={"in_next_release": True}))[0] == 200
        await call.sent(error(3, key="more"))
        assert (await call("GET", f"{ISSUES}/SHOP-2"))[0] == 200


@pytest.mark.parametrize(
    ("action", "body", "pointer"),
    [
        ("resolve", {"release": ""}, "/release"),
        ("resolve", {"rel": "x"}, "/rel"),
        ("mute", {"events": 0}, "/events"),
        ("mute", {"for_seconds": -1}, "/for_seconds"),
        ("assign", {}, "/assignee"),
        ("assign", {"assignee": ""}, "/assignee"),
    ],
)
async def test_bad_commands_change_nothing(action: str, body: dict[str, Any], pointer: str) -> None:
    """Each bad field is named, and the issue stays as it was."""
    async with running() as call:
        await call.sent(error(1))
        _, before = await call("GET", f"{ISSUES}/SHOP-1")
        status, problem = await call("POST", f"{ISSUES}/SHOP-1/{action}", json=body)
        assert (status, [e["pointer"] for e in problem["errors"]]) == (422, [pointer])
        assert (await call("GET", f"{ISSUES}/SHOP-1"))[1] == before


async def test_lists_are_filtered_and_paged() -> None:
    """By state, project, level and assignee, page by page, each once."""
    async with running() as call:
        await call.sent(*(error(n, key=f"k{n}") for n in range(5)))
        await call("POST", f"{ISSUES}/SHOP-1/resolve")
        await call("POST", f"{ISSUES}/SHOP-2/assign", json={"assignee": "ann"})

        async def names(query: str) -> list[str]:
            return [item["short_id"] for item in (await call("GET", f"{ISSUES}?{query}"))[1]["items"]]

        assert await names("state=resolved") == ["SHOP-1"]
        assert await names("state=unresolved") == ["SHOP-5", "SHOP-4", "SHOP-3", "SHOP-2"]
        assert await names("assignee=ann") == ["SHOP-2"]
        assert await names("project=blog") == []
        _, page = await call("GET", f"{ISSUES}?limit=3")
        assert await names(f"limit=3&cursor={page['next_cursor']}") == ["SHOP-2", "SHOP-1"]
        assert (await call("GET", f"{ISSUES}?state=sad"))[0] == 422


async def test_commands_and_events_do_not_undo_each_other() -> None:
    """While events pour in, assigning and resolving hold, and every event is counted."""
    async with running() as call:
        await call.sent(error(0))

        async def pour() -> None:
            for number in range(1, 41):
                await call.sent(error(number))

        async def command() -> None:
            for number in range(20):
                await call("POST", f"{ISSUES}/SHOP-1/assign", json={"assignee": f"a{number}"})

        await asyncio.gather(pour(), command())
        _, issue = await call("GET", f"{ISSUES}/SHOP-1")
        assert (issue["event_count"], issue["assignee"]) == (41, "a19")


async def test_a_channel_may_ask_for_transitions() -> None:
    """Where a channel listens to `issue.*`, an event tells of each transition, with the issue, and no trigger."""
    async with running() as call:
        await call.sent(error(1))
        await call("POST", f"{ISSUES}/SHOP-1/resolve")
        await call.sent(error(2))
        _, page = await call("GET", f"{HOME}/events?type=issue.regression")
        assert [event["data"]["issue"]["short_id"] for event in page["items"]] == ["SHOP-1"]


async def test_incidents() -> None:
    """A new issue in production opens one with its score and timeline; it is acknowledged, resolved, or ends by quiet."""
    async with running() as call:
        await call.sent(error(1), error(2), error(3, key="other"))
        where = f"{HOME}/incidents"
        _, page = await call("GET", where, "viewer")
        other, incident = page["items"]
        assert (incident["state"], incident["trigger"], incident["environment"]) == ("open", "new", "prod")
        assert incident["score"] == min(100, sum(part["points"] for part in incident["score_parts"])) > 0
        one = f"{where}/{incident['id']}"
        assert (await call("GET", one))[1] == incident
        status, taken = await call("POST", f"{one}/acknowledge", "operator")
        assert (status, taken["state"], taken["acknowledged_by"]) == (200, "acknowledged", "operator")
        status, over = await call("POST", f"{one}/resolve", "operator")
        assert (over["state"], [m["what"] for m in over["timeline"]][-2:]) == ("resolved", ["acknowledged", "resolved"])
        assert [i["id"] for i in (await call("GET", f"{where}?state=open"))[1]["items"]] == [other["id"]]
        issues = call.bench.pipeline.issues
        await call.bench.pipeline.settle(call.bench.clock.now_ms())
        assert len(issues.incidents) == 1
        await call.bench.pipeline.settle(call.bench.clock.now_ms() + 30 * 86_400_000)
        assert (issues.incidents, (await call("GET", f"{where}/{other['id']}"))[1]["state"]) == ({}, "resolved")
        for nothing in ("inc_0000000000000001", "x"):
            assert (await call("GET", f"{where}/{nothing}"))[0] == 404


async def test_the_address_in_messages_leads_to_the_issue() -> None:
    """Whatever its workspace, for whoever may see that; nobody else learns that it is there."""
    async with running() as call:
        await call.sent(error(1))
        _, issue = await call("GET", f"{ISSUES}/SHOP-1")
        path = f"/api/v1/issues/{issue['id']}"
        for who in ("root", "viewer", "operator"):
            assert await call("GET", path, who) == (200, issue)
        for who, status in (("other-admin", 404), ("intake", 403), (None, 401)):
            assert (await call("GET", path, who))[0] == status
        for nothing in ("iss_0000000000000001", "SHOP-1"):
            assert (await call("GET", f"/api/v1/issues/{nothing}"))[0] == 404


async def test_a_list_goes_by_what_issues_are_now() -> None:
    """What time alone has settled is ongoing, in the list as on its page; pages are whole and hold each issue once."""
    async with running() as call:
        await call.sent(*(error(n, key=f"k{n}") for n in range(6)))
        await call("POST", f"{ISSUES}/SHOP-2/mute", json={"for_seconds": 0.001})
        await call("POST", f"{ISSUES}/SHOP-3/resolve")
        issues = call.bench.pipeline.issues
        for number in (5, 6):
            _, shown = await call("GET", f"{ISSUES}/SHOP-{number}")
            issue = await call.bench.store.issue(int(shown["id"][4:], 16))
            assert issue is not None
            issue.since_ms -= 8 * 86_400_000
            await call.bench.store.write_issues(IssueWrites([issue]))
            issues.memory.replace(issue)

        async def names(query: str) -> list[str]:
            found, cursor = [], ""
            while True:
                _, page = await call("GET", f"{ISSUES}?{query}&limit=2{cursor}")
                found += [item["short_id"] for item in page["items"]]
                if page["next_cursor"] is None:
                    return found
                cursor = f"&cursor={page['next_cursor']}"

        assert await names("state=new") == ["SHOP-4", "SHOP-1"]
        assert await names("state=ongoing") == ["SHOP-6", "SHOP-5", "SHOP-2"]
        assert await names("state=muted") == []
        assert await names("state=unresolved") == ["SHOP-6", "SHOP-5", "SHOP-4", "SHOP-2", "SHOP-1"]
        assert await names("state=resolved") == ["SHOP-3"]
        assert await names("project=shop") == [f"SHOP-{n}" for n in range(6, 0, -1)]
