"""What the log says of refused requests."""

from __future__ import annotations

from typing import NoReturn

import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from alertd.api.auth import Authenticator
from alertd.api.edge import make_edge
from alertd.api.refusals import Refusals
from alertd.clock import SystemClock
from alertd.errors import IntakeFullError
from alertd.intake.endpoints import retried
from alertd.metrics import Metrics
from tests.unit.api.bench import HOME, running


async def test_repeated_refusals_are_one_line_for_each_kind() -> None:
    """Whoever asks without a token, or with too small a role, again and again does not fill the disk."""
    with structlog.testing.capture_logs() as lines:
        async with running() as call:
            for number in range(10):
                await call("GET", f"{HOME}/deliveries/{number}", None)
                await call("GET", f"{HOME}/deliveries", "intake")
    refused = [line for line in lines if line["event"] == "request.refused"]
    assert [(line["reason"], line["path"]) for line in refused] == [
        ("unauthorized", f"{HOME}/deliveries/0"),
        ("forbidden", f"{HOME}/deliveries"),
    ]


async def test_a_failure_at_an_intake_endpoint_does_not_tell_its_url() -> None:
    """Whoever knows the URL can send: of a request that failed there the log names the source, not the token."""

    async def fail(request: web.Request) -> NoReturn:
        raise RuntimeError("no")

    app = web.Application(middlewares=[make_edge(Authenticator(SystemClock()), Refusals(Metrics()))])
    app.router.add_post("/api/v1/webhooks/github/{token}", fail)
    with structlog.testing.capture_logs() as lines:
        async with TestClient(TestServer(app)) as client, client.post("/api/v1/webhooks/github/s3cr3t") as answer:
            assert answer.status == 500
    (failed,) = (line for line in lines if line["event"] == "request.failed")
    assert (failed["path"], "s3cr3t" in str(lines)) == ("/api/v1/webhooks/github/…", False)


async def test_a_full_intake_asks_senders_of_webhooks_to_come_again() -> None:
    """Alertmanager and Sentry do so after 503, which says when, and never after 429."""

    async def full(request: web.Request) -> NoReturn:
        with retried():
            raise IntakeFullError(7)

    app = web.Application(middlewares=[make_edge(Authenticator(SystemClock()), Refusals(Metrics()))])
    app.router.add_post("/api/v1/webhooks/alertmanager/{token}", full)
    async with TestClient(TestServer(app)) as client, client.post("/api/v1/webhooks/alertmanager/x") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
        assert (answer.content_type, (await answer.json())["status"]) == ("application/problem+json", 503)
