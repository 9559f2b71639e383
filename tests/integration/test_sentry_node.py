"""Real applications with the real Sentry SDK for Node.js, each a process of its own, given nothing but our DSN.

The SDK is installed from npm for the run, as `tests/node/package-lock.json` says; where npm cannot, the machine lacks
what the tests need.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alertd.errors import IntakeFullError
from tests.daemon import BELOW, Daemon, eventually
from tests.machine import npm, program
from tests.unit.intake.sentry_stage import KEY, Stage, raised, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SOURCE = Path(__file__).parents[1] / "node"
DEADLINE = 60
ARTICLE = ("RangeError", "no such article", "checkout")


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the SDK beside the application."""
    folder = tmp_path_factory.mktemp("node") / "app"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules"))
    npm(folder, "ci", "--ignore-scripts")
    return folder / "sentry_child.mjs"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Serve the intake for one test."""
    async with running(deadline=DEADLINE) as made:
        yield made


async def run(stage: Stage, child: Path, what: str, code: int = 0, **options: Any) -> list[dict[str, Any]]:
    """Run the application to its end and return the events that arrived."""
    url = stage.client.make_url("/")
    await execute(child, f"http://{KEY}@{url.host}:{url.port}/sentry/42", what, code, **options)
    return stage.pipeline.bodies()


async def execute(child: Path, dsn: str, what: str, code: int = 0, **options: Any) -> None:
    """Run the application to its end, which must be that of `code`."""
    process = await asyncio.create_subprocess_exec(
        program("node"), str(child), dsn, what, json.dumps(options), stderr=asyncio.subprocess.PIPE
    )
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == code, said.decode()


async def test_the_daemon_itself(tmp_path: Path, child: Path) -> None:
    """With the DSN that the API answers, an error and a message become events and issues."""
    async with Daemon(tmp_path, {"workspaces": [{"name": "default", "projects": [{"name": "shop"}]}]}) as daemon:
        made = await daemon.post(f"{BELOW}/projects/shop/keys")
        await execute(child, made.json["dsn"], "plain")

        async def issues() -> list[str] | None:
            found = sorted(issue["title"] for issue in (await daemon.get("issues"))["items"])
            return found if len(found) == 2 else None

        assert await eventually(issues, "two issues") == ["Cache is cold", "RangeError: no such article"]


async def test_errors_and_messages(stage: Stage, child: Path) -> None:
    """An error, its cause before it, and a message arrive with user, tags, release and environment."""
    error, message = sorted(await run(stage, child, "plain"), key=lambda body: str(body["type"]))
    assert (error["type"], message["type"]) == ("sentry.error", "sentry.message")
    assert raised(error) == ARTICLE
    assert [value["type"] for value in error["data"]["exception"]["values"]] == ["TypeError", "RangeError"]
    assert (error["project"], error["environment"], error["data"]["release"]) == ("shop", "prod", "shop@1.2.3")
    assert (error["labels"]["team"], error["data"]["user"]["id"]) == ("payments", "7")
    frame = error["data"]["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert (frame["in_app"], frame["context_line"].strip()) == (
        True,
        'throw new RangeError("no such article", { cause: error });',
    )
    assert (error["data"]["platform"], error["data"]["sdk"]["name"]) == ("node", "sentry.javascript.node")
    assert (message["message"], message["severity"]) == ("Cache is cold", "warning")


async def test_an_application_that_dies(stage: Stage, child: Path) -> None:
    """The error that kills a process arrives."""
    (error,) = await run(stage, child, "crash", code=1)
    assert raised(error) == ARTICLE
    assert error["data"]["exception"]["handled"] is False
    assert error["severity"] == "critical"


async def test_a_lost_promise(stage: Stage, child: Path) -> None:
    """A rejection that nobody handles arrives."""
    (error,) = await run(stage, child, "rejection")
    assert (error["data"]["exception"]["type"], error["data"]["exception"]["handled"]) == ("RangeError", False)


async def test_a_request_that_fails(stage: Stage, child: Path) -> None:
    """It arrives with its method and its path, and without what its query and cookies held."""
    (error,) = await run(stage, child, "served")
    assert raised(error) == ARTICLE
    assert error["data"]["request"]["method"] == "GET"
    assert error["data"]["request"]["url"].endswith("/pay/17")
    assert b"4111-1111" not in stage.pipeline.events[0].payload


async def test_a_monitored_job(stage: Stage, child: Path) -> None:
    """A job's beginning and end arrive as check-ins."""
    found = await run(stage, child, "job")
    assert [body["type"] for body in found] == ["sentry.check_in"] * 2
    assert sorted(body["labels"]["status"] for body in found) == ["in_progress", "ok"]


async def test_what_a_user_says(stage: Stage, child: Path) -> None:
    """Feedback arrives with who gave it."""
    (said,) = await run(stage, child, "feedback")
    assert said["type"] == "sentry.feedback"
    assert said["message"] == "The cart is empty"
    assert said["data"]["feedback"]["name"] == "Ann"


async def test_what_is_not_kept(stage: Stage, child: Path) -> None:
    """Transactions, attachments and logs are answered as a success and counted."""
    (message,) = await run(stage, child, "telemetry", tracesSampleRate=1.0, enableLogs=True)
    assert message["message"] == "x"
    for kind, count in (("transaction", 1), ("attachment", 1), ("log", 1), ("other", 0)):
        assert stage.count("alertd_sentry_skipped_items_total", item=kind) == count, kind
    assert stage.count("alertd_events_total", source="sentry_sdk", result="rejected") == 0


async def test_a_limit_is_heeded(stage: Stage, child: Path) -> None:
    """Told once to keep quiet, the SDK sends no more."""
    stage.pipeline.failure = IntakeFullError(60)
    assert await run(stage, child, "chatter") == []
    assert stage.count("alertd_intake_refused_total", reason="full") == 1


async def test_a_revoked_key(stage: Stage, child: Path) -> None:
    """An application with a revoked key lives on; nothing of it arrives."""
    stage.keys.revoked = True
    assert await run(stage, child, "plain") == []
    assert stage.count("alertd_intake_refused_total", reason="forbidden") >= 1
