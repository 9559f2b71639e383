"""Sentry's intake on a real server on loopback, with fakes for what it is wired to."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from alertd.api.problems import of_error
from alertd.errors import AlertdError, IntakeFullError
from alertd.intake.endpoints import WebhookEndpoint
from alertd.intake.sentry_body import Bodies
from alertd.intake.sentry_sdk import SdkProject, SentrySdkIntake
from alertd.intake.sentry_webhook import SentryWebhooks
from alertd.metrics import Metrics
from alertd.model.event import Bounds
from alertd.sources.sentry_defaults import SentryDefaults
from alertd.submission import Accepted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.typedefs import Handler

    from alertd.model.event import Event
    from alertd.submission import Submission

SECRET = "my-client-secret"  # noqa: S105 - a test's
KEY = "e12d836b15bb49d7bbf99e64295d995b"
NOW_MS = 1_778_112_000_000
DEADLINE = 60


class FakeClock:
    """A clock that stands still."""

    def now_ms(self) -> int:
        """Say when the tests play."""
        return NOW_MS

    def wall_seconds(self) -> int:
        """Say the same in seconds."""
        return NOW_MS // 1000

    def monotonic(self) -> float:
        """Say that no time has passed."""
        return 0.0


class FakePipeline:
    """Keeps what is submitted, knows ids again, and fails or is full as told; `gate` holds commits back,
    and `asked` says that there is one.
    """  # noqa: D205 - one thought, two lines

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.sources: list[str] = []
        self.failure: AlertdError | None = None
        self.full = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()
        self._known: set[str] = set()

    def has_room(self, events: int = 1, size: int = 1) -> bool:
        """Say whether it is full."""
        return not self.full

    def offer(self, submission: Submission) -> None:
        """Take nothing by the express lane, of which there is none here."""
        raise IntakeFullError

    async def submit(self, events: list[Event], size: int, source: str) -> list[Accepted]:
        """Keep events that are new."""
        self.asked.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        assert size > 0
        self.sources.append(source)
        results = []
        for event in events:
            duplicate = bool(event.id) and event.id in self._known
            self._known.add(event.id)
            if not duplicate:
                self.events.append(event)
            results.append(Accepted(event.id, duplicate))
        return results

    def bodies(self) -> list[dict[str, Any]]:
        """Return the bodies of all events so far."""
        return [event.body for event in self.events]


class FakeEndpoints:
    """Two endpoints, one with a secret and one without."""

    def __init__(self) -> None:
        self.known = {
            "signed": WebhookEndpoint("signed", "default", SecretStr(SECRET), max_body_bytes=100_000),
            "open": WebhookEndpoint("open", "other", defaults=SentryDefaults(project="shop")),
        }

    def find(self, source: str, token: str) -> WebhookEndpoint | None:
        """Look a token up."""
        return self.known.get(token) if source == "sentry" else None


class FakeKeys:
    """One project with one key."""

    def __init__(self) -> None:
        self.project = SdkProject("default", SentryDefaults(project="shop"))
        self.revoked = False

    def find(self, project: str, key: str) -> SdkProject | None:
        """Look a key up; the project goes by its number or its name."""
        known = key == KEY and project in {"42", "shop"} and not self.revoked
        return self.project if known else None


@web.middleware
async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn our errors into answers, as the edge of the whole interface does."""
    try:
        return await handler(request)
    except AlertdError as error:
        return of_error(error)


class Stage:
    """The intake with everything round it."""

    def __init__(self, held_max_bytes: int = 1 << 20) -> None:
        self.pipeline = FakePipeline()
        self.endpoints = FakeEndpoints()
        self.keys = FakeKeys()
        self.metrics = Metrics()
        self.bodies = Bodies(held_max_bytes)
        self.bounds = Bounds()
        wired = (self.pipeline, FakeClock(), self.metrics, self.bounds)
        self.webhooks = SentryWebhooks(*wired, self.endpoints, self.bodies)
        self.sdk = SentrySdkIntake(*wired, self.keys, self.bodies)
        self.client: TestClient[web.Request, web.Application]

    def count(self, name: str, **labels: str) -> float:
        """Read a metric, 0 while it has not been touched."""
        return self.metrics.registry.get_sample_value(name, labels) or 0


@asynccontextmanager
async def running(held_max_bytes: int = 1 << 20, deadline: float = DEADLINE) -> AsyncIterator[Stage]:
    """Serve on loopback until the block ends."""
    stage = Stage(held_max_bytes)
    app = web.Application(middlewares=[edge], client_max_size=1)
    stage.webhooks.register(app)
    stage.sdk.register(app)
    server = TestServer(app)
    await server.start_server(auto_decompress=False)
    async with TestClient(server, auto_decompress=False) as client:
        stage.client = client
        async with asyncio.timeout(deadline):
            yield stage


def raised(body: dict[str, Any]) -> tuple[str, str, str]:
    """Return type and value of the raised exception and the function that raised it."""
    exception = body["data"]["exception"]
    return exception["type"], exception["value"], exception["values"][-1]["stacktrace"]["frames"][-1]["function"]
