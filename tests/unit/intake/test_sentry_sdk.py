"""The intake of Sentry's SDKs over HTTP: keys, compressions, answers and limits."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from contextlib import asynccontextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import brotli
import orjson
import pytest
import zstandard

from alertd.errors import IntakeFullError, StoreUnavailableError
from alertd.intake.sentry_body import INFLATED_HERE_MAX_BYTES
from alertd.intake.sentry_sdk import MAX_BODY_BYTES, SdkProject
from alertd.sources.sentry_defaults import SentryDefaults
from tests.unit.intake.sentry_stage import KEY, Stage, running
from tests.unit.sources.sentry_samples import OTHER_ID, envelope, item

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientResponse, web

AUTH = {"X-Sentry-Auth": f"Sentry sentry_key={KEY}, sentry_version=7, sentry_client=test/1"}
ENVELOPE = envelope(item("event", {"message": "hello"}), item("session", {}))


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Serve the intake for one test."""
    async with running(1 << 28) as made:
        yield made


async def post(
    stage: Stage,
    body: bytes = ENVELOPE,
    headers: dict[str, str] | None = None,
    path: str = "/sentry/api/42/envelope/",
) -> ClientResponse:
    """Send an envelope and return the answer, read."""
    response = await stage.client.post(path, data=BytesIO(body), headers=AUTH if headers is None else headers)
    await response.read()
    return response


async def said(response: ClientResponse) -> Any:
    """Parse an answer."""
    return orjson.loads(await response.read())


@pytest.mark.parametrize("project", ["42", "shop"])
@pytest.mark.parametrize("end", ["", "/"])
async def test_an_envelope(stage: Stage, project: str, end: str) -> None:
    """An envelope is taken for the project's number and its name; the answer is the event's id."""
    response = await post(stage, path=f"/sentry/api/{project}/envelope{end}")
    assert (response.status, await said(response)) == (200, {"id": OTHER_ID})
    (body,) = stage.pipeline.bodies()
    assert (body["id"], body["type"], body["project"]) == (OTHER_ID, "sentry.message", "shop")
    assert stage.pipeline.sources == ["sentry_sdk"]
    assert stage.count("alertd_sentry_skipped_items_total", item="session") == 1


async def test_a_bare_event(stage: Stage) -> None:
    """The older endpoint takes an event alone."""
    body = orjson.dumps({"event_id": OTHER_ID, "message": "hello"})
    for path in ("/sentry/api/42/store", "/sentry/api/42/store/"):
        response = await post(stage, body, path=path)
        assert (response.status, await said(response)) == (200, {"id": OTHER_ID})
    assert len(stage.pipeline.events) == 1


async def test_a_repeat_does_nothing_twice(stage: Stage) -> None:
    """An event id that was seen is answered like the first time."""
    for _ in range(2):
        assert (await post(stage)).status == 200
    assert len(stage.pipeline.events) == 1


@pytest.mark.parametrize("body", [b"{}", b'{}\n{"type":"session"}\n{}', b'{"dsn":"http://%s@x/42"}' % KEY.encode()])
async def test_an_envelope_without_an_event(stage: Stage, body: bytes) -> None:
    """Nothing to keep is a success, and nothing is submitted."""
    response = await post(stage, body)
    assert (response.status, await said(response)) == (200, {})
    assert not stage.pipeline.sources


async def test_every_way_to_say_the_key(stage: Stage) -> None:
    """Header, `Authorization`, query and the envelope's DSN each let in."""
    dsn = envelope(item("event", {}), dsn=f"http://{KEY}@127.0.0.1:8080/sentry/42")
    ways: list[tuple[bytes, dict[str, str], str]] = [
        (ENVELOPE, AUTH, ""),
        (ENVELOPE, {"Authorization": AUTH["X-Sentry-Auth"]}, ""),
        (ENVELOPE, {}, f"?sentry_key={KEY}&sentry_version=7"),
        (dsn, {}, ""),
        (dsn, AUTH, f"?sentry_key={KEY}"),
    ]
    for body, headers, query in ways:
        assert (await post(stage, body, headers, f"/sentry/api/42/envelope/{query}")).status == 200


async def test_who_is_not_let_in(stage: Stage) -> None:
    """A missing, unknown or revoked key, one of another project, or two that differ is 403, whatever else is sent."""
    other = {"X-Sentry-Auth": "Sentry sentry_key=other"}
    dsn = envelope(item("event", {}), dsn="http://other@127.0.0.1:8080/sentry/42")
    refused: list[tuple[bytes, dict[str, str], str]] = [
        (ENVELOPE, {}, "42/envelope/"),
        (ENVELOPE, {"Authorization": "Bearer token"}, "42/envelope/"),
        (ENVELOPE, other, "42/envelope/"),
        (ENVELOPE, AUTH, "43/envelope/"),
        (ENVELOPE, AUTH, "42/envelope/?sentry_key=other"),
        (dsn, AUTH, "42/envelope/"),
        (dsn, {}, "42/envelope/"),
        (b"{}", {}, "42/store/"),
        (b"{}", other, "42/store/"),
        (b"", {}, "42/envelope/"),
        (b"not an envelope", {}, "42/envelope/"),
        (b'{"dsn": 5}', {}, "42/envelope/"),
        (b"x", {"Content-Encoding": "gzip"}, "42/envelope/"),
        (b"x", {"Content-Encoding": "lzma"}, "42/envelope/"),
    ]
    for body, headers, path in refused:
        response = await post(stage, body, headers, f"/sentry/api/{path}")
        assert response.status == 403
        assert "key" in (await said(response))["detail"]
    stage.keys.revoked = True
    assert (await post(stage)).status == 403
    assert not stage.pipeline.events
    assert stage.count("alertd_intake_refused_total", reason="forbidden") == len(refused) + 1
    assert stage.count("alertd_events_total", source="sentry_sdk", result="rejected") == 0


async def test_where_nothing_is_taken(stage: Stage) -> None:
    """Who has a key is told that there is no such thing, or not by this method; who has none is told nothing."""
    cases = [
        ("POST", "42/security/", AUTH, 404),
        ("POST", f"shop/minidump/?sentry_key={KEY}", {}, 404),
        ("GET", "42/", AUTH, 404),
        ("OPTIONS", "42/security/", {}, 404),
        ("GET", "42/envelope/", AUTH, 405),
        ("PUT", "42/store", AUTH, 405),
        ("POST", "43/security/", AUTH, 403),
        ("POST", "42/security/", {}, 403),
        ("GET", "42/envelope/?sentry_key=other", {}, 403),
        ("POST", "42/minidump/?sentry_key=other", AUTH, 403),
    ]
    for method, path, headers, status in cases:
        async with stage.client.request(method, f"/sentry/api/{path}", headers=headers) as response:
            assert (response.status, response.headers.get("Allow")) == (status, "POST" if status == 405 else None), path
    assert stage.count("alertd_intake_refused_total", reason="forbidden") == 4


@pytest.mark.parametrize(("path", "body"), [("42/envelope/", ENVELOPE), ("42/store/", b'{"message": "hello"}')])
async def test_a_key_that_is_revoked_while_a_body_comes(stage: Stage, path: str, body: bytes) -> None:
    """Revoked is at once: nothing of a body whose end comes later is taken."""

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:10]
        await asyncio.wait_for(begun.wait(), 10)
        stage.keys.revoked = True
        yield body[10:]

    begun, received = asyncio.Event(), stage.bodies.received

    @asynccontextmanager
    async def watched(request: web.Request, limit: int) -> AsyncIterator[bytes]:
        begun.set()
        async with received(request, limit) as raw:
            yield raw

    stage.bodies.received = watched  # type: ignore[method-assign]  # watched, and else as it was
    response = await stage.client.post(f"/sentry/api/{path}", data=slowly(), headers=AUTH)
    assert (response.status, stage.pipeline.events) == (403, [])
    assert "revoked" in (await said(response))["detail"]


PACKED = {
    "gzip": gzip.compress(ENVELOPE),
    "deflate": zlib.compress(ENVELOPE),
    "br": brotli.compress(ENVELOPE),
    "zstd": zstandard.compress(ENVELOPE),
    "identity": ENVELOPE,
    "": ENVELOPE,
}


@pytest.mark.parametrize("encoding", PACKED)
async def test_every_compression(stage: Stage, encoding: str) -> None:
    """Every encoding of an SDK is read."""
    assert (await post(stage, PACKED[encoding], AUTH | {"Content-Encoding": encoding})).status == 200
    assert len(stage.pipeline.events) == 1


async def test_a_large_compressed_body(stage: Stage) -> None:
    """A body beyond what the loop inflates itself is read the same."""
    noise = bytes(range(256)) * 8192
    body = envelope(item("event", {"message": "x"}), item("attachment", zlib.compress(noise, 0)))
    packed = gzip.compress(body, 0)
    assert len(packed) > INFLATED_HERE_MAX_BYTES
    assert (await post(stage, packed, AUTH | {"Content-Encoding": "gzip"})).status == 200
    broken = packed[:-5]
    assert (await post(stage, broken, AUTH | {"Content-Encoding": "gzip"})).status == 400


@pytest.mark.parametrize("content_type", ["application/x-sentry-envelope", "text/plain", "multipart/form-data", "x/y"])
async def test_the_content_type_does_not_matter(stage: Stage, content_type: str) -> None:
    """Whatever a page calls it, it is an envelope."""
    assert (await post(stage, headers=AUTH | {"Content-Type": content_type})).status == 200


@pytest.mark.parametrize(
    ("body", "headers", "status", "detail"),
    [
        (b"", AUTH, 400, "/header: not JSON"),
        (b"{", AUTH, 400, "/header: not JSON"),
        (b'{}\n{"type":"event","length":100000000}\n{}', AUTH, 400, "100000000 bytes are announced"),
        (envelope(item("event", b"[]")), AUTH, 400, "/items/0/payload: expected an object"),
        (envelope(item("check_in", {})), AUTH, 400, "/items/0/payload/monitor_slug"),
        (b"x", AUTH | {"Content-Encoding": "br"}, 400, "the body is not br"),
        (b"x", AUTH | {"Content-Encoding": "lzma"}, 415, "send one of gzip"),
        (envelope(item("event", b" " * (1 << 20) + b"{}")), AUTH, 413, "the event has"),
    ],
)
async def test_refusals(stage: Stage, body: bytes, headers: dict[str, str], status: int, detail: str) -> None:
    """What cannot be read is refused in Sentry's manner, with the reason, and nothing of it is kept."""
    response = await post(stage, body, headers)
    assert response.status == status
    assert detail in (await said(response))["detail"]
    assert not stage.pipeline.events
    assert stage.count("alertd_events_total", source="sentry_sdk", result="rejected") == 1


async def test_a_head_that_is_no_text(stage: Stage) -> None:
    """Bytes of a path or header that are no UTF-8 are refused, not a fault."""
    response = await post(stage, headers={"X-Sentry-Auth": "Sentry sentry_key=\xe4"})
    assert response.status == 403


async def test_the_bound_of_a_project(stage: Stage) -> None:
    """An envelope is taken at its bound, before and after decompression, and refused beyond."""
    stage.keys.project = SdkProject("default", max_body_bytes=10_000)
    fixed = len(envelope(item("event", {}), item("attachment", b"")))

    def sized(size: int) -> bytes:
        body = envelope(item("event", {}), item("attachment", b"\0" * (size - fixed - 3)))
        assert len(body) == size
        return body

    assert (await post(stage, sized(10_000))).status == 200
    assert (await post(stage, sized(10_001))).status == 413
    packed = AUTH | {"Content-Encoding": "gzip"}
    assert (await post(stage, gzip.compress(sized(10_000)), packed)).status == 200
    assert (await post(stage, gzip.compress(sized(10_001)), packed)).status == 413


async def test_twenty_mebibytes(stage: Stage) -> None:
    """An envelope with an attachment of the default bound passes, one byte more does not."""
    fixed = len(envelope(item("event", {}), item("attachment", b""))) + len("20971000") - 1
    body = envelope(item("event", {}), item("attachment", b"\0" * (MAX_BODY_BYTES - fixed)))
    assert len(body) == MAX_BODY_BYTES
    assert (await post(stage, body)).status == 200
    assert (await post(stage, body + b"\n")).status == 413
    assert stage.bodies.held_bytes == 0


async def test_a_full_pipeline(stage: Stage) -> None:
    """429 tells the SDK for how long to keep quiet, in both headers, readable for pages."""
    stage.pipeline.failure = IntakeFullError(7)
    response = await post(stage)
    assert response.status == 429
    assert response.headers["Retry-After"] == "7"
    assert response.headers["X-Sentry-Rate-Limits"] == "7::project:full"
    assert "X-Sentry-Rate-Limits" in response.headers["Access-Control-Expose-Headers"]
    stage.pipeline.failure, stage.pipeline.full = None, True
    assert (await post(stage)).status == 429


async def test_a_store_that_cannot_write(stage: Stage) -> None:
    """503 tells the SDK to wait as well."""
    stage.pipeline.failure = StoreUnavailableError("disk full")
    response = await post(stage)
    assert response.status == 503
    assert response.headers["Retry-After"] == "5"


class Allowance:
    """A limiter that lets so many events through; then others are to come again after `wait` seconds."""

    def __init__(self, left: int, wait: float = 2.5) -> None:
        self.left = left
        self.wait = wait

    def take(self, count: int) -> float:
        """Take, or say when to come again."""
        if count > self.left:
            return self.wait
        self.left -= count
        return 0


async def test_the_rate_of_a_key(stage: Stage) -> None:
    """Beyond its rate a key is told to wait; what is not kept costs it nothing."""
    stage.keys.project = SdkProject("default", SentryDefaults(), limiter=Allowance(1))
    assert (await post(stage)).status == 200
    response = await post(stage)
    assert (response.status, response.headers["Retry-After"]) == (429, "3")
    assert response.headers["X-Sentry-Rate-Limits"] == "3::key:rate"
    assert await response.json() == {"detail": "more events come with this key than its rate allows, retry after 3 s"}
    assert stage.count("alertd_intake_refused_total", reason="rate") == 1
    assert (await post(stage, b'{}\n{"type":"session"}\n{}')).status == 200


@pytest.mark.parametrize(("wait", "told"), [(0.01, "1"), (1.0, "1"), (1.01, "2"), (3.0, "3")])
async def test_a_key_waits_whole_seconds(stage: Stage, wait: float, told: str) -> None:
    """As few as are enough."""
    stage.keys.project = SdkProject("default", SentryDefaults(), limiter=Allowance(0, wait))
    assert (await post(stage)).headers["Retry-After"] == told


async def test_pages_of_any_origin_may_send(stage: Stage) -> None:
    """A preflight is answered, and every answer may be read."""
    for path in ("envelope", "envelope/", "store", "store/"):
        response = await stage.client.options(f"/sentry/api/42/{path}", headers={"Origin": "https://shop.example"})
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "X-Sentry-Auth" in response.headers["Access-Control-Allow-Headers"]
    assert (await post(stage)).headers["Access-Control-Allow-Origin"] == "*"
    assert (await post(stage, headers={})).headers["Access-Control-Allow-Origin"] == "*"


async def test_the_answer_waits_for_the_commit(stage: Stage) -> None:
    """200 comes after the commit, and the body is let go before it."""
    stage.pipeline.gate.clear()
    under_way = asyncio.create_task(post(stage))
    await stage.pipeline.asked.wait()
    assert not under_way.done()
    assert stage.bodies.held_bytes == 0
    stage.pipeline.gate.set()
    assert (await under_way).status == 200
