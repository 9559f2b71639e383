"""Many deliveries sent again: counted first, each a new one that names its origin and who asked, at the pace asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from alertd.delivery import replayer
from alertd.errors import TooManyError
from alertd.model.delivery import DELIVERED, Outcome, OutcomeKind
from alertd.model.ids import format_id
from alertd.store.replaying import Replay
from tests.unit.api.bench import HOME, Caller, running

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.destinations.base import Message

PATH = f"{HOME}/deliveries/replay"
REJECTED = Outcome(OutcomeKind.REJECTED, 404, "returned 404")


async def given_up(call: Caller, count: int = 3, **event: Any) -> list[str]:
    """Send events whose delivery to hook is given up; return their ids."""
    door = call.bench.doors["default", "hook"]
    door.outcome = REJECTED
    sent = await call.sent(*({"type": "t", "id": f"e{n}", **event} for n in range(count)))
    await call.settled(f"{HOME}/deliveries?destination=hook", "dead")
    door.outcome = DELIVERED
    door.messages.clear()
    return sent


async def until(call: Caller, replay: dict[str, Any], holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Look at a replay until something holds."""
    while True:
        status, replay = await call("GET", f"{PATH}s/{replay['id']}")
        assert status == 200
        if holds(replay):
            return replay
        await asyncio.sleep(0)


async def ended(call: Caller, replay: dict[str, Any]) -> dict[str, Any]:
    """Wait until a replay has ended."""
    return await until(call, replay, lambda now: bool(now["state"] != "running"))


def unknown(answer: tuple[int, Any]) -> bool:
    """Say whether a destination that a body names was refused by its place there."""
    status, problem = answer
    return (status, problem.get("errors")) == (
        422,
        [{"pointer": "/destination", "detail": "unknown destination 'nowhere'"}],
    )


def events(messages: list[Message]) -> list[str]:
    """Name the events of messages, which were delivered in any order."""
    return sorted(message.event.decode().partition('"id":"')[2].partition('"')[0] for message in messages)


async def test_a_dry_run_counts_and_does_nothing() -> None:
    """How many would go, how many were found and in which states; nothing is sent, kept or logged."""
    async with running() as call:
        await given_up(call)
        await call.sent({"type": "fine", "id": "fine"})
        await call.settled(f"{HOME}/deliveries?type=fine")
        body = {"filter": {"state": "dead"}, "dry_run": True}
        status, preview = await call("POST", PATH, json=body)
        assert status == 200
        assert (preview["count"], preview["matched"], preview["states"], preview["complete"]) == (
            3,
            3,
            {"dead": 3},
            True,
        )
        status, preview = await call("POST", PATH, json={"filter": {}, "dry_run": True})
        assert preview["states"] == {"delivered": 1, "dead": 3, "cancelled": 0}
        assert (preview["count"], preview["rate_per_second"], preview["destination"]) == (4, 50.0, None)
        assert call.bench.doors["default", "page"].messages == []
        assert (await call("GET", f"{PATH}s"))[1]["items"] == []
        assert (await call("GET", f"{HOME}/audit"))[1]["items"] == []


async def test_all_that_was_given_up_goes_out_again() -> None:
    """Each as a new delivery that names its origin, the replay, and who asked; the log says it, too."""
    async with running() as call:
        sent = await given_up(call)
        status, replay = await call("POST", PATH, "operator", json={"filter": {"state": "dead"}})
        assert status == 202
        assert (replay["matched"], replay["requested_by"], replay["filter"]) == (3, "operator", {"state": "dead"})
        done = await ended(call, replay)
        assert (done["state"], done["replayed"], done["left_out"], done["reason"]) == ("done", 3, 0, None)
        assert done["ended_at"] is not None
        items = await call.settled(f"{HOME}/deliveries?state=delivered")
        assert [item["replay_id"] for item in items] == [replay["id"]] * 3
        assert {item["replayed_by"] for item in items} == {"operator"}
        dead = (await call("GET", f"{HOME}/deliveries?state=dead"))[1]["items"]
        assert {item["replay_of"] for item in items} == {item["id"] for item in dead}
        assert {item["replayed_by"] for item in dead} == {None}
        assert events(call.bench.doors["default", "hook"].messages) == sorted(sent)
        [line] = (await call("GET", f"{HOME}/audit"))[1]["items"]
        assert (line["action"], line["kind"], line["name"], line["actor"]) == (
            "replayed",
            "replay",
            replay["id"],
            "operator",
        )
        assert (line["after"]["matched"], line["after"]["filter"]) == (3, {"state": "dead"})


async def test_asked_twice_it_sends_once_unless_again_is_said() -> None:
    """What was replayed and arrived is left out of the next replay; with `again` it goes once more."""
    async with running() as call:
        await given_up(call)
        for body, count, replayed, left_out in (
            ({"filter": {"state": "dead"}}, 3, 3, 0),
            ({"filter": {"state": "dead"}}, 0, 0, 3),
            ({"filter": {"state": "dead"}, "again": True}, 3, 3, 0),
        ):
            preview = (await call("POST", PATH, json={**body, "dry_run": True}))[1]
            assert (preview["count"], preview["matched"]) == (count, 3)
            done = await ended(call, (await call("POST", PATH, json=body))[1])
            assert (done["replayed"], done["left_out"]) == (replayed, left_out)
            await call.settled(f"{HOME}/deliveries?state=delivered")
        assert len(call.bench.doors["default", "hook"].messages) == 6


async def test_to_another_destination_goes_each_event_once() -> None:
    """All goes there, whoever it went to before, and an event only once."""
    async with running() as call:
        await call.sent(*({"type": "t", "id": f"e{n}", "severity": "error"} for n in range(3)))
        await call.settled(f"{HOME}/deliveries")
        page = call.bench.doors["default", "page"]
        page.messages.clear()
        body = {"filter": {"state": "delivered"}, "destination": "page"}
        preview = (await call("POST", PATH, json={**body, "dry_run": True}))[1]
        assert (preview["count"], preview["matched"]) == (3, 6)
        done = await ended(call, (await call("POST", PATH, json=body))[1])
        assert (done["replayed"], done["left_out"], done["destination"]) == (3, 3, "page")
        await call.settled(f"{HOME}/deliveries?destination=page")
        assert events(page.messages) == ["e0", "e1", "e2"]
        for dry_run in (True, False):
            asked = {**body, "destination": "nowhere", "dry_run": dry_run}
            assert unknown(await call("POST", PATH, json=asked))


async def test_the_filter_may_stand_in_the_query() -> None:
    """As in the list: the list's own address with `/replay` behind it."""
    async with running() as call:
        await given_up(call, type="a")
        status, preview = await call("POST", f"{PATH}?type=a&state=dead", json={"dry_run": True})
        assert (status, preview["count"], preview["filter"]) == (200, 3, {"type": "a", "state": "dead"})
        assert (await call("POST", f"{PATH}?type=b", json={"dry_run": True}))[1]["count"] == 0
        status, replay = await call("POST", f"{PATH}?type=a")
        assert (status, (await ended(call, replay))["replayed"]) == (202, 3)


@pytest.mark.parametrize(
    ("query", "body", "pointer"),
    [
        ("", None, "/filter"),
        ("", {}, "/filter"),
        ("", {"filter": []}, "/filter"),
        ("", {"filter": {"state": 1}}, "/filter/state"),
        ("", {"filter": {"state": "lost"}}, "/filter/state"),
        ("", {"filter": {"state": "pending"}}, "/filter/state"),
        ("", {"filter": {"state": "in_flight"}}, "/filter/state"),
        ("", {"filter": {"colour": "red"}}, "/filter/colour"),
        ("", {"filter": {"since": "then"}}, "/filter/since"),
        ("", {"filter": {}, "rate_per_second": 0}, "/rate_per_second"),
        ("", {"filter": {}, "rate_per_second": 1001}, "/rate_per_second"),
        ("", {"filter": {}, "rate_per_second": True}, "/rate_per_second"),
        ("", {"filter": {}, "dry_run": "yes"}, "/dry_run"),
        ("", {"filter": {}, "again": 1}, "/again"),
        ("", {"filter": {}, "destination": 5}, "/destination"),
        ("", {"filter": {}, "colour": "red"}, "/colour"),
        ("?state=dead", {"filter": {}}, "/filter"),
        ("?state=retrying", None, "/state"),
        ("?limit=5", None, "/limit"),
    ],
)
async def test_what_is_wrong_is_named(query: str, body: Any, pointer: str) -> None:
    """422 with the place, and nothing is sent; without a filter there is no replay."""
    async with running() as call:
        await given_up(call, 1)
        options = {} if body is None else {"json": body}
        status, problem = await call("POST", PATH + query, **options)
        assert status == 422
        assert pointer in {each["pointer"] for each in problem["errors"]}
        assert (await call("GET", f"{PATH}s"))[1]["items"] == []


async def test_too_much_is_refused_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the bound it goes; beyond it the preview says that there is more, and the replay is refused."""
    monkeypatch.setattr("alertd.api.replays.ORIGINS_MAX", 3)
    async with running() as call:
        await given_up(call, 3)
        body = {"filter": {"state": "dead"}}
        assert (await call("POST", PATH, json={**body, "dry_run": True}))[1]["complete"] is True
        await given_up(call, 1, id="one-more")
        assert (await call("POST", PATH, json={**body, "dry_run": True}))[1]["complete"] is False
        status, problem = await call("POST", PATH, json=body)
        assert (status, problem["errors"][0]["pointer"]) == (422, "/filter")


async def test_no_more_replays_than_may_go_on() -> None:
    """At the bound the next one is 429 with Retry-After; when one is ended there is room again, and only what it sent is sent."""
    async with running() as call:
        await given_up(call)
        body = {"filter": {"state": "dead"}, "rate_per_second": 0.0001, "again": True}
        begun = [(await call("POST", PATH, json=body))[1] for _ in range(replayer.WORKSPACE_MAX)]
        status, said, headers = await call.full("POST", PATH, json=body)
        assert (status, headers["Retry-After"]) == (429, "10")
        assert said["detail"].startswith("2 replays of the workspace 'default' go on")
        assert (await call("POST", PATH, json={**body, "dry_run": True}))[0] == 200
        await until(call, begun[0], lambda now: bool(now["replayed"]))
        status, over = await call("POST", f"{PATH}s/{begun[0]['id']}/cancel", "operator")
        assert (status, over["state"], over["replayed"], over["reason"]) == (
            200,
            "cancelled",
            1,
            "cancelled by operator",
        )
        assert (await call("POST", f"{PATH}s/{begun[0]['id']}/cancel"))[1] == over
        assert (await call("POST", PATH, json=body))[0] == 202
        listed = (await call("GET", f"{PATH}s?limit=2"))[1]
        assert len(listed["items"]) == 2
        rest = (await call("GET", f"{PATH}s?limit=200&cursor={listed['next_cursor']}"))[1]
        assert [each["id"] for each in rest["items"]][-1] == begun[0]["id"]
        assert len(rest["items"]) == replayer.WORKSPACE_MAX - 1


async def test_one_workspace_leaves_room_for_the_others() -> None:
    """Whoever has as many as one workspace may have keeps nobody else from replaying; all of them together have a bound."""
    async with running() as call:
        await given_up(call)
        origins = sorted(call.bench.store._deliveries)

        async def slow(workspace: str) -> None:
            number = call.bench.ids.take()
            replay = Replay(number, workspace, "ann", b"{}", None, number, 0.0001, len(origins))
            await call.bench.replayer.begin(replay, origins)

        body = {"filter": {"state": "dead"}, "rate_per_second": 0.0001, "again": True}
        for _ in range(replayer.WORKSPACE_MAX):
            assert (await call("POST", PATH, json=body))[0] == 202
        assert (await call("POST", PATH, json=body))[0] == 429
        other = PATH.replace("default", "other")
        for _ in range(replayer.WORKSPACE_MAX):
            await slow("other")
        assert (await call("POST", other, json=body))[0] == 429
        for number in range(replayer.RUNNING_MAX - 2 * replayer.WORKSPACE_MAX):
            await slow(f"w{number}")
        with pytest.raises(TooManyError, match="8 replays go on in all workspaces"):
            call.bench.replayer.check_room("fresh")


async def test_it_keeps_to_its_rate() -> None:
    """No more than the rate allows is sent: one at once, and the next one only when its time has come."""
    async with running() as call:
        await given_up(call)
        replay = (await call("POST", PATH, json={"filter": {}, "rate_per_second": 0.01}))[1]
        await until(call, replay, lambda now: bool(now["replayed"]))
        await call.settled(f"{HOME}/deliveries?state=delivered")
        assert len(call.bench.doors["default", "hook"].messages) == 1


async def test_it_goes_on_after_a_restart() -> None:
    """What was under way when the daemon died goes on where it was, and nothing is sent twice."""
    async with running() as call:
        sent = await given_up(call, 4)
        origins = sorted(call.bench.store._deliveries)  # what is dead here is all there is
        replay = Replay(call.bench.ids.take(), "default", "ann", b"{}", None, 0, 1000.0, len(origins))
        await call.bench.store.begin_replay(replay, origins)
        bench = call.bench
        first_id, now_ms = bench.ids.take(2), bench.clock.now_ms()
        _, made = await bench.store.step_replay(replay.id, first_id, 2, now_ms, bench.dispatcher.present())
        bench.dispatcher.offer(made)
        again = replayer.Replayer(
            bench.store, bench.clock, bench.ids, bench.dispatcher.offer, bench.dispatcher.present, bench.metrics
        )
        running_again = asyncio.create_task(again.run())
        with capture_logs() as logs:
            done = await ended(call, {"id": format_id("rpl", replay.id)})
        assert (done["state"], done["replayed"]) == ("done", 4)
        said = [(line["event"], line["replay_id"]) for line in logs if line["event"].startswith("replay.")]
        assert said == [("replay.resumed", done["id"]), ("replay.ended", done["id"])]
        await call.settled(f"{HOME}/deliveries?state=delivered")
        assert events(call.bench.doors["default", "hook"].messages) == sorted(sent)
        again.stop()
        await running_again


async def test_a_destination_that_goes_ends_its_replay() -> None:
    """It says why; nothing more is sent."""
    async with running() as call:
        await given_up(call)
        number = call.bench.ruleset.ids["destination", "default", "hook"]
        gone = 12345
        for to, expected in ((gone, "failed"), (number, "done")):
            replay = Replay(call.bench.ids.take(), "default", "ann", b"{}", to, 0, 1000.0, 0)
            await call.bench.replayer.begin(replay, [])
            assert (await ended(call, {"id": format_id("rpl", replay.id)}))["state"] == expected
        assert (await call("GET", f"{PATH}s"))[1]["items"][1]["reason"] == "the destination is gone"


async def test_one_delivery_may_go_elsewhere() -> None:
    """The replay of one delivery takes another destination, names who asked, and is logged."""
    async with running() as call:
        await given_up(call, 1)
        [dead] = (await call("GET", f"{HOME}/deliveries?state=dead"))[1]["items"]
        path = f"{HOME}/deliveries/{dead['id']}/replay"
        status, again = await call("POST", path, "operator", json={"destination": "page"})
        assert (status, again["destination"], again["replayed_by"]) == (201, "page", "operator")
        assert (again["replay_of"], again["replay_id"]) == (dead["id"], None)
        assert unknown(await call("POST", path, json={"destination": "nowhere"}))
        assert (await call("POST", path, json={"destination": 1}))[0] == 422
        assert (await call("POST", path, json={"to": "page"}))[0] == 422
        assert (await call("POST", path))[1]["destination"] == "hook"
        lines = (await call("GET", f"{HOME}/audit?action=replayed&kind=delivery"))[1]["items"]
        assert {line["name"] for line in lines} == {dead["id"]}
        assert lines[-1]["after"] == {"delivery": again["id"], "destination": "page"}


async def test_a_delivery_whose_destination_is_gone_goes_elsewhere_or_nowhere() -> None:
    """Sent again as it was it would be cancelled at once: that is refused and not noted, and of many it is left out."""
    async with running() as call:
        await given_up(call, 1)
        [dead] = (await call("GET", f"{HOME}/deliveries?state=dead"))[1]["items"]
        settings = {"name": "mine", "type": "null"}
        assert (await call("POST", f"{HOME}/destinations", json=settings))[0] == 201
        path = f"{HOME}/deliveries/{{}}/replay"
        status, moved = await call("POST", path.format(dead["id"]), json={"destination": "mine"})
        assert (status, moved["destination"]) == (201, "mine")
        await call.settled(f"{HOME}/deliveries?destination=mine")
        assert (await call("DELETE", f"{HOME}/destinations/mine", headers={"If-Match": "*"}))[0] == 204
        status, problem = await call("POST", path.format(moved["id"]))
        assert (status, problem["detail"]) == (409, f"delivery {moved['id']} went to 'mine', which was removed")
        assert problem["errors"] == [{"pointer": "/destination", "detail": "name the one that takes it instead"}]
        assert (await call("GET", f"{HOME}/audit?action=replayed&kind=delivery"))[1]["items"][0]["name"] == dead["id"]
        body = {"filter": {"destination": "mine"}, "again": True}
        for to, count in ((None, 0), ("page", 1)):
            asked = {**body, "destination": to}
            shown = (await call("POST", PATH, json={**asked, "dry_run": True}))[1]
            assert (shown["count"], shown["matched"]) == (count, 1)
            done = await ended(call, (await call("POST", PATH, json=asked))[1])
            assert (done["state"], done["replayed"], done["left_out"]) == ("done", count, 1 - count)
        assert (await call("POST", path.format(moved["id"]), json={"destination": "page"}))[0] == 201
        assert (await call("GET", f"{HOME}/deliveries?state=cancelled"))[1]["items"] == []


async def test_roles_and_workspaces_are_kept() -> None:
    """A viewer sees and does not send; another workspace's replay is not found."""
    async with running() as call:
        await given_up(call, 1)
        body = {"filter": {"state": "dead"}}
        assert (await call("POST", PATH, "viewer", json={**body, "dry_run": True}))[0] == 403
        replay = (await call("POST", PATH, "operator", json=body))[1]
        assert (await call("GET", f"{PATH}s/{replay['id']}", "viewer"))[0] == 200
        assert (await call("POST", f"{PATH}s/{replay['id']}/cancel", "viewer"))[0] == 403
        away = PATH.replace("/default/", "/other/")
        assert (await call("GET", f"{away}s/{replay['id']}", "other-admin"))[0] == 404
        assert (await call("POST", f"{away}s/{replay['id']}/cancel", "other-admin"))[0] == 404
        assert (await call("GET", f"{away}s", "other-admin"))[1]["items"] == []
        assert (await call("POST", away, "other-admin", json={"filter": {}, "dry_run": True}))[1]["matched"] == 0
        for name in ("rpl_x", "nothing", "rpl_0000000000000001"):
            assert (await call("GET", f"{PATH}s/{name}"))[0] == 404
