"""Real applications with the real Sentry SDK, each a process of its own, given nothing but our DSN."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alertd.errors import IntakeFullError
from tests.daemon import BELOW, Daemon, eventually
from tests.unit.intake.sentry_stage import KEY, Stage, raised, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHILD = Path(__file__).with_name("sentry_child.py")
DEADLINE = 60


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Serve the intake for one test."""
    async with running(deadline=DEADLINE) as made:
        yield made


async def run(stage: Stage, what: str, **options: Any) -> list[dict[str, Any]]:
    """Run the application to its end and return the events that arrived."""
    url = stage.client.make_url("/")
    await execute(f"http://{KEY}@{url.host}:{url.port}/sentry/42", what, **options)
    return stage.pipeline.bodies()


async def execute(dsn: str, what: str, **options: Any) -> None:
    """Run the application to its end, which must be the one that was asked for."""
    command = (sys.executable, str(CHILD), dsn, what, json.dumps(options))
    child = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    try:
        _, said = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    assert child.returncode == (1 if what == "crash" else 0), said.decode()


ARTICLE = ("ValueError", "no such article", "checkout")


TOLD: dict[str, Any] = {
    "name": "default",
    "projects": [{"name": "shop"}],
    "channels": [{"name": "errors", "kind": "glob", "pattern": "sentry.*"}],
    "destinations": [{"name": "team", "type": "null"}],
    "subscriptions": [{"name": "new", "channels": ["errors"], "destinations": ["team"], "triggers": ["new"]}],
}


async def test_the_daemon_itself(tmp_path: Path) -> None:
    """Django, logging and asyncio fail twice each, in processes of their own: of each problem a team is told once."""
    async with Daemon(tmp_path, {"workspaces": [TOLD]}) as daemon:
        made = await daemon.post(f"{BELOW}/projects/shop/keys")
        for what in ("django", "logged", "tasks", "tasks", "logged", "django"):
            await execute(made.json["dsn"], what)

        async def issues() -> list[dict[str, Any]] | None:
            found: list[dict[str, Any]] = (await daemon.get("issues"))["items"]
            return found if sum(issue["event_count"] for issue in found) == 2 * 4 else None

        found = await eventually(issues, "two events of each issue")
        wanted = [("Order 17 failed", 2), *[("ValueError: no such article", 2)] * 3]
        assert sorted((issue["title"], issue["event_count"]) for issue in found) == wanted

        async def deliveries() -> list[dict[str, Any]] | None:
            made: list[dict[str, Any]] = (await daemon.get("deliveries?destination=team&state=delivered"))["items"]
            return made if len(made) >= len(wanted) else None

        assert len(await eventually(deliveries, "a delivery for each issue")) == len(wanted)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"_experiments": {"transport_compression_algo": "gzip"}},
        {"_experiments": {"transport_compression_algo": "br"}},
        {"_experiments": {"transport_compression_level": 0}},
        {"keep_alive": True},
    ],
    ids=str,
)
async def test_errors_and_messages(stage: Stage, options: dict[str, Any]) -> None:
    """An error and a message arrive with user, tags, release and environment, whatever the compression."""
    error, message = await run(stage, "plain", **options)
    assert (error["type"], message["type"]) == ("sentry.error", "sentry.message")
    assert raised(error) == ARTICLE
    assert [value["type"] for value in error["data"]["exception"]["values"]] == ["KeyError", "ValueError"]
    assert (error["project"], error["environment"], error["data"]["release"]) == ("shop", "prod", "shop@1.2.3")
    assert (error["labels"]["team"], error["data"]["user"]) == ("payments", {"id": "7"})
    assert error["data"]["exception"]["values"][-1]["stacktrace"]["frames"][-1]["in_app"]
    assert (message["message"], message["severity"]) == ("Cache is cold", "warning")


async def test_an_application_that_dies(stage: Stage) -> None:
    """The error that kills a process arrives."""
    (error,) = await run(stage, "crash")
    assert raised(error) == ARTICLE
    assert error["data"]["exception"]["handled"] is False
    assert error["severity"] in {"error", "critical"}  # which of them is up to the SDK


async def test_logging(stage: Stage) -> None:
    """Errors that are logged arrive with template and parameters."""
    message, error = await run(stage, "logged")
    assert message["message"] == "Order 17 failed"
    assert message["data"]["logentry"]["message"] == "Order %s failed"
    assert raised(error) == ARTICLE
    assert error["data"]["logger"] == "shop.cart"


async def test_asyncio(stage: Stage) -> None:
    """A task that dies is reported."""
    (error,) = await run(stage, "tasks")
    assert raised(error) == ARTICLE


async def test_a_monitored_job(stage: Stage) -> None:
    """A job's beginning and end arrive as check-ins."""
    begun, ended = await run(stage, "job")
    assert [body["type"] for body in (begun, ended)] == ["sentry.check_in"] * 2
    assert [body["labels"]["status"] for body in (begun, ended)] == ["in_progress", "ok"]


async def test_django(stage: Stage) -> None:
    """A request that fails arrives with its route, and without what its query held."""
    (error,) = await run(stage, "django")
    assert raised(error) == ARTICLE
    assert error["data"]["transaction"] == "/pay/{order}/"
    assert error["data"]["request"]["method"] == "GET"
    assert error["data"]["request"]["url"].endswith("/pay/17/")
    assert b"4111" not in stage.pipeline.events[0].payload


async def test_what_is_not_kept(stage: Stage) -> None:
    """Transactions, sessions, attachments and logs are answered as a success and counted."""
    (message,) = await run(stage, "telemetry", traces_sample_rate=1.0, enable_logs=True)
    assert message["message"] == "x"
    counts = {
        kind: stage.count("alertd_sentry_skipped_items_total", item=kind)
        for kind in ("transaction", "attachment", "log", "other")
    }
    assert counts == {"transaction": 1, "attachment": 1, "log": 1, "other": 0}
    sessions = [stage.count("alertd_sentry_skipped_items_total", item=kind) for kind in ("session", "sessions")]
    assert sum(sessions) >= 1
    assert stage.count("alertd_events_total", source="sentry_sdk", result="rejected") == 0


async def test_a_limit_is_heeded(stage: Stage) -> None:
    """Told once to keep quiet, the SDK sends no more."""
    stage.pipeline.failure = IntakeFullError(60)
    assert await run(stage, "chatter", auto_session_tracking=False) == []
    assert stage.count("alertd_intake_refused_total", reason="full") == 1


async def test_a_revoked_key(stage: Stage) -> None:
    """An application with a revoked key lives on; nothing of it arrives."""
    stage.keys.revoked = True
    assert await run(stage, "plain") == []
    assert stage.count("alertd_intake_refused_total", reason="forbidden") >= 1
