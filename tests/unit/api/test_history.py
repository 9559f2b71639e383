"""What happened, as the API shows it: filters, pages that stand still, shapes, replay and cancel."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alertd.api.selecting import SELECTING, names_of
from alertd.model.delivery import Outcome, OutcomeKind
from alertd.model.ids import ALERT, parse_id
from alertd.store.base import Acknowledgement, Page
from tests.unit.api.bench import DEADLINE, HOME, Caller, running

LISTS = ("events", "alerts", "deliveries")
FILTERS = (*names_of(SELECTING), "acknowledged")


def pointers(problem: Any) -> list[str]:
    """Where a problem says that something is wrong."""
    return [error["pointer"] for error in problem["errors"]]


@pytest.mark.parametrize("name", [*LISTS, "destinations", "tokens"])
async def test_an_unknown_parameter_is_named(name: str) -> None:
    """A misspelt filter is 422 that names it and all that are known: it never shows everything instead."""
    async with running() as call:
        status, problem = await call("GET", f"{HOME}/{name}?sevrity=error&limit=0&cursor=x")
        assert status == 422
        assert pointers(problem) == ["/sevrity", "/limit", "/cursor"] or set(pointers(problem)) == {
            "/sevrity",
            "/limit",
            "/cursor",
        }
        assert "known are" in problem["errors"][0]["detail"]


@pytest.mark.parametrize("limit", ["0", "-1", "201", "x", "", "1.5", "²", "9" * 5000, "+1", "0x1"])
async def test_a_limit_is_from_1_to_200(limit: str) -> None:
    """Anything else is 422 at /limit."""
    async with running() as call:
        status, problem = await call("GET", f"{HOME}/events", params={"limit": limit})
        assert (status, pointers(problem)) == (422, ["/limit"])


@pytest.mark.parametrize(
    "cursor", ["", "x", "cur_", "cur_zz", "alt_0000000000000001", "cur_" + "f" * 16, "cur_" + "0" * 99]
)
async def test_a_cursor_is_one_that_a_list_gave(cursor: str) -> None:
    """Anything else is 422 at /cursor."""
    async with running() as call:
        for path in (f"{HOME}/deliveries", "/api/v1/rejected", f"{HOME}/tokens"):
            status, problem = await call("GET", path, params={"cursor": cursor})
            assert (status, pointers(problem)) == (422, ["/cursor"])


@pytest.mark.parametrize(
    "time", ["", "now", "2026", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "20260101T000000Z"]
)
async def test_a_time_is_rfc_3339(time: str) -> None:
    """A time without an offset, or in another writing, is 422 at its name."""
    async with running() as call:
        status, problem = await call("GET", f"{HOME}/events", params={"since": time, "until": time})
        assert (status, pointers(problem)) == (422, ["/since", "/until"])


async def test_times_bound_a_list_wherever_they_lie() -> None:
    """Since and until may be any time from the year 1 to 9999, with a `+` that was not encoded, too."""
    async with running() as call:
        await call.sent({"type": "t"})
        early, late = "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999Z"
        for since, until, count in ((early, late, 1), (late, late, 0), (early, early, 0)):
            for name in LISTS:
                _, page = await call("GET", f"{HOME}/{name}?since={since}&until={until}")
                assert len(page["items"]) == count, (name, since, until)


async def test_words_of_closed_sets_are_checked_and_names_are_not() -> None:
    """An unknown state or severity is 422; a name that nothing has finds nothing, as history outlives what it names."""
    async with running() as call:
        await call.sent({"type": "t"})
        for name in LISTS:
            status, problem = await call("GET", f"{HOME}/{name}?state=lost&severity=bad&alert_id=dlv_0")
            assert (status, set(pointers(problem))) == (422, {"/state", "/severity", "/alert_id"})
            for field in ("type", "project", "environment", "channel", "destination", "subscription", "text"):
                status, page = await call("GET", f"{HOME}/{name}?{field}=nothing")
                assert (status, page["items"]) == (200, []), field
        assert (await call("GET", f"{HOME}/events?matched=yes"))[0] == 422
        assert (await call("GET", f"{HOME}/events?type=a&type=b"))[0] == 422


async def test_filters_find_what_they_name() -> None:
    """Every filter is named as the field that it looks at, and finds it in all three lists."""
    event = {
        "type": "run:failed", "id": "one", "project": "shop", "environment": "prod", "severity": "fatal",
        "message": '50% "done"',
    }  # fmt: skip
    async with running() as call:
        await call.sent({"type": "other", "id": "two"}, event)
        await call.settled(f"{HOME}/deliveries")
        [delivery] = (await call("GET", f"{HOME}/deliveries?destination=page"))[1]["items"]
        for query in (
            "type=run:failed",
            "project=shop",
            "environment=prod",
            "severity=critical",
            "severity=fatal",
            "destination=page",
            "subscription=serious",
            f"alert_id={delivery['alert_id']}",
            "state=delivered&project=shop",
            "channel=all&destination=page",
            "text=50%25",
            'text="DONE"&since=2020-01-01T00:00:00Z',
            "text=run&type=run:failed&project=shop&environment=prod&severity=critical&channel=all&state=delivered",
        ):
            assert {e["id"] for e in (await call("GET", f"{HOME}/events?{query}"))[1]["items"]} == {"one"}, query
            alerts = (await call("GET", f"{HOME}/alerts?{query}"))[1]["items"]
            assert {a["event"]["id"] for a in alerts} == {"one"}, query
            found = (await call("GET", f"{HOME}/deliveries?{query}"))[1]["items"]
            assert {d["event_id"] for d in found} == {"one"}, query
        assert (await call("GET", f"{HOME}/events?matched=false"))[1]["items"] == []
        for query in ("channel=all&project=blog", "text=100%25", "text=done&type=other", "state=dead&destination=page"):
            for name in LISTS:
                assert (await call("GET", f"{HOME}/{name}?{query}"))[1]["items"] == [], (name, query)


async def test_a_text_of_an_error_finds_its_delivery() -> None:
    """What a receiver's answer came to is looked through too."""
    async with running() as call:
        door = call.bench.doors["default", "hook"]
        door.outcome = Outcome(OutcomeKind.REJECTED, 404, "returned 404", b"")
        await call.sent({"type": "t"})
        [dead] = await call.settled(f"{HOME}/deliveries", "dead")
        _, page = await call("GET", f"{HOME}/deliveries?text=RETURNED 404&state=dead")
        assert page["items"] == [dead]


async def test_what_is_in_flight_is_in_no_other_state() -> None:
    """The state is chosen as it is shown: in_flight, and neither pending nor retrying."""
    async with running() as call:
        door = call.bench.doors["default", "hook"]
        door.gate.clear()
        await call.sent({"type": "t"})
        [flying] = await call.settled(f"{HOME}/deliveries", "in_flight")
        for name in LISTS:
            for state, count in (("in_flight", 1), ("pending", 0), ("retrying", 0), ("delivered", 0)):
                _, page = await call("GET", f"{HOME}/{name}?state={state}")
                assert len(page["items"]) == count, (name, state)
        door.gate.set()
        [delivered] = await call.settled(f"{HOME}/deliveries")
        assert delivered["id"] == flying["id"]
        assert (await call("GET", f"{HOME}/deliveries?state=in_flight"))[1]["items"] == []


async def test_acknowledged_chooses_alerts_and_events_alone() -> None:
    """Alerts can be chosen by whether somebody took note; of deliveries the filter is not known."""
    async with running() as call:
        noted, other = await call.sent({"type": "t"}, {"type": "t"})
        _, page = await call("GET", f"{HOME}/events?text={noted}")
        number = parse_id(ALERT, page["items"][0]["alert_id"])
        await call.bench.store.acknowledge(number or 0, Acknowledgement("ann", 1))
        for name in ("events", "alerts"):
            for flag, wanted in (("true", noted), ("false", other)):
                _, page = await call("GET", f"{HOME}/{name}?acknowledged={flag}")
                assert [item.get("event", item)["id"] for item in page["items"]] == [wanted]
        status, problem = await call("GET", f"{HOME}/deliveries?acknowledged=true")
        assert (status, pointers(problem)) == (422, ["/acknowledged"])


async def test_a_search_that_stopped_says_where() -> None:
    """A page that is not full, since its search met its bound, says back to which time everything was looked at."""
    async with running() as call:

        async def stopped(*args: object, **options: object) -> Page:
            return Page([], 1_800_000_000_000 << 20, complete=False)

        call.bench.store.deliveries = stopped  # type: ignore[method-assign]  # a scripted answer
        _, page = await call("GET", f"{HOME}/deliveries?text=needle")
        assert page == {
            "items": [], "next_cursor": "cur_" + f"{1_800_000_000_000 << 20:016x}", "searched_to": "2027-01-15T08:00:00.000Z",
        }  # fmt: skip


async def walk(call: Caller, path: str, between: Any) -> list[dict[str, Any]]:
    """Read a list page by page; do something between the pages."""
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        _, page = await call("GET", f"{path}{'&' if '?' in path else '?'}limit=3{cursor}")
        assert len(page["items"]) <= 3
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = f"&cursor={page['next_cursor']}"
        await between()


@pytest.mark.parametrize("name", LISTS)
async def test_a_walk_sees_each_row_once_while_new_ones_arrive(name: str) -> None:
    """Pages go from new to old; what arrives meanwhile neither repeats nor hides a row."""
    async with running() as call:
        sent = await call.sent(*({"type": "t", "id": f"e{n}"} for n in range(10)))

        async def more() -> None:
            await call.sent({"type": "t"})

        rows = await walk(call, f"{HOME}/{name}", more)
        ids = [row.get("event", row).get("id") if name != "deliveries" else row["event_id"] for row in rows]
        assert ids == sent[::-1]


@pytest.mark.parametrize("name", LISTS)
async def test_a_filtered_walk_is_as_steady(name: str) -> None:
    """A page of what a filter chooses goes on behind the last one, whatever arrives meanwhile, chosen or not."""
    async with running() as call:
        sent = await call.sent(*({"type": "t", "id": f"e{n}", "project": f"p{n % 2}"} for n in range(20)))

        async def more() -> None:
            await call.sent({"type": "t", "project": "p1"}, {"type": "t", "project": "p0"})

        rows = await walk(call, f"{HOME}/{name}?project=p1&channel=all&severity=info", more)
        ids = [row.get("event", row).get("id") if name != "deliveries" else row["event_id"] for row in rows]
        assert ids == [each for each in sent[::-1] if int(each[1:]) % 2]


async def test_the_last_page_says_so() -> None:
    """A page that holds all there is has no next cursor."""
    async with running() as call:
        await call.sent({"type": "a"}, {"type": "b"})
        _, page = await call("GET", f"{HOME}/events?limit=2")
        if page["next_cursor"] is not None:
            _, page = await call("GET", f"{HOME}/events?limit=2&cursor={page['next_cursor']}")
            assert page == {"items": [], "next_cursor": None}


async def test_an_event_shows_every_verdict_with_its_reason() -> None:
    """An event's page says for each subscription what was decided and which field decided."""
    async with running() as call:
        [number] = await call.sent({"type": "t", "severity": "info"})
        await call.settled(f"{HOME}/deliveries")
        status, event = await call("GET", f"{HOME}/events/{number}")
        assert status == 200
        told = {v["subscription"]: (v["verdict"], v["reason"]) for v in event["verdicts"]}
        assert told == {
            "everything": ("sent", None),
            "serious": ("severity", "severity"),
            "elsewhere": ("environment", "environment"),
        }
        [delivery] = event["deliveries"]
        assert delivery["attempts"][0]["outcome"] == "delivered"
        assert {"id", "alert_id", "event_id", "state", "destination", "subscription", "channel"} <= set(delivery)
        assert event["matched"] is True
        status, alert = await call("GET", f"{HOME}/alerts/{event['alert_id']}")
        assert (status, alert["event"]["id"]) == (200, number)
        assert [d["state"] for d in alert["deliveries"]] == ["delivered"]


async def test_an_event_is_found_whatever_its_id_is_made_of() -> None:
    """Every character that an id may have can stand in the path of its page, percent-encoded."""
    async with running() as call:
        ids = [f"a{chr(code)}b" for code in range(0x21, 0x7F)]
        await call.sent(*({"type": "t", "id": name} for name in ids))
        for name in ids:
            status, event = await call("GET", f"{HOME}/events/{quote(name, safe='')}")
            assert (status, event["id"]) == (200, name)


@pytest.mark.parametrize(
    "path", ["events/nope", "alerts/alt_x", "alerts/alt_0000000000000001", "deliveries/dlv_1", "nope"]
)
async def test_what_is_not_there_is_404(path: str) -> None:
    """An id that names nothing, or is none, is 404 with a problem that says what was looked for."""
    async with running() as call:
        status, problem = await call("GET", f"{HOME}/{path}")
        assert (status, problem["title"]) == (404, "Not Found")
        assert path.rpartition("/")[2] in problem["detail"]


async def test_a_shared_delivery_is_everybodys() -> None:
    """One delivery for two subscriptions names both, is found by either, and is the last success of both."""
    async with running() as call:
        twin = {"name": "twin", "channels": ["all"], "destinations": ["hook"]}
        assert (await call("POST", f"{HOME}/subscriptions", json=twin))[0] == 201
        await call.sent({"type": "t", "id": "one"})
        await call.settled(f"{HOME}/deliveries")
        for name in ("everything", "twin"):
            _, page = await call("GET", f"{HOME}/deliveries?subscription={name}")
            assert [(d["subscription"], d["other_subscriptions"]) for d in page["items"]] == [("everything", ["twin"])]
            assert (await call("GET", f"{HOME}/subscriptions/{name}"))[1]["last_success_at"] is not None
        assert (await call("GET", f"{HOME}/deliveries?subscription=serious"))[1]["items"] == []


async def test_reasons_are_told_as_data_too() -> None:
    """How long a cooldown still rested, which matcher failed, where a ladder stands; and what the lanes do now."""
    async with running() as call:
        where = f"{HOME}/subscriptions"
        own = {"channels": ["all"], "destinations": ["hook"]}
        for more in (
            {"name": "resting", "cooldown_seconds": 600},
            {"name": "climbing", "occurrences": [1, 3]},
            {"name": "choosing", "matchers": ['type="t"', 'team="a"']},
            {"name": "both", "occurrences": [1, 2, 5], "cooldown_seconds": 600},
        ):
            assert (await call("POST", where, json={**own, **more}))[0] == 201
        await call.sent({"type": "t", "id": "one"}, {"type": "t", "id": "two"})
        await call.settled(f"{HOME}/deliveries")
        _, event = await call("GET", f"{HOME}/events/two")
        data = {v["subscription"]: v["data"] for v in event["verdicts"]}
        assert data["everything"] == {}
        assert 590 < data["resting"]["remaining_seconds"] <= 600
        assert data["climbing"] == {"occurrence": 2, "next_occurrence": 3}
        assert data["choosing"] == {"matcher": 1, "condition": 'team="a"', "field": "team", "found": None}
        assert data["serious"] == {"severity": "info", "min_severity": "warning"}
        assert data["both"].pop("remaining_seconds") > 590
        assert data["both"] == {"occurrence": 2, "next_occurrence": 5}
        assert event["deliveries"][0]["lane"] == {
            "state": "enabled",
            "queue_depth": 0,
            "breaker_state": "closed",
            "paused_until": None,
            "rests_until": None,
        }


async def test_a_dead_delivery_is_replayed_as_a_new_one() -> None:
    """A replay is 201, a delivery of its own that names its origin; the origin stays as it is."""
    async with running() as call:
        door = call.bench.doors["default", "hook"]
        door.outcome = Outcome(OutcomeKind.REJECTED, 404, "returned 404", b"no such hook")
        await call.sent({"type": "t"})
        [dead] = await call.settled(f"{HOME}/deliveries", "dead")
        assert dead["error"] == "returned 404"
        assert dead["attempts"][0] | {"started_at": "", "duration_seconds": 0} == {
            "number": 1,
            "started_at": "",
            "duration_seconds": 0,
            "outcome": "rejected",
            "status": 404,
            "error": "returned 404",
            "answer": "no such hook",
        }
        door.outcome = Outcome(OutcomeKind.DELIVERED, 200)
        status, again = await call("POST", f"{HOME}/deliveries/{dead['id']}/replay")
        assert (status, again["replay_of"]) == (201, dead["id"])
        assert again["id"] != dead["id"]
        await call.settled(f"{HOME}/deliveries?state=delivered")
        shown = (await call("GET", f"{HOME}/deliveries/{dead['id']}"))[1]
        assert (shown.pop("event")["type"], shown) == ("t", dead)


async def test_a_delivery_in_flight_is_neither_replayed_nor_cancelled() -> None:
    """What is being attempted is shown as in_flight; replay and cancel are 409."""
    async with running() as call:
        door = call.bench.doors["default", "hook"]
        door.gate.clear()
        await call.sent({"type": "t"})
        [flying] = await call.settled(f"{HOME}/deliveries", "in_flight")
        for verb in ("replay", "cancel"):
            status, problem = await call("POST", f"{HOME}/deliveries/{flying['id']}/{verb}")
            assert (status, problem["title"]) == (409, "Conflict")
        door.gate.set()
        await call.settled(f"{HOME}/deliveries")


async def test_what_waits_can_be_cancelled() -> None:
    """A delivery that waits is cancelled, once and for all, which the log and the metric say once; one under way is a conflict."""
    async with running() as call:
        door = call.bench.doors["default", "hook"]
        door.outcome = Outcome(OutcomeKind.RETRY_LATER, 503, "returned 503")
        await call.sent({"type": "t"})
        status = 409
        while status == 409:  # full jitter: the next attempt may come at once, each later one comes later
            [waiting] = await call.settled(f"{HOME}/deliveries", "retrying")
            assert waiting["next_at"] is not None
            status, view = await call("POST", f"{HOME}/deliveries/{waiting['id']}/cancel")
        assert (status, view["state"], view["next_at"]) == (200, "cancelled", None)
        assert (await call("POST", f"{HOME}/deliveries/{waiting['id']}/cancel", "operator"))[0] == 200
        _, log = await call("GET", f"{HOME}/audit?action=cancelled")
        assert [(item["actor"], item["kind"], item["name"]) for item in log["items"]] == [
            ("root", "delivery", waiting["id"])
        ]
        counted = 'alertd_deliveries_total{destination="hook",state="cancelled",workspace="default"} '
        assert [line for line in (await call("GET", "/metrics"))[1].splitlines() if line.startswith(counted)] == [
            f"{counted}1.0"
        ]


VALUES = st.text(max_size=30) | st.sampled_from(
    ["1", "200", "error", "delivered", "cur_0000000000000001", "alt_7fffffffffffffff", "2026-01-01T00:00:00Z"]
)
NAMES = st.sampled_from([*FILTERS, "since", "until", "limit", "cursor", "matched"]) | st.text(max_size=5)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(st.tuples(NAMES, VALUES), max_size=4), max_size=10))
def test_no_query_is_answered_with_5xx(queries: list[list[tuple[str, str]]]) -> None:
    """Any query of any list is 200, or 422 with pointers."""
    asyncio.run(_fuzz(queries))


async def _fuzz(queries: list[list[tuple[str, str]]]) -> None:
    async with running() as call, asyncio.timeout(DEADLINE):
        await call.sent({"type": "t"})
        paths = [*(f"{HOME}/{name}" for name in (*LISTS, "tokens", "destinations")), "/api/v1/rejected"]
        for query in queries:
            for path in paths:
                status, body = await call("GET", path, params=[(n, v) for n, v in query if _sayable(n + v)])
                assert status == 200 or (status == 422 and pointers(body)), (path, query)


def _sayable(text: str) -> bool:
    return not any("\ud800" <= sign <= "\udfff" for sign in text)
