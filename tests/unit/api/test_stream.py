"""The live stream: all that was stored, once and in order, from where one was; ended by either side, slow for nobody."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from alertd.api.edge import make_edge
from alertd.api.live import Cursor, read_cursor
from alertd.api.operation import OPERATIONS
from alertd.api.refusals import Refusals
from alertd.api.stream import Stream, StreamBounds
from alertd.clock import rfc3339
from alertd.model.delivery import Outcome, OutcomeKind
from alertd.model.ids import first_of
from tests.daemon import eventually
from tests.unit.api.bench import HOME, Bench, Caller, Server, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientResponse

PATH = f"{HOME}/deliveries/stream"
PATIENCE = 120
"""Seconds for what takes long on a busy machine."""


@dataclass
class Heard:
    """One entry as a client reads it."""

    kind: str
    id: str
    item: dict[str, Any]


def past(call: Caller) -> str:
    """Choose all that has happened, and no waiting for more."""
    return f"since=2020-01-01T00:00:00Z&until={rfc3339(call.bench.clock.now_ms() + 1)}"


async def moment_after(call: Caller) -> int:
    """Wait until a moment is past that is after all that has happened; return it, in milliseconds since 1970."""
    clock = call.bench.clock
    moment = clock.now_ms() + 1
    while True:
        await asyncio.sleep(0)
        if clock.now_ms() >= moment:
            return moment


@asynccontextmanager
async def listening(
    call: Caller, query: str = "", last: str = "", who: str = "viewer"
) -> AsyncIterator[ClientResponse]:
    """Open the stream and read until `: ready`."""
    headers = {"Authorization": f"Bearer secret-{who}", **({"Last-Event-ID": last} if last else {})}
    async with call.client.get(PATH + query, headers=headers) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        assert await answer.content.readline() == b": ready\n"
        yield answer


async def entry(answer: ClientResponse) -> Heard:
    """Read the next entry."""
    kind = number = ""
    while line := await answer.content.readline():
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            kind = value
        elif field == "id":
            number = value
        elif field == "data":
            return Heard(kind, number, orjson.loads(value))
    raise EOFError


async def heard(answer: ClientResponse, count: int) -> list[Heard]:
    """Read some entries."""
    return [await entry(answer) for _ in range(count)]


def plain(found: list[Heard]) -> list[tuple[str, Any, Any]]:
    """Shorten entries to what they are about."""
    return [(each.kind, each.item["event_id"], each.item.get("state") or each.item.get("verdict")) for each in found]


@asynccontextmanager
async def bounded(bench: Bench, bounds: StreamBounds) -> AsyncIterator[Caller]:
    """Serve the stream alone, with other bounds."""
    context = bench.context
    app = web.Application(middlewares=[make_edge(context.authenticator, Refusals(context.metrics))])
    app[OPERATIONS] = {}
    Stream(context, bounds).register(app)
    async with asyncio.timeout(PATIENCE), TestClient(Server(app)) as client:
        yield Caller(bench, client)


async def test_what_happens_after_ready_is_heard() -> None:
    """An event sent in the moment after `: ready` is told, its verdicts first and then its deliveries."""
    async with running() as call, listening(call) as answer:
        await call.sent({"type": "t", "id": "mine", "severity": "error"})
        found = await heard(answer, 4)
        assert [each.item["subscription"] for each in found if each.kind == "verdict"] == ["everything", "serious"]
        assert {each.item["destination"] for each in found if each.kind == "delivery"} == {"hook", "page"}
        assert [each.kind for each in found] == ["verdict", "verdict", "delivery", "delivery"]


async def test_what_happened_before_is_not_heard() -> None:
    """Without a place to begin at a stream begins now."""
    async with running() as call:
        await call.sent({"type": "t", "id": "before"})
        await call.settled(f"{HOME}/deliveries")
        async with listening(call) as answer:
            await call.sent({"type": "t", "id": "after"})
            assert (await entry(answer)).item["event_id"] == "after"


async def test_it_goes_on_behind_any_entry() -> None:
    """Whichever entry a client read last, its id brings exactly what followed: nothing is missing, nothing comes twice."""
    async with running() as call:
        async with listening(call) as answer:
            for name in "abc":
                await call.sent({"type": "t", "id": name, "severity": "error"})
            whole = await heard(answer, 12)
        assert len({each.id for each in whole}) == 12
        for number in range(12):
            async with listening(call, last=whole[number].id) as answer:
                await call.sent({"type": "last", "id": f"last-{number}", "severity": "error"})
                rest = await heard(answer, 11 - number + 4 * (number + 1))
                same = [each for each in rest if each.item["event_id"] in "abc"]
                assert sorted(plain(same)) == sorted(plain(whole[number + 1 :]))
                assert len({each.id for each in rest}) == len(rest)


async def test_a_lost_connection_loses_nothing() -> None:
    """A client that is cut off again and again, and comes back with the last id, hears of every event once."""
    async with running() as call:
        names = [f"e{n}" for n in range(30)]
        told: list[Heard] = []
        sending = asyncio.ensure_future(_send_all(call, names))
        async with listening(call) as answer:
            told.append(await entry(answer))
        while len(told) < 120:
            async with listening(call, last=told[-1].id) as answer:
                told += await heard(answer, min(7, 120 - len(told)))
        await sending
        assert len({each.id for each in told}) == 120
        assert sorted(each.item["event_id"] for each in told) == sorted(names * 4)


async def _send_all(call: Caller, names: list[str]) -> None:
    for name in names:
        await call.sent({"type": "t", "id": name, "severity": "error"})


async def test_a_quiet_client_can_come_back_too() -> None:
    """The place where a stream began is said at once, so that a client that heard nothing misses nothing either."""
    async with running() as call:
        async with listening(call) as answer:
            assert (await answer.content.readline()).startswith(b"retry: ")
            place = (await answer.content.readline()).decode().removeprefix("id: ").strip()
        await call.sent({"type": "t", "id": "meanwhile"})
        async with listening(call, last=place) as answer:
            assert (await entry(answer)).item["event_id"] == "meanwhile"


@pytest.mark.parametrize(
    "text", ["x", "1", "-", "0" * 16, f"{'0' * 16}-0-{'8' * 16}", f"{'0' * 16}-123456789-{'0' * 16}"]
)
async def test_what_is_no_place_is_refused(text: str) -> None:
    """A Last-Event-ID that no entry had is 422, and named."""
    async with running() as call:
        status, problem = await call("GET", PATH, headers={"Last-Event-ID": text})
        assert (status, problem["errors"][0]["pointer"]) == (422, "/Last-Event-ID")


async def test_a_place_that_was_never_reached_is_said() -> None:
    """A place of another store, or of one that was brought back from a backup: the stream begins now, and says so."""
    async with running() as call:
        for place in (Cursor(first_of(1 << 42), 0, 0), Cursor(0, 0, 99)):
            async with listening(call, last=str(place)) as answer:
                said = await entry(answer)
                assert (said.kind, said.item) == ("dropped", {"entries": None, "reason": "unknown_position"})
                await call.sent({"type": "t"})
                assert (await entry(answer)).kind == "verdict"
                await call.settled(f"{HOME}/deliveries")  # or the next stream begins before its outcome


async def test_what_retention_took_is_counted() -> None:
    """Outcomes that are not kept any more are said to be missing, with their number."""
    async with running() as call:
        await call.sent(*({"type": "t", "id": f"e{n}"} for n in range(2)))
        await call.settled(f"{HOME}/deliveries")
        await call.sent({"type": "t", "id": "last"})
        await call.settled(f"{HOME}/deliveries")
        store = call.bench.store
        while await store.retain(call.bench.clock.now_ms() + 60_000, 100):
            pass
        async with listening(call, last=str(Cursor())) as answer:
            said = await entry(answer)
            assert (said.kind, said.item) == ("dropped", {"entries": 2, "reason": "retention"})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?type=b", {("b", "verdict"), ("b", "delivery")}),
        ("?type=", set()),
        ("?severity=error", {("b", "verdict"), ("b", "delivery")}),
        ("?project=shop", {("a", "verdict"), ("a", "delivery")}),
        ("?environment=prod", {("b", "verdict"), ("b", "delivery")}),
        ("?destination=page", {("b", "delivery"), ("c", "delivery")}),
        (
            "?subscription=serious",
            {("a", "verdict"), ("b", "verdict"), ("b", "delivery"), ("c", "verdict"), ("c", "delivery")},
        ),
        ("?state=dead", {("c", "delivery")}),
        ("?text=needle", {("a", "verdict"), ("a", "delivery")}),
        ("?text=FORBIDDEN", {("c", "delivery")}),
        ("?type=b&destination=hook", {("b", "delivery")}),
        ("?channel=all&type=a", {("a", "verdict"), ("a", "delivery")}),
        ("?channel=other", set()),
    ],
)
async def test_it_takes_the_filters_of_the_lists(query: str, expected: set[tuple[str, str]]) -> None:
    """What is told is what was asked for; a verdict has neither a destination nor a state."""
    async with running() as call:
        await call.sent({"type": "a", "project": "shop", "message": "a Needle"})
        await call.sent({"type": "b", "severity": "error", "environment": "prod"})
        await call.settled(f"{HOME}/deliveries")
        call.bench.doors["default", "page"].outcome = Outcome(OutcomeKind.REJECTED, 403, "forbidden")
        await call.sent({"type": "c", "severity": "warning"})
        await call.settled(f"{HOME}/deliveries?type=c&destination=page", "dead")
        await call.settled(f"{HOME}/deliveries?type=c&destination=hook")
        found = set()
        async with listening(call, f"{query}&{past(call)}") as answer:
            while (each := await entry(answer)).kind != "end":
                found.add((each.item["type"], each.kind))
        assert found == expected


async def test_the_alert_of_a_filter_is_followed() -> None:
    """One alert can be followed alone."""
    async with running() as call, listening(call) as everything:
        await call.sent({"type": "a"}, {"type": "b"})
        first = (await heard(everything, 4))[0].item
        async with listening(call, f"?alert_id={first['alert_id']}", last=str(Cursor())) as answer:
            assert {each.item["event_id"] for each in await heard(answer, 2)} == {first["event_id"]}


async def test_a_wrong_filter_is_refused() -> None:
    """As in the lists: unknown names and wrong values are 422; a page is none of it."""
    async with running() as call:
        for query, pointer in (("?state=lost", "/state"), ("?limit=5", "/limit"), ("?since=then", "/since")):
            status, problem = await call("GET", PATH + query)
            assert (status, problem["errors"][0]["pointer"]) == (422, pointer)


async def test_it_may_begin_in_the_past_and_end_by_itself() -> None:
    """`since` tells what happened from then on; `until` ends the stream when that time has come and all was told."""
    async with running() as call:
        await call.sent({"type": "t", "id": "early"})
        await call.settled(f"{HOME}/deliveries")
        async with listening(call, f"?{past(call)}") as answer:
            found = await heard(answer, 4)
        assert plain(found[:3])[::2] == [("verdict", "early", "sent"), ("delivery", "early", "delivered")]
        assert (found[3].kind, found[3].item) == ("end", {"reason": "until"})


async def test_what_happened_after_until_is_not_told() -> None:
    """A stream whose `until` is past tells what had happened by then, and ends at once; two that meet tell each once."""
    async with running() as call:
        await call.sent(*({"type": "t", "id": f"early-{n}", "severity": "error"} for n in range(3)))
        await call.settled(f"{HOME}/deliveries")
        between = await moment_after(call)
        await call.sent(*({"type": "t", "id": f"late-{n}", "severity": "error"} for n in range(3)))
        await call.settled(f"{HOME}/deliveries")
        told = []
        for query in (
            f"since=2020-01-01T00:00:00Z&until={rfc3339(between)}",
            f"since={rfc3339(between)}&{past(call).partition('&')[2]}",
            "since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z",
            f"until={rfc3339(between)}",
        ):
            async with listening(call, f"?{query}") as answer:
                told.append([])
                while (each := await entry(answer)).kind != "end":
                    told[-1].append((each.kind, each.item["event_id"]))
                assert each.item == {"reason": "until"}
        expected = [
            sorted(2 * [(kind, f"{name}-{n}") for kind in ("delivery", "verdict") for n in range(3)])
            for name in ("early", "late")
        ]
        assert [sorted(each) for each in told] == [*expected, [], []]


async def test_one_who_comes_back_hears_nothing_after_until() -> None:
    """Behind an entry that was read, the rest up to `until` is told, and the stream ends."""
    async with running() as call:
        await call.sent({"type": "t", "id": "early", "severity": "error"})
        await call.settled(f"{HOME}/deliveries")
        query = f"?since=2020-01-01T00:00:00Z&until={rfc3339(await moment_after(call))}"
        await call.sent({"type": "t", "id": "late", "severity": "error"})
        await call.settled(f"{HOME}/deliveries")
        async with listening(call, query) as answer:
            whole = await heard(answer, 5)
        assert (whole[-1].kind, whole[-1].item) == ("end", {"reason": "until"})
        for place, each in enumerate(whole[:-1]):
            async with listening(call, query, last=each.id) as answer:
                rest = await heard(answer, 4 - place)
            assert [(after.kind, after.item) for after in rest] == [(a.kind, a.item) for a in whole[place + 1 :]]


async def test_other_workspaces_are_not_told() -> None:
    """What happens in another workspace is not in the stream."""
    async with running() as call, listening(call) as answer:
        await call.sent({"type": "t", "id": "theirs", "workspace": "other"})
        await call.sent({"type": "t", "id": "ours"})
        assert [each.item["event_id"] for each in await heard(answer, 2)] == ["ours", "ours"]


async def test_it_ends_when_the_daemon_stops() -> None:
    """It says why, and ends in order."""
    async with running() as call, listening(call) as answer:
        call.bench.hub.close()
        said = await entry(answer)
        assert (said.kind, said.item) == ("end", {"reason": "stopping"})
        assert await answer.content.read() == b"\n"


async def test_it_ends_with_the_token() -> None:
    """Whoever may not listen any more hears nothing more: a token that was revoked ends its streams."""
    async with running() as call, listening(call) as answer:
        call.bench.provisioned = [token for token in call.bench.provisioned if token.name != "viewer"]
        await call.bench.reload_tokens()
        await call.sent({"type": "t"})
        said = await entry(answer)
        assert (said.kind, said.item) == ("end", {"reason": "token"})


async def test_a_client_that_leaves_is_forgotten() -> None:
    """A client that closed its connection gives its place back, and no error is logged."""
    async with running() as call:
        async with listening(call) as answer:
            assert call.bench.metrics.stream_clients._value.get() == 1
            answer.close()
        while call.bench.metrics.stream_clients._value.get():
            await call.sent({"type": "t"})
        ended = call.bench.metrics.streams_ended.labels("left")
        assert ended._value.get() == 1


async def test_a_client_that_leaves_a_quiet_workspace_is_forgotten() -> None:
    """Its place is free again although nothing is sent that could fail."""
    silent = StreamBounds(keepalive_seconds=3600)
    async with running() as full, bounded(full.bench, silent) as call:
        metrics = call.bench.metrics
        async with listening(call) as answer:
            answer.close()
        await eventually(lambda: not metrics.stream_clients._value.get(), "the place to be free")
        assert metrics.streams_ended.labels("left")._value.get() == 1


async def test_no_more_clients_than_may() -> None:
    """At the bound the next one is 429 with Retry-After; when one leaves there is room again."""
    async with (
        running() as full,
        bounded(full.bench, StreamBounds(clients=2)) as call,
        listening(call),
        listening(call) as second,
    ):
        status, problem, headers = await call.full("GET", PATH)
        assert (status, headers["Retry-After"]) == (429, "5")
        assert "2 clients" in problem["detail"]
        second.close()
        while call.bench.metrics.stream_clients._value.get() == 2:
            await full.sent({"type": "t"})
        async with listening(call):
            pass


async def test_a_client_that_takes_nothing_is_cut_off_and_comes_back() -> None:
    """It holds up neither the daemon nor another client, is told why once it reads, and goes on where it was."""
    bounds, which = StreamBounds(stall_seconds=2), "?subscription=everything"
    async with running(PATIENCE) as full, bounded(full.bench, bounds) as call:
        call.bench.doors["default", "hook"].outcome = Outcome(OutcomeKind.REJECTED, 400, "x" * 60_000)
        ended, sent = call.bench.metrics.streams_ended.labels("slow"), 0
        async with listening(call, which) as slow:
            async with listening(call, which) as quick:
                while not ended._value.get():
                    await full.sent({"type": "t", "id": f"e{sent}"})
                    sent += 1
                    await heard(quick, 2)
            told = [await entry(slow)]
            while told[-1].kind != "end":
                told.append(await entry(slow))
        assert told.pop().item == {"reason": "slow"}
        async with listening(call, which, last=told[-1].id) as answer:
            told += await heard(answer, 2 * sent - len(told))
        assert sorted(each.item["event_id"] for each in told) == sorted(f"e{n}" for n in range(sent) for _ in "12")


async def test_a_quiet_stream_says_that_it_is_alive() -> None:
    """When nothing happens a comment is sent now and then, with the place reached."""
    quick = StreamBounds(keepalive_seconds=0.001)
    async with running() as full, bounded(full.bench, quick) as call, listening(call) as answer:
        assert await answer.content.readuntil(b": quiet\n")
        place = (await answer.content.readline()).decode().removeprefix("id: ").strip()
        assert read_cursor(place) is not None


async def test_head_is_refused() -> None:
    """HEAD of something that never ends is answered at once: there is no such thing."""
    async with running() as call:
        assert (await call("HEAD", PATH))[0] in (404, 405)
