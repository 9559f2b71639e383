"""Merging and splitting over HTTP: what is counted where afterwards, how names go on leading somewhere, and the way back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from alertd.errors import StoreUnavailableError
from alertd.submission import QueueBounds
from tests.unit.api.bench import DEADLINE, HOME, running
from tests.unit.api.test_issues import ISSUES, error

if TYPE_CHECKING:
    from alertd.store.base import Batch
    from alertd.store.issues import IssueWrites
    from tests.unit.api.bench import Caller


async def three(call: Caller) -> list[dict[str, Any]]:
    """Begin SHOP-1 to SHOP-3 with the keys a, b and c and one, two and three events."""
    await call.sent(*(error(10 * n + k, key=key) for n, key in enumerate("abc") for k in range(n + 1)))
    return [(await call("GET", f"{ISSUES}/SHOP-{n}"))[1] for n in (1, 2, 3)]


async def counts(call: Caller) -> dict[str, int]:
    """How many events each issue has."""
    return {each["short_id"]: each["event_count"] for each in (await call("GET", ISSUES))[1]["items"]}


async def test_merged_issues_are_one() -> None:
    """With the sum of their events; the keys of all lead to it from then on, and so do the names of the others."""
    async with running() as call:
        _, two, _ = await three(call)
        status, merged = await call("POST", f"{ISSUES}/SHOP-1/merge", "operator", json={"issues": ["SHOP-2", "shop-3"]})
        assert (status, merged["short_id"], merged["event_count"]) == (200, "SHOP-1", 6)
        assert sorted(each["key"] for each in merged["keys"]) == ["a", "b", "c"]
        assert [each["short_id"] for each in merged["merged"]] == ["SHOP-2", "SHOP-3"]
        assert len(merged["alerts"]) == 6
        await call.sent(error(100, key="b"), error(101, key="new"))
        assert await counts(call) == {"SHOP-1": 7, "SHOP-4": 1}
        for name in ("SHOP-2", two["id"]):
            assert (await call("GET", f"{ISSUES}/{name}"))[1]["short_id"] == "SHOP-1"


@pytest.mark.parametrize("split", [{"issue": "SHOP-2"}, {"keys": ["b", "c"]}], ids=["by-name", "by-keys"])
async def test_what_was_merged_twice_goes_with_what_it_was_merged_into(split: dict[str, Any]) -> None:
    """Its names lead to the issue that has its events, and it can be split off that one."""
    async with running() as call:
        await three(call)
        await call("POST", f"{ISSUES}/SHOP-2/merge", json={"issues": ["SHOP-3"]})
        await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]})
        _, back = await call("POST", f"{ISSUES}/SHOP-1/split", json=split)
        assert (back["short_id"], [each["short_id"] for each in back["merged"]]) == ("SHOP-2", ["SHOP-3"])
        assert (await call("GET", f"{ISSUES}/SHOP-3"))[1]["short_id"] == "SHOP-2"
        assert (await call("GET", f"{ISSUES}/SHOP-1"))[1]["merged"] == []
        assert (await call("POST", f"{ISSUES}/SHOP-2/split", json={"issue": "SHOP-3"}))[0] == 200
        assert await counts(call) == {"SHOP-1": 1, "SHOP-2": 2, "SHOP-3": 3}


async def test_what_was_merged_comes_back_as_it_was() -> None:
    """Split off by its name it has its number, its count, its assignee and its state again; its keys lead to it."""
    async with running() as call:
        await three(call)
        await call("POST", f"{ISSUES}/SHOP-2/assign", json={"assignee": "ann"})
        _, before = await call("POST", f"{ISSUES}/SHOP-2/resolve")
        await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]})
        status, back = await call("POST", f"{ISSUES}/SHOP-1/split", "operator", json={"issue": "SHOP-2"})
        assert status == 200
        differing = {name for name in before if back[name] != before[name]}
        assert differing == {"transitions"}
        assert [t["why"] for t in back["transitions"]][:2] == ["split off SHOP-1", "merged into SHOP-1"]
        assert await counts(call) == {"SHOP-1": 1, "SHOP-2": 2, "SHOP-3": 3}
        await call.sent(error(100, key="b"))
        assert (await call("GET", f"{ISSUES}/SHOP-2"))[1]["state"] == "regressed"
        assert (await call("GET", f"{ISSUES}/SHOP-1"))[1]["merged"] == []


async def test_what_was_seen_since_is_not_put_aside_again() -> None:
    """Resolved, merged, seen meanwhile, split off: it is ongoing, with all events that were its own."""
    async with running() as call:
        await three(call)
        await call("POST", f"{ISSUES}/SHOP-2/resolve")
        await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]})
        await call.sent(error(100, key="b"))
        _, back = await call("POST", f"{ISSUES}/SHOP-1/split", json={"issue": "SHOP-2"})
        assert (back["state"], back["event_count"], len(back["alerts"])) == ("ongoing", 3, 3)
        assert len((await call("GET", f"{ISSUES}/SHOP-1"))[1]["alerts"]) == 1


async def test_keys_are_split_off() -> None:
    """Some of the keys of a merged issue become an issue of their own with a number of its own."""
    async with running() as call:
        await three(call)
        await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2", "SHOP-3"]})
        status, made = await call("POST", f"{ISSUES}/SHOP-1/split", json={"keys": ["b", "c"]})
        assert (status, made["short_id"], made["event_count"], made["state"]) == (200, "SHOP-4", 5, "ongoing")
        await call.sent(error(100, key="c"), error(101, key="a"), error(102, key="x"))
        assert await counts(call) == {"SHOP-1": 2, "SHOP-4": 6, "SHOP-5": 1}
        assert len((await call("GET", f"{ISSUES}/SHOP-4"))[1]["alerts"]) == 6


async def test_chains_of_merges() -> None:
    """What was merged into what was merged leads to the last, and each comes back from there."""
    async with running() as call:
        await three(call)
        await call("POST", f"{ISSUES}/SHOP-2/merge", json={"issues": ["SHOP-3"]})
        await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]})
        assert (await call("GET", f"{ISSUES}/SHOP-3"))[1]["event_count"] == 6
        _, back = await call("POST", f"{ISSUES}/SHOP-1/split", json={"issue": "SHOP-3"})
        assert (back["short_id"], back["event_count"]) == ("SHOP-3", 3)
        assert await counts(call) == {"SHOP-1": 3, "SHOP-3": 3}


async def test_one_incident_remains() -> None:
    """The merged issue has one that is open; that of the other is over, which is told, or becomes its own where it had none."""
    async with running() as call:
        await three(call)
        _, page = await call("GET", f"{HOME}/incidents?state=open")
        *_, first = page["items"]
        await call("POST", f"{HOME}/incidents/{first['id']}/resolve")
        await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2", "SHOP-3"]})
        _, page = await call("GET", f"{HOME}/incidents?state=open")
        (only,) = page["items"]
        _, issue = await call("GET", f"{ISSUES}/SHOP-1")
        assert (only["issue_id"], issue["incident"]["id"]) == (issue["id"], only["id"])
        _, page = await call("GET", f"{HOME}/events?type=incident.resolved")
        merged, by_hand = [(await call("GET", f"{HOME}/events/{each['id']}"))[1] for each in page["items"]]
        assert by_hand["data"]["issue"]["short_id"] == "SHOP-1"
        assert merged["message"].endswith("merged into SHOP-1")
        assert "issue" not in merged["data"]  # whose own incident goes on: nobody reads that it is resolved


async def noted(call: Caller) -> list[tuple[str, str]]:
    """What the log says of issues, oldest first."""
    _, page = await call("GET", f"{HOME}/audit?kind=issue")
    return [(line["action"], line["name"]) for line in reversed(page["items"])]


async def ended(call: Caller) -> list[dict[str, Any]]:
    """The incidents that are over."""
    _, page = await call("GET", f"{HOME}/incidents?state=resolved")
    return [(await call("GET", f"{HOME}/incidents/{each['id']}"))[1] for each in page["items"]]


async def open_incidents(call: Caller) -> list[str]:
    """The issues of the incidents that are open."""
    _, page = await call("GET", f"{HOME}/incidents?state=open")
    return [(await call("GET", f"/api/v1/issues/{each['issue_id']}"))[1]["short_id"] for each in page["items"]]


async def test_merged_into_what_is_resolved_incidents_end() -> None:
    """What is one with a problem that is over is over; when it comes back an incident is opened."""
    async with running() as call:
        await three(call)
        await call("POST", f"{ISSUES}/SHOP-1/resolve")
        _, merged = await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]})
        assert (merged["state"], merged["incident"], await open_incidents(call)) == ("resolved", None, ["SHOP-3"])
        await call.sent(error(100, key="b"))
        assert await open_incidents(call) == ["SHOP-1", "SHOP-3"]


@pytest.mark.parametrize("state", ["open", "resolved"])
async def test_an_incident_says_that_it_ended_by_a_merge(state: str) -> None:
    """Nobody takes it for a problem that was solved."""
    async with running() as call:
        _, second, _ = await three(call)
        if state == "resolved":
            await call("POST", f"{ISSUES}/SHOP-1/resolve")
        await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]})
        _, incident = await call("GET", f"{HOME}/incidents/{second['incident']['id']}")
        last = incident["timeline"][-1]
        assert (incident["state"], last["what"], last["text"]) == ("resolved", "resolved", "merged into SHOP-1")
        assert last["by"] == incident["resolved_by"] == "root"


@pytest.mark.parametrize("split", [{"issue": "SHOP-2"}, {"keys": ["b"]}], ids=["by-name", "by-keys"])
async def test_an_incident_goes_back_with_the_issue_that_brought_it(split: dict[str, Any]) -> None:
    """Undoing a merge undoes whose incident it is; it ends with that issue, and no second one is opened beside it."""
    async with running() as call:
        await three(call)
        first = (await call("GET", f"{HOME}/incidents?state=open"))[1]["items"][-1]
        await call("POST", f"{HOME}/incidents/{first['id']}/resolve")
        await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]})
        assert await open_incidents(call) == ["SHOP-3", "SHOP-1"]
        _, back = await call("POST", f"{ISSUES}/SHOP-1/split", json=split)
        assert back["incident"]["title"].startswith("SHOP-2 new")
        assert (await call("GET", f"{ISSUES}/SHOP-1"))[1]["incident"] is None
        assert await open_incidents(call) == ["SHOP-3", "SHOP-2"]
        await call("POST", f"{ISSUES}/SHOP-2/resolve")
        assert await open_incidents(call) == ["SHOP-3"]
        await call.sent(error(100, key="b"))
        assert await open_incidents(call) == ["SHOP-2", "SHOP-3"]


async def test_the_incident_of_what_remains_stays() -> None:
    """Only what an issue brought goes with it: that of the issue into which it was merged stays there."""
    async with running() as call:
        await three(call)
        await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]})
        _, back = await call("POST", f"{ISSUES}/SHOP-1/split", json={"issue": "SHOP-2"})
        assert back["incident"] is None
        assert await open_incidents(call) == ["SHOP-3", "SHOP-1"]


async def test_a_full_queue_refuses_a_merge_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an incident would have to end: 429, every issue and incident as it was, nothing noted; later it is done."""
    async with running() as call:
        before, gate, entered = await three(call), asyncio.Event(), asyncio.Event()
        pipeline, commit = call.bench.pipeline, call.bench.store.commit

        async def gated(batch: Batch) -> None:
            entered.set()
            await gate.wait()
            await commit(batch)

        monkeypatch.setattr(call.bench.store, "commit", gated)
        monkeypatch.setattr(pipeline, "_bounds", QueueBounds(1, 1_000_000))
        sending = asyncio.create_task(call.sent({"type": "plain"}, {"type": "plain"}))
        async with asyncio.timeout(DEADLINE):
            await entered.wait()
        status, _ = await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]})
        assert status == 429
        assert [(await call("GET", f"{ISSUES}/SHOP-{n}"))[1] for n in (1, 2, 3)] == before
        assert (await noted(call), len(await open_incidents(call))) == ([], 3)
        gate.set()
        await sending
        assert (await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]}))[0] == 200
        assert await noted(call) == [("merged", "SHOP-1"), ("merged", "SHOP-2")]
        assert await open_incidents(call) == ["SHOP-3", "SHOP-1"]


async def test_at_the_end_nothing_is_merged_or_split() -> None:
    """A commit may be under way for which nobody waits any more: what would be merged is from before it."""
    async with running() as call:
        await call.sent(error(1), error(2, key="other"))
        call.bench.pipeline.stop()
        for action, body in (("merge", {"issues": ["SHOP-2"]}), ("split", {"keys": ["other"]})):
            status, problem = await call("POST", f"{ISSUES}/SHOP-1/{action}", json=body)
            assert (status, problem["title"]) == (429, "Too Many Requests")
        for name in ("SHOP-1", "SHOP-2"):
            assert (await call("GET", f"{ISSUES}/{name}"))[1]["short_id"] == name


async def test_a_merge_that_is_not_stored_ends_no_incident(monkeypatch: pytest.MonkeyPatch) -> None:
    """503, and everything is as it was, what was queued beforehand included."""
    async with running() as call:
        before = await three(call)

        async def failing(writes: IssueWrites) -> None:
            raise StoreUnavailableError("disk full")

        with monkeypatch.context() as patch:
            patch.setattr(call.bench.store, "write_issues", failing)
            assert (await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]}))[0] == 503
        await call.sent({"type": "plain"})
        assert [(await call("GET", f"{ISSUES}/SHOP-{n}"))[1] for n in (1, 2, 3)] == before
        assert len(await open_incidents(call)) == 3


async def test_what_is_merged_is_noted_though_its_incident_cannot_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The merge is stored: it is answered and in the log; the other incident ends when time is looked at, as after a kill."""
    async with running() as call:
        await three(call)

        async def failing(batch: Batch) -> None:
            raise StoreUnavailableError("disk full")

        with monkeypatch.context() as patch:
            patch.setattr(call.bench.store, "commit", failing)
            status, merged = await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]})
        assert (status, merged["event_count"]) == (200, 3)
        assert await noted(call) == [("merged", "SHOP-1"), ("merged", "SHOP-2")]
        assert sorted(await open_incidents(call)) == ["SHOP-1", "SHOP-1", "SHOP-3"]
        for later_ms in (61_000, 122_000):
            await call.bench.pipeline.settle(call.bench.clock.now_ms() + later_ms)
        assert sorted(await open_incidents(call)) == ["SHOP-1", "SHOP-3"]
        assert [each["timeline"][-1]["text"] for each in await ended(call)] == ["merged into SHOP-1"]


async def merged_in_turn(call: Caller) -> None:
    """Make SHOP-1 of SHOP-2, into which SHOP-3 was merged before."""
    await three(call)
    await call("POST", f"{ISSUES}/SHOP-2/merge", json={"issues": ["SHOP-3"]})
    await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]})


@pytest.mark.parametrize("rest", [{"issue": "SHOP-2"}, {"keys": ["b"]}], ids=["by-name", "by-keys"])
async def test_what_is_left_of_an_issue_comes_back_by_its_name(rest: dict[str, Any]) -> None:
    """After one of its keys was split off, which is an issue of its own and remains one."""
    async with running() as call:
        await merged_in_turn(call)
        assert (await call("POST", f"{ISSUES}/SHOP-1/split", json={"keys": ["c"]}))[1]["short_id"] == "SHOP-3"
        status, back = await call("POST", f"{ISSUES}/SHOP-1/split", json=rest)
        assert (status, back["short_id"], back["event_count"], len(back["alerts"])) == (200, "SHOP-2", 2, 2)
        assert [each["key"] for each in back["keys"]] == ["b"]
        assert await counts(call) == {"SHOP-1": 1, "SHOP-2": 2, "SHOP-3": 3}
        await call.sent(error(100, key="b"), error(101, key="c"))
        assert await counts(call) == {"SHOP-1": 1, "SHOP-2": 3, "SHOP-3": 4}


async def test_names_follow_what_is_left() -> None:
    """Without the key that it was begun with it goes on under another; what was merged into it is found there."""
    async with running() as call:
        await merged_in_turn(call)
        assert (await call("POST", f"{ISSUES}/SHOP-1/split", json={"keys": ["b"]}))[1]["short_id"] == "SHOP-4"
        status, back = await call("POST", f"{ISSUES}/SHOP-1/split", json={"issue": "SHOP-2"})
        assert (status, back["short_id"], [each["key"] for each in back["keys"]]) == (200, "SHOP-2", ["c"])
        assert (await call("GET", f"{ISSUES}/SHOP-3"))[1]["short_id"] == "SHOP-2"
        assert await counts(call) == {"SHOP-1": 1, "SHOP-2": 3, "SHOP-4": 2}
        await call.sent(error(100, key="c"))
        assert (await call("GET", f"{ISSUES}/SHOP-2"))[1]["event_count"] == 4


async def test_nothing_is_left_of_an_issue() -> None:
    """All its keys were split off: that is said, and nothing changes."""
    async with running() as call:
        await merged_in_turn(call)
        for key in "bc":
            await call("POST", f"{ISSUES}/SHOP-1/split", json={"keys": [key]})
        status, problem = await call("POST", f"{ISSUES}/SHOP-1/split", json={"issue": "SHOP-2"})
        assert (status, problem["errors"][0]["pointer"]) == (422, "/issue")
        assert await counts(call) == {"SHOP-1": 1, "SHOP-3": 3, "SHOP-4": 2}


@pytest.mark.parametrize("taken", ["a", "b"])
async def test_each_part_tells_of_itself(taken: str) -> None:
    """After a split both have the title, culprit, level and release of their own newest event, whichever came last."""
    told = {
        key: {"culprit": f"in {key}", "release": f"{key}-1", "level": level}
        for key, level in {"a": "error", "b": "fatal"}.items()
    }
    async with running() as call:
        await call.sent(error(1, key="a", **told["a"]))
        await call.sent(error(2, key="b", **told["b"]))
        await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]})
        await call.sent(error(3, key="a", **told["a"]))
        await call.sent(error(4, key="b", **told["b"]))
        _, made = await call("POST", f"{ISSUES}/SHOP-1/split", json={"keys": [taken]})
        _, page = await call("GET", ISSUES)
        assert len(page["items"]) == 2
        for issue in page["items"]:
            key = taken if issue["short_id"] == made["short_id"] else {"a": "b", "b": "a"}[taken]
            own = {"title": f"KeyError: {key}", "culprit": f"in {key}", "level": told[key]["level"]}
            assert {name: issue[name] for name in own} == own


@pytest.mark.parametrize(
    ("action", "body", "status", "pointer"),
    [
        ("merge", {}, 422, "/issues"),
        ("merge", {"issues": []}, 422, "/issues"),
        ("merge", {"issues": ["SHOP-9"]}, 422, "/issues/0"),
        ("merge", {"issues": ["SHOP-2", "SHOP-9"]}, 422, "/issues/1"),
        ("merge", {"issues": ["SHOP-1"]}, 409, None),
        ("merge", {"issues": ["SHOP-2", "SHOP-2"]}, 409, None),
        ("merge", {"issues": ["BLOG-1"]}, 409, None),
        ("split", {}, 422, ""),
        ("split", {"keys": ["a"], "issue": "SHOP-2"}, 422, ""),
        ("split", {"keys": ["a"]}, 409, None),
        ("split", {"keys": ["a", "nothing"]}, 422, "/keys/1"),
        ("split", {"issue": "SHOP-3"}, 422, "/issue"),
    ],
)
async def test_what_cannot_be_done_changes_nothing(
    action: str, body: dict[str, Any], status: int, pointer: str | None
) -> None:
    """It is refused with its reason, and every issue is as it was."""
    async with running() as call:
        before = await three(call)
        await call.sent({**error(200, key="a"), "project": "blog"})
        answered, problem = await call("POST", f"{ISSUES}/SHOP-1/{action}", json=body)
        assert answered == status, problem
        if pointer is not None:
            assert [each["pointer"] for each in problem["errors"]] == [pointer]
        assert [(await call("GET", f"{ISSUES}/SHOP-{n}"))[1] for n in (1, 2, 3)] == before


async def test_who_may_and_what_is_noted() -> None:
    """Operators; each issue that is concerned has a line in the log."""
    async with running() as call:
        await three(call)
        for who, status in (("intake", 403), ("viewer", 403), (None, 401), ("other-admin", 403), ("operator", 200)):
            assert (await call("POST", f"{ISSUES}/SHOP-1/merge", who, json={"issues": ["SHOP-2"]}))[0] == status
        assert (await call("POST", f"{ISSUES}/SHOP-1/split", "viewer", json={"issue": "SHOP-2"}))[0] == 403
        assert (await call("POST", f"{ISSUES}/SHOP-1/split", "operator", json={"issue": "SHOP-2"}))[0] == 200
        _, page = await call("GET", f"{HOME}/audit?kind=issue")
        noted = {(e["actor"], e["action"], e["name"]) for e in page["items"]}
        assert noted == {("operator", action, name) for action in ("merged", "split") for name in ("SHOP-1", "SHOP-2")}


async def test_events_that_pour_in_meanwhile_are_all_counted() -> None:
    """Whatever is merged and split while they come, each is counted once, in an issue that is there."""
    async with running() as call:
        await three(call)

        async def pour() -> None:
            for number in range(30):
                await call.sent(*(error(1000 + 10 * number + n, key=key) for n, key in enumerate("abc")))

        async def reshape() -> None:
            for _ in range(10):
                await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2", "SHOP-3"]})
                await call("POST", f"{ISSUES}/SHOP-1/split", json={"issue": "SHOP-3"})
                await call("POST", f"{ISSUES}/SHOP-1/split", json={"issue": "SHOP-2"})

        await asyncio.gather(pour(), reshape())
        assert await counts(call) == {"SHOP-1": 31, "SHOP-2": 32, "SHOP-3": 33}


@pytest.mark.parametrize("what", ["merge", "split"])
async def test_what_is_being_stored_is_known_whoever_stops_waiting(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop that cuts the call does not cut the write, so what comes behind it is counted where it belongs then."""
    async with running() as call:
        _, two, _ = await three(call)
        if what == "split":
            await call("POST", f"{ISSUES}/SHOP-1/merge", json={"issues": ["SHOP-2"]})
        store, gate, begun = call.bench.store, asyncio.Event(), asyncio.Event()
        callers, write, find = [], store.write_issues, store.issues_numbered

        async def found(*given: Any) -> list[int]:
            callers.append(asyncio.current_task())
            return await find(*given)

        async def stuck(writes: IssueWrites) -> None:
            written = asyncio.ensure_future(_written(writes))
            await asyncio.shield(written)

        async def _written(writes: IssueWrites) -> None:
            begun.set()
            await gate.wait()
            await write(writes)

        monkeypatch.setattr(store, "issues_numbered", found)
        monkeypatch.setattr(store, "write_issues", stuck)
        body = {"issues": ["SHOP-2"]} if what == "merge" else {"issue": "SHOP-2"}
        asking = asyncio.create_task(call("POST", f"{ISSUES}/SHOP-1/{what}", json=body))
        await begun.wait()
        assert callers[0] is not None
        callers[0].cancel()
        sending = asyncio.create_task(call.sent(error(100, key="b")))
        for _ in range(50):
            await asyncio.sleep(0)
        gate.set()
        await sending
        await asyncio.gather(asking, return_exceptions=True)
        shown = {"SHOP-1": 4, "SHOP-3": 3} if what == "merge" else {"SHOP-1": 1, "SHOP-2": 3, "SHOP-3": 3}
        assert await counts(call) == shown
        assert (await call("GET", f"{ISSUES}/{two['id']}"))[1]["short_id"] == (
            "SHOP-1" if what == "merge" else "SHOP-2"
        )
