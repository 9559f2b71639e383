"""Sentry's webhooks over HTTP: who is let in, what is answered, and when."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import structlog

from alertd.errors import IntakeFullError, StoreUnavailableError
from alertd.sources.sentry_signature import sign
from tests.unit.intake.sentry_stage import SECRET, Stage, running
from tests.unit.sources.sentry_samples import ERROR, EVENT_ID, alert, hook, issue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientResponse

ALERT = orjson.dumps(alert())


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Serve the intake for one test."""
    async with running() as made:
        yield made


async def post(
    stage: Stage, body: bytes, endpoint: str = "signed", resource: str | None = "event_alert", **headers: str
) -> tuple[int, Any]:
    """Send a webhook, signed as Sentry does unless told otherwise, and return status and answer."""
    sent = {"Content-Type": "application/json", "Sentry-Hook-Signature": sign(SECRET, body)}
    if resource is not None:
        sent["Sentry-Hook-Resource"] = resource
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await answer(await stage.client.post(f"/api/v1/webhooks/sentry/{endpoint}", data=body, headers=sent))


async def answer(response: ClientResponse) -> tuple[int, Any]:
    """Read status and answer, parsed where it is JSON."""
    body = await response.read()
    return response.status, orjson.loads(body) if "json" in response.content_type else body.decode()


async def test_a_signed_webhook_is_accepted(stage: Stage) -> None:
    """A right signature lets it in; the answer names the event's id."""
    assert await post(stage, ALERT) == (202, {"accepted": 1, "duplicates": 0, "ids": [EVENT_ID]})
    (body,) = stage.pipeline.bodies()
    assert (body["type"], body["workspace"], body["project"]) == ("sentry.error", "default", "front-end")
    assert stage.pipeline.sources == ["sentry"]


async def test_a_replay_does_nothing_twice(stage: Stage) -> None:
    """The same request again is accepted as a duplicate, whatever it is about."""
    for body, resource in ((ALERT, "event_alert"), (orjson.dumps(issue("resolved")), "issue")):
        assert (await post(stage, body, resource=resource))[1]["accepted"] == 1
        assert (await post(stage, body, resource=resource))[1]["duplicates"] == 1
    assert len(stage.pipeline.events) == 2


async def test_an_issue_may_be_resolved_again(stage: Stage) -> None:
    """The same body at another time says that it happened again; of anything but an issue it is a repeat."""
    for at, body, resource, accepted in (
        ("1", orjson.dumps(issue("resolved")), "issue", 1),
        ("1", orjson.dumps(issue("resolved")), "issue", 0),
        ("2", orjson.dumps(issue("resolved")), "issue", 1),
        ("1", ALERT, "event_alert", 1),
        ("2", ALERT, "event_alert", 0),
    ):
        told = await post(stage, body, resource=resource, Sentry_Hook_Timestamp=at)
        assert (told[0], told[1]["accepted"]) == (202, accepted)


async def test_the_two_of_one_error_are_one(stage: Stage) -> None:
    """`error` and `event_alert` of one error make one event, in either order."""
    created = orjson.dumps(hook("created", error=ERROR))
    assert (await post(stage, created, resource="error"))[1]["accepted"] == 1
    assert (await post(stage, ALERT))[1]["duplicates"] == 1


@pytest.mark.parametrize(
    "signature", ["", "0" * 64, sign("other", ALERT), sign(SECRET, ALERT).upper(), "sha256=" + sign(SECRET, ALERT)]
)
async def test_a_wrong_signature_is_refused_and_counted(stage: Stage, signature: str) -> None:
    """A wrong or empty signature is 401, counted, logged, and nothing is made of the body."""
    with structlog.testing.capture_logs() as logs:
        status, said = await post(stage, ALERT, Sentry_Hook_Signature=signature)
    assert status == 401
    assert f"Sentry-Hook-Signature is {'wrong' if signature else 'missing'}" in said
    assert not stage.pipeline.events
    assert stage.count("alertd_intake_refused_total", reason="signature") == 1
    assert [entry["event"] for entry in logs] == ["webhook.refused"]
    assert SECRET not in str(logs)


async def test_a_missing_signature_is_refused(stage: Stage) -> None:
    """Without the header it is 401."""
    response = await stage.client.post("/api/v1/webhooks/sentry/signed", data=ALERT)
    assert (await answer(response))[0] == 401
    assert stage.count("alertd_intake_refused_total", reason="signature") == 1


async def test_a_body_that_was_changed_is_refused(stage: Stage) -> None:
    """One byte, or the same JSON written anew, is another body."""
    signature = sign(SECRET, ALERT)
    changed = ALERT[:-1] + b" }"
    anew = json.dumps(orjson.loads(ALERT)).encode()
    for body in (changed, anew, ALERT + b"\n"):
        assert (await post(stage, body, Sentry_Hook_Signature=signature))[0] == 401
    assert not stage.pipeline.events


async def test_an_endpoint_without_a_secret_asks_for_none(stage: Stage) -> None:
    """Its token is all that lets in, its project is the events', and the log says once that nothing is verified."""
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            response = await stage.client.post("/api/v1/webhooks/sentry/open", data=ALERT)
            assert (await answer(response))[0] == 202
    assert [entry["event"] for entry in logs] == ["webhook.unverified"]
    (body,) = stage.pipeline.bodies()
    assert (body["workspace"], body["project"]) == ("other", "shop")


async def test_an_unknown_endpoint_is_401(stage: Stage) -> None:
    """A token that nobody knows lets nobody in, however well it is signed."""
    assert (await post(stage, ALERT, endpoint="unknown"))[0] == 401
    assert stage.count("alertd_intake_refused_total", reason="unauthorized") == 1


@pytest.mark.parametrize("resource", ["event_alert", None])
@pytest.mark.parametrize("body", [b"{}", b'{"action":"triggered","data":{"event":{}}}', b'{"data":{"event":null}}'])
async def test_a_missing_event_is_400(stage: Stage, body: bytes, resource: str | None) -> None:
    """A missing or empty `data.event` is a 400 that says so."""
    status, said = await post(stage, body, resource=resource)
    assert status == 400
    assert said["errors"][0]["pointer"] == "/data/event"
    assert "is required" in said["detail"]
    assert stage.count("alertd_events_total", source="sentry", result="rejected") == 1


async def test_what_is_not_json_is_400(stage: Stage) -> None:
    """A signed body that is no JSON is 400."""
    assert (await post(stage, b"{"))[0] == 400


async def test_a_bad_action_is_422(stage: Stage) -> None:
    """A field that is wrong is named."""
    status, said = await post(stage, orjson.dumps(issue("Not a word")), resource="issue")
    assert (status, said["errors"][0]["pointer"]) == (422, "/action")


@pytest.mark.parametrize("resource", ["installation", "seer"])
async def test_others_are_acknowledged(stage: Stage, resource: str) -> None:
    """An installation and what is not known is 202 without an event, and logged in words of ours."""
    with structlog.testing.capture_logs() as logs:
        assert await post(stage, b'{"action":"created"}', resource=resource) == (
            202,
            {"accepted": 0, "duplicates": 0, "ids": []},
        )
    assert logs[0]["resource"] == ("installation" if resource == "installation" else "other")
    assert not stage.pipeline.events


async def test_the_bound_of_an_endpoint(stage: Stage) -> None:
    """A body is taken at the endpoint's own bound, far above the server's, and refused beyond it."""
    body = ALERT + b" " * (100_000 - len(ALERT))
    assert (await post(stage, body))[0] == 202
    assert (await post(stage, body + b" "))[0] == 413

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 10_000

    response = await stage.client.post("/api/v1/webhooks/sentry/signed", data=chunks())
    assert (await answer(response))[0] == 413
    assert stage.bodies.held_bytes == 0


async def test_a_compressed_body_is_signed_as_it_is_sent(stage: Stage) -> None:
    """The signature is that of the bytes on the wire, compressed or not."""
    packed = gzip.compress(ALERT)
    assert (await post(stage, packed, Content_Encoding="gzip"))[0] == 202
    signature = sign(SECRET, ALERT)
    assert (await post(stage, packed, Content_Encoding="gzip", Sentry_Hook_Signature=signature))[0] == 401


async def test_the_answer_waits_for_the_commit(stage: Stage) -> None:
    """Nothing is acknowledged before it is stored, and no body is held while that takes its time."""
    stage.pipeline.gate.clear()
    under_way = asyncio.create_task(post(stage, ALERT))
    await stage.pipeline.asked.wait()
    assert not under_way.done()
    assert stage.bodies.held_bytes == 0
    stage.pipeline.gate.set()
    assert (await under_way)[0] == 202


async def test_a_full_pipeline_and_a_dead_store_are_503(stage: Stage) -> None:
    """What cannot be taken now is refused so that Sentry comes again, which it never does after another status."""
    stage.pipeline.failure = StoreUnavailableError("disk full")
    assert (await post(stage, ALERT))[0] == 503
    stage.pipeline.failure = IntakeFullError(7)
    signed = {"Sentry-Hook-Signature": sign(SECRET, ALERT)}
    async with stage.client.post("/api/v1/webhooks/sentry/signed", data=ALERT, headers=signed) as full:
        assert (full.status, full.headers["Retry-After"]) == (503, "7")
    stage.pipeline.failure, stage.pipeline.full = None, True
    assert (await post(stage, ALERT))[0] == 503


async def test_bodies_are_bounded_together() -> None:
    """When too much is being received at once the answer is 503, and what was held is let go."""
    async with running(held_max_bytes=50_000) as stage:
        assert (await post(stage, ALERT + b" " * (50_000 - len(ALERT))))[0] == 202
        assert (await post(stage, ALERT + b" " * (50_001 - len(ALERT))))[0] == 503
        assert stage.bodies.held_bytes == 0
        assert (await post(stage, ALERT))[0] == 202
