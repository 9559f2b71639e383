"""Acceptance: what a producer meets at `POST /api/v1/events`, through the real daemon."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import zstandard

from tests.daemon import BELOW, Daemon, Reply, hook, route, workspace
from tests.receiver import SECRET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY, EVENT, EVENTS, DEPTH = 20_000, 4_000, 20, 8
ROLES = ("intake", "viewer", "operator", "admin")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> AsyncIterator[Daemon]:
    """One daemon for the module: small bounds, a signed webhook for types `hook.*`, a token of every role."""
    config = {
        "intake": {
            "http": {
                "max_body_bytes": BODY,
                "max_event_bytes": EVENT,
                "max_events": EVENTS,
                "max_depth": DEPTH,
            }
        },
        "tokens": [
            *({"name": role, "role": role, "value": f"{role}-secret"} for role in ROLES),
            {"name": "other", "role": "intake", "workspace": "other", "value": "other-secret"},
            {"name": "root", "role": "admin", "workspace": None, "value": "root-secret"},
        ],
        "workspaces": [
            workspace([hook("signed", receiver.url("/signed"), secret=SECRET)], [route("hooks", "hook.*", "signed")]),
            workspace([], [], name="other"),
        ],
    }
    folder = tmp_path_factory.mktemp("intake")
    async with Daemon(folder, config) as made:
        (made.state / "admin.token").write_text("root-secret")
        yield made


def refused(reply: Reply, status: int) -> dict[str, Any]:
    """Return the problem document of a refusal with this status."""
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = reply.json
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem


# -- what is accepted -------------------------------------------------------------------------------------------------


async def test_event_becomes_a_signed_webhook(daemon: Daemon, receiver: Receiver) -> None:
    """An event leaves as the documented webhook, and its signature passes the library that receivers use."""
    event = {
        "type": "hook.full",
        "id": "full-1",
        "project": "shop",
        "environment": "prod",
        "source": "scheduler",
        "severity": "fatal",
        "time": "2026-05-07T00:00:00Z",
        "key": "run-17",
        "message": "Run 17 failed after 3 attempts",
        "url": "https://shop.example/runs/17",
        "labels": {"team": "payments"},
        "data": {"run_id": 17, "text": "ü\u2028"},
    }
    await daemon.send(event)
    await receiver.until(lambda: "full-1" in receiver.events("/signed"), "the webhook")
    [request] = [r for r in receiver.got("/signed") if r.event["id"] == "full-1"]
    body = request.verify()
    assert body["type"] == "hook.full"
    assert body["timestamp"].startswith("2026-05-07T00:00:00")
    data = body["data"]
    assert request.headers["content-type"] == "application/json"
    assert request.delivery_id == data["delivery_id"]
    assert (data["workspace"], data["subscription"], data["channel"]) == ("default", "hooks", "hooks")
    assert (data["trigger"], data["issue"], data["test"]) == (None, None, False)
    assert data["url"].startswith(daemon.base_url)
    assert {name: data["event"][name] for name in event if name not in ("severity", "time")} == {
        name: value for name, value in event.items() if name not in ("severity", "time")
    }
    assert data["event"]["severity"] == "critical"
    link = await daemon.get(data["url"].removeprefix(daemon.base_url))
    assert link["id"] == data["alert_id"]


async def test_answer_names_ids_in_the_order_sent(daemon: Daemon) -> None:
    """An array is answered with its ids in order, those that alertd made included."""
    reply = await daemon.offer({"type": "a", "id": "order-2"}, {"type": "b"}, {"type": "c", "id": "order-1"})
    answer = reply.json
    assert (reply.status, answer["accepted"], answer["duplicates"]) == (202, 3, 0)
    assert (answer["ids"][0], answer["ids"][2]) == ("order-2", "order-1")
    assert (await daemon.get(f"events/{answer['ids'][1]}"))["type"] == "b"


async def test_an_empty_array_is_accepted(daemon: Daemon) -> None:
    """Nothing sent is nothing done, and no error."""
    reply = await daemon.post("/api/v1/events", [])
    assert (reply.status, reply.json) == (202, {"accepted": 0, "duplicates": 0, "ids": []})


async def test_ndjson(daemon: Daemon) -> None:
    """Lines of JSON are events, one each."""
    body = b'{"type": "line", "id": "line-1"}\n\n{"type": "line", "id": "line-2"}\n'
    reply = await daemon.post("/api/v1/events", body, headers={"Content-Type": "application/x-ndjson"})
    assert (reply.status, reply.json["ids"]) == (202, ["line-1", "line-2"])


CLOUD = {
    "specversion": "1.0",
    "type": "hook.cloud",
    "source": "/shop",
    "subject": "cart",
    "time": "2026-05-07T00:00:00Z",
    "team": "pay",
}


@pytest.mark.parametrize("mode", ["structured", "binary", "batch"])
async def test_cloudevents(daemon: Daemon, mode: str) -> None:
    """All three HTTP modes of CloudEvents bring the same event."""
    event = {**CLOUD, "id": mode}
    if mode == "binary":
        headers = {f"ce-{name}": value for name, value in event.items()}
        reply = await daemon.post("/api/v1/events", {"n": 1}, headers=headers)
    else:
        whole: Any = {**event, "datacontenttype": "application/json", "data": {"n": 1}}
        suffix = "-batch+json" if mode == "batch" else "+json"
        reply = await daemon.post(
            "/api/v1/events",
            [whole] if mode == "batch" else whole,
            headers={"Content-Type": f"application/cloudevents{suffix}; charset=utf-8"},
        )
    assert (reply.status, reply.json["ids"]) == (202, [f"/shop#{mode}"])
    page = await daemon.get("events?type=hook.cloud&limit=1")
    stored = page["items"][0]
    assert (stored["id"], stored["key"], stored["source"]) == (f"/shop#{mode}", "cart", "/shop")
    assert (stored["labels"]["team"], stored["data"]) == ("pay", {"n": 1})


async def test_binary_data_of_cloudevents(daemon: Daemon) -> None:
    """Data that is no JSON object is kept as a value, or as base64."""
    headers = {f"ce-{name}": value for name, value in {**CLOUD, "id": "bytes", "type": "cloud.bytes"}.items()}
    reply = await daemon.post("/api/v1/events", b"\x00\xff", headers={**headers, "Content-Type": "image/png"})
    assert reply.status == 202
    stored = (await daemon.get("events?type=cloud.bytes"))["items"][0]
    assert stored["data"] == {"base64": base64.b64encode(b"\x00\xff").decode()}


COMPRESS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": lambda body: zstandard.ZstdCompressor().compress(body),
}


@pytest.mark.parametrize("encoding", COMPRESS)
async def test_compressed_body(daemon: Daemon, encoding: str) -> None:
    """A compressed body is read by its Content-Encoding."""
    body = COMPRESS[encoding](json.dumps({"type": "packed", "id": encoding}).encode())
    reply = await daemon.post("/api/v1/events", body, headers={"Content-Encoding": encoding})
    assert (reply.status, reply.json["ids"]) == (202, [encoding])


@pytest.mark.parametrize("encoding", COMPRESS)
async def test_decompression_bomb(daemon: Daemon, encoding: str) -> None:
    """A small body that would become a thousand times larger is refused at the bound, with little time and memory spent."""
    body = COMPRESS[encoding](b'{"type": "bomb", "data": {"x": "' + b" " * 20_000_000)[:BODY]
    before = daemon.memory_bytes
    loop = asyncio.get_running_loop()
    began = loop.time()
    refused(await daemon.post("/api/v1/events", body, headers={"Content-Encoding": encoding}), 413)
    assert loop.time() - began < 10
    assert daemon.memory_bytes - before < 20_000_000


# -- ids as idempotency keys ------------------------------------------------------------------------------------------


async def test_duplicates_within_a_body_and_across_requests(daemon: Daemon, receiver: Receiver) -> None:
    """A repeated id is answered 202, counted as a duplicate, and does nothing twice."""
    event = {"type": "hook.twice", "id": "twice"}
    first = (await daemon.offer(event, event)).json
    assert first == {"accepted": 1, "duplicates": 1, "ids": ["twice", "twice"]}
    assert (await daemon.offer(event)).json == {"accepted": 0, "duplicates": 1, "ids": ["twice"]}
    await daemon.send({"type": "hook.after", "id": "after-twice"})
    await receiver.until(lambda: "after-twice" in receiver.events("/signed"), "the event after")
    assert receiver.events("/signed").count("twice") == 1


async def test_one_id_at_once_from_many(daemon: Daemon) -> None:
    """Of many requests in the air with the same id exactly one is accepted."""
    replies = await asyncio.gather(*(daemon.offer({"type": "race", "id": "race"}) for _ in range(30)))
    assert [r.status for r in replies] == [202] * 30
    assert sum(r.json["accepted"] for r in replies) == 1
    assert sum(r.json["duplicates"] for r in replies) == 29


async def test_an_id_belongs_to_its_workspace(daemon: Daemon) -> None:
    """The same id in another workspace is another event."""
    await daemon.send({"type": "same", "id": "same"})
    reply = await daemon.offer({"type": "same", "id": "same", "workspace": "other"})
    assert reply.json["accepted"] == 1


# -- what is refused --------------------------------------------------------------------------------------------------


async def test_all_or_nothing(daemon: Daemon) -> None:
    """One bad event refuses the whole body, with every bad place named, and nothing is stored."""
    body = [{"type": "whole", "id": "whole-1"}, {"type": ""}, {"type": "whole", "colour": 1}, {"id": "x"}, 7]
    problem = refused(await daemon.post("/api/v1/events", body), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/1/type", "/2/colour", "/3/type", "/4"]
    assert (await daemon.call("GET", f"{BELOW}/events/whole-1")).status == 404


@pytest.mark.parametrize(
    ("event", "pointers"),
    [
        ({}, ["/type"]),
        ({"type": "a b"}, ["/type"]),
        ({"type": "x" * 257}, ["/type"]),
        ({"type": "x", "severity": "loud"}, ["/severity"]),
        ({"type": "x", "time": "yesterday"}, ["/time"]),
        ({"type": "x", "labels": {"a": 1}}, ["/labels/a"]),
        ({"type": "x", "data": []}, ["/data"]),
        ({"type": "x", "id": ""}, ["/id"]),
        ({"type": "x", "typo": 1, "oops": 2}, ["/typo", "/oops"]),
    ],
)
async def test_a_single_bad_event(daemon: Daemon, event: dict[str, Any], pointers: list[str]) -> None:
    """A single object is answered with pointers from its own root."""
    reply = await daemon.post("/api/v1/events", event)
    refused(reply, 422)
    assert sorted(reply.pointers) == sorted(pointers)


@pytest.mark.parametrize("body", [b"", b"nonsense", b'{"type": "x"', b"\xff\xfe", b'{"type": "x"} tail'])
async def test_not_json(daemon: Daemon, body: bytes) -> None:
    """What is not JSON is 400."""
    refused(await daemon.post("/api/v1/events", body), 400)


async def test_broken_compression(daemon: Daemon) -> None:
    """A body that is not what its Content-Encoding says is 400."""
    refused(await daemon.post("/api/v1/events", b"{}", headers={"Content-Encoding": "gzip"}), 400)


@pytest.mark.parametrize(
    "headers", [{"Content-Type": "text/html"}, {"Content-Encoding": "br"}, {"Content-Encoding": "gzip, gzip"}]
)
async def test_unsupported_media(daemon: Daemon, headers: dict[str, str]) -> None:
    """A type or an encoding that is not read is 415."""
    refused(await daemon.post("/api/v1/events", b'{"type": "x"}', headers=headers), 415)


async def test_unknown_workspace(daemon: Daemon) -> None:
    """An unknown workspace is refused at its pointer; an unknown project is learnt."""
    reply = await daemon.offer({"type": "x", "workspace": "nowhere"})
    refused(reply, 422)
    assert reply.pointers == ["/workspace"]
    assert (await daemon.offer({"type": "x", "project": "never-heard-of"})).status == 202


# -- bounds, at the bound ---------------------------------------------------------------------------------------------


def of_size(size: int, name: str = "") -> bytes:
    """Write one event of exactly so many bytes."""
    head = b'{"type":"sized",' + (b'"id":"%s",' % name.encode() if name else b"") + b'"message":"'
    return head + b"x" * (size - len(head) - 2) + b'"}'


async def test_event_bound(daemon: Daemon) -> None:
    """An event of max_event_bytes is taken, whatever is filled in; one byte more is 413."""
    for name in ("", "sized-1"):
        assert (await daemon.post("/api/v1/events", of_size(EVENT, name))).status == 202
        refused(await daemon.post("/api/v1/events", of_size(EVENT + 1, name)), 413)
    view = await daemon.get("events/sized-1")
    assert len(view["message"]) == EVENT - len(of_size(0, "sized-1"))


def filling(size: int) -> bytes:
    """Write an array of events of exactly so many bytes."""
    events = [of_size(3000)] * 6
    rest = size - sum(map(len, events)) - len(events) - 2
    return b"[" + b",".join([*events, of_size(rest)]) + b"]"


@pytest.mark.parametrize("how", ["plain", "chunked", "gzip"])
@pytest.mark.parametrize(("size", "status"), [(BODY, 202), (BODY + 1, 413)])
async def test_body_bound(daemon: Daemon, how: str, size: int, status: int) -> None:
    """A body of max_body_bytes is taken, one byte more is 413, announced or chunked or after decompression."""
    body = filling(size)
    assert len(body) == size

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 5000):
            yield body[at : at + 5000]

    if how == "gzip":
        reply = await daemon.post("/api/v1/events", gzip.compress(body), headers={"Content-Encoding": "gzip"})
    else:
        reply = await daemon.post("/api/v1/events", chunks() if how == "chunked" else body)
    assert reply.status == status, reply.body
    if status != 202:
        refused(reply, 413)


async def test_a_body_far_beyond_the_bound(daemon: Daemon) -> None:
    """A chunked body without an end is refused once it is beyond the bound, and the connection is cut soon after."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 10_000

    async with asyncio.timeout(60):
        try:
            reply = await daemon.post("/api/v1/events", endless())
        except ConnectionError:
            return
    refused(reply, 413)


@pytest.mark.parametrize(("count", "status"), [(EVENTS, 202), (EVENTS + 1, 413)])
@pytest.mark.parametrize("how", ["array", "ndjson"])
async def test_events_bound(daemon: Daemon, how: str, count: int, status: int) -> None:
    """A body may hold max_events events and not one more."""
    events = [{"type": "many"}] * count
    if how == "array":
        reply = await daemon.post("/api/v1/events", events)
    else:
        body = b"\n".join(json.dumps(event).encode() for event in events)
        reply = await daemon.post("/api/v1/events", body, headers={"Content-Type": "application/x-ndjson"})
    assert reply.status == status, reply.body


@pytest.mark.parametrize(("depth", "status"), [(DEPTH, 202), (DEPTH + 1, 422)])
async def test_depth_bound(daemon: Daemon, depth: int, status: int) -> None:
    """An event may be nested max_depth levels deep, itself included, and not one more."""
    data: Any = {}
    for _ in range(depth - 2):
        data = {"x": data}
    assert (await daemon.offer({"type": "deep", "data": data})).status == status


# -- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic cm9vdDpyb290", "Bearer", "Bearer ü"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH", "PROPFIND", "OPTIONS"])
async def test_without_a_token(daemon: Daemon, method: str, authorization: str | None) -> None:
    """Below /api/ everything is 401 without a known token, whether it exists or not."""
    headers = {"Authorization": authorization} if authorization else {}
    guessed = authorization is not None and authorization.startswith("Bearer ")
    for path in ("/api/v1/events", "/api/v1/nothing", "/api/", f"{BELOW}/tokens", "/api/v1//x"):
        reply = await daemon.call(method, path, b"{" if method != "GET" else None, token="", headers=headers)
        if guessed and reply.status == 429:  # so many guesses in a minute are told to wait
            assert int(reply.headers["retry-after"]) >= 1
            continue
        assert reply.status == 401, (path, reply.body)
        assert reply.headers["www-authenticate"].startswith("Bearer")
        assert reply.headers["content-type"] == "application/problem+json"


async def test_expectation_without_a_token(daemon: Daemon) -> None:
    """Authentication comes first, also for requests that ask before they send their body."""
    reply = await daemon.call("POST", "/api/v1/events", b"{}", token="", headers={"Expect": "100-continue"})
    assert reply.status == 401


@pytest.mark.parametrize(("role", "status"), [("intake", 202), ("viewer", 403), ("operator", 202), ("admin", 202)])
async def test_who_may_send(daemon: Daemon, role: str, status: int) -> None:
    """Everyone but a viewer may send events."""
    reply = await daemon.offer("role.sent", token=f"{role}-secret")
    assert reply.status == status
    if status == 403:
        refused(reply, 403)


@pytest.mark.parametrize(
    ("method", "path", "least"),
    [
        ("GET", "events", "viewer"),
        ("GET", "events/x", "viewer"),
        ("GET", "alerts", "viewer"),
        ("GET", "deliveries", "viewer"),
        ("GET", "destinations", "viewer"),
        ("GET", "/api/v1/rejected", "viewer"),
        ("POST", "destinations/signed/test", "operator"),
        ("POST", "destinations/signed/enable", "operator"),
        ("POST", "deliveries/dlv_0000000000000001/replay", "operator"),
        ("POST", "deliveries/dlv_0000000000000001/cancel", "operator"),
        ("GET", "tokens", "admin"),
        ("POST", "tokens", "admin"),
        ("DELETE", "tokens/x", "admin"),
    ],
)
async def test_roles(daemon: Daemon, method: str, path: str, least: str) -> None:
    """An intake token may only send; viewer < operator < admin, each in its workspace."""
    path = path if path.startswith("/") else f"{BELOW}/{path}"
    for role in ROLES:
        reply = await daemon.call(method, path, token=f"{role}-secret")
        assert (reply.status == 403) == (ROLES.index(role) < ROLES.index(least)), (role, reply.status)


async def test_a_token_stays_in_its_workspace(daemon: Daemon) -> None:
    """A token of a workspace sends to it by default, to no other, and sees no other; only a global one reloads."""
    [made] = await daemon.send({"type": "home", "id": "home"}, token="other-secret")  # noqa: S106 - the test's own
    assert (await daemon.call("GET", f"/api/v1/workspaces/other/events/{made}")).json["workspace"] == "other"
    reply = await daemon.offer({"type": "away", "workspace": "default"}, token="other-secret")  # noqa: S106 - the same
    refused(reply, 403)
    for path in ("/api/v1/workspaces/other/events", "/api/v1/workspaces/nowhere/events"):
        refused(await daemon.call("GET", path, token="viewer-secret"), 403)  # noqa: S106 - the same
    refused(await daemon.call("POST", "/-/reload", token="admin-secret"), 403)  # noqa: S106 - the same


async def test_open_paths(daemon: Daemon) -> None:
    """Probes and metrics answer without a token."""
    for path in ("/-/healthy", "/-/ready", "/metrics"):
        assert (await daemon.call("GET", path, token="")).status == 200
    assert (await daemon.get("/-/ready", token=""))["ready"] is True


async def test_unknown_path_and_method(daemon: Daemon) -> None:
    """With a token an unknown path is 404 and a wrong method 405, both as problems."""
    refused(await daemon.call("GET", "/api/v1/nothing"), 404)
    refused(await daemon.call("PUT", "/api/v1/events", {}), 405)
    refused(await daemon.call("GET", "/api/v1/workspaces/nowhere/events"), 404)
