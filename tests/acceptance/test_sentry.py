"""Acceptance: a real Sentry SDK, given the DSN that the API answers, sends to the daemon unchanged."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import sys
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.daemon import BELOW, Daemon, eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROGRAM = """
import sys
import sentry_sdk

sentry_sdk.init(dsn=sys.argv[1], environment="prod", release="shop@1.2.3")
sentry_sdk.set_tag("team", "payments")
try:
    {}["missing"]
except KeyError as error:
    sentry_sdk.capture_exception(error)
sentry_sdk.capture_message("disk is nearly full", level="warning")
sentry_sdk.flush(timeout=10)
"""


async def events_of(daemon: Daemon, count: int) -> list[dict[str, Any]]:
    """Wait for so many events that are not alertd's own, oldest first."""

    async def look() -> list[dict[str, Any]] | None:
        found = [e for e in (await daemon.get("events"))["items"] if not e["type"].startswith("alertd.")]
        return found[::-1] if len(found) >= count else None

    found: list[dict[str, Any]] = await eventually(look, f"{count} events")
    return found


async def test_a_real_sdk_sends_errors_and_messages(tmp_path: Path) -> None:
    """With the DSN of a project of the configuration, by its number; a revoked key is refused."""
    async with Daemon(tmp_path, {"workspaces": [{"name": "default", "projects": [{"name": "shop"}]}]}) as daemon:
        made = await daemon.post(f"{BELOW}/projects/shop/keys")
        assert made.status == 201, made.body
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, made.json["dsn"])
        assert await asyncio.wait_for(process.wait(), 40) == 0
        error, message = sorted(await events_of(daemon, 2), key=lambda event: event["type"])
        assert (error["type"], error["project"], error["environment"]) == ("sentry.error", "shop", "prod")
        assert error["labels"]["team"] == "payments"
        assert "KeyError" in orjson.dumps(error["data"]).decode()
        assert (message["type"], message["severity"]) == ("sentry.message", "warning")
        issues = (await daemon.get("issues"))["items"]
        assert sorted((i["project"], i["event_count"], i["state"]) for i in issues) == [("shop", 1, "new")] * 2
        assert (await daemon.post(f"{BELOW}/issues/SHOP-1/resolve")).json["state"] == "resolved"
        await daemon.kill()
        await daemon.start()
        assert (await daemon.get("issues/SHOP-1"))["state"] == "resolved"
        key = made.json["public_key"]
        reply = await daemon.call("DELETE", f"{BELOW}/projects/shop/keys/{key}")
        assert reply.status == 204
        path = f"/sentry/api/{made.json['dsn'].rsplit('/', 1)[1]}/store/?sentry_key={key}"
        assert (await daemon.post(path, {"message": "x"}, token="")).status == 403


async def test_a_signed_webhook_is_taken_once(tmp_path: Path) -> None:
    """By the URL that the API answers: a right signature is 202, a wrong or missing one 401, a repeat does nothing."""
    async with Daemon(tmp_path, {}) as daemon:
        document = {"name": "sentry", "source": "sentry", "secret": "s3cr3t", "project": "shop"}
        made = await daemon.post(f"{BELOW}/intake-endpoints", document)
        assert made.status == 201, made.body
        event = {
            "event_id": "a" * 32, "title": "KeyError: missing", "level": "error", "project": 1, "platform": "python",
            "web_url": "https://sentry.example.com/1", "issue_id": "77", "timestamp": 1778112000.0,
            "exception": {"values": [{"type": "KeyError", "value": "missing"}]},
        }  # fmt: skip
        body = orjson.dumps({"action": "triggered", "data": {"event": event, "triggered_rule": "all"}})
        signature = hmac.new(b"s3cr3t", body, hashlib.sha256).hexdigest()
        headers = {"Sentry-Hook-Resource": "event_alert", "Content-Type": "application/json"}

        async def sent(signed: str | None) -> int:
            own = headers if signed is None else {**headers, "Sentry-Hook-Signature": signed}
            async with daemon.session.post(made.json["url"], data=body, headers=own) as answer:
                return answer.status

        assert [await sent(each) for each in (None, "0" * 64, signature, signature)] == [401, 401, 202, 202]
        (found,) = await events_of(daemon, 1)
        assert (found["type"], found["project"], found["severity"]) == ("sentry.error", "shop", "error")


async def test_a_key_that_sends_too_fast(tmp_path: Path) -> None:
    """Each key has its own rate; what it has used outlives other changes, and a reload may give it another."""
    async with Daemon(tmp_path, {"intake": {"sentry": {"rate_per_second": 0.001}}}) as daemon:
        await daemon.post(f"{BELOW}/projects", {"name": "shop"})
        keys = [(await daemon.post(f"{BELOW}/projects/shop/keys")).json["public_key"] for _ in range(2)]
        sent = 0

        async def send(key: str, where: str = "shop/envelope/") -> tuple[int, str | None]:
            nonlocal sent
            sent += 1
            body = b'{}\n{"type":"event"}\n{"event_id":"%032x","message":"x"}' % sent
            url, headers = f"{daemon.base_url}/sentry/api/{where}", {"X-Sentry-Auth": f"Sentry sentry_key={key}"}
            async with daemon.session.post(url, data=body, headers=headers) as answer:
                return answer.status, answer.headers.get("X-Sentry-Rate-Limits")

        assert await send(keys[0]) == (200, None)
        await daemon.post(f"{BELOW}/projects", {"name": "other"})
        status, limits = await send(keys[0])
        assert (status, (limits or "").partition(":")[2]) == (429, ":key:rate")
        number = (await daemon.get("projects/shop"))["number"]
        assert (await send(keys[0], f"{number}/envelope/"))[0] == 429
        assert (await send(keys[1]))[0] == 200
        assert len(await events_of(daemon, 2)) == 2
        daemon.configure({})
        assert (await daemon.post("/-/reload")).status == 200
        assert await send(keys[0]) == (200, None)


async def test_how_large_an_envelope_may_be(tmp_path: Path) -> None:
    """As the configuration says: at the bound it is taken, beyond it 413, compressed or not."""
    async with Daemon(tmp_path, {"intake": {"sentry": {"max_body_bytes": 1_000}}}) as daemon:
        await daemon.post(f"{BELOW}/projects", {"name": "shop"})
        key = (await daemon.post(f"{BELOW}/projects/shop/keys")).json["public_key"]
        url, auth = f"{daemon.base_url}/sentry/api/shop/envelope/", {"X-Sentry-Auth": f"Sentry sentry_key={key}"}
        body = b'{}\n{"type":"event"}\n{"event_id":"%032x","message":"MORE"}' % 1

        async def send(size: int, **headers: str) -> int:
            sent = body.replace(b"MORE", b"x" * (size - len(body) + 4))
            sent = gzip.compress(sent) if headers else sent
            async with daemon.session.post(url, data=sent, headers={**auth, **headers}) as answer:
                return answer.status

        assert [await send(size) for size in (1_000, 1_001)] == [200, 413]
        zipped = {"Content-Encoding": "gzip"}
        assert [await send(size, **zipped) for size in (1_000, 1_001)] == [200, 413]
