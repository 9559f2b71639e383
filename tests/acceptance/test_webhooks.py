"""Acceptance: the webhooks of outside services arrive at the URLs that the API answers, as their senders send them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import tarfile
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from alertd.sources.base import Context
from alertd.sources.github import GithubDecoder
from alertd.sources.outside import WebhookRequest
from alertd.sources.sentry_defaults import STANDARD
from tests.daemon import BELOW, Daemon, eventually
from tests.machine import npm, program
from tests.unit.sources.test_outside import ALERT, GROUP, GUID, INCIDENT, PUSH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")
SHARED = "s3cr3t"
EXAMPLES = "@octokit/webhooks-examples@7.6.1"
TABLE = {"push", "deployment", "deployment_status", "release", "workflow_run", "check_suite"}


async def door(daemon: Daemon, source: str, **more: Any) -> str:
    """Make an intake endpoint and return its URL."""
    reply = await daemon.post(f"{BELOW}/intake-endpoints", {"name": f"my-{source}", "source": source, **more})
    assert reply.status == 201, reply.body
    url: str = reply.json["url"]
    return url


async def sent(daemon: Daemon, url: str, body: bytes, **headers: str) -> int:
    """Post without a token of ours."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with daemon.session.post(url, data=body, headers={"Content-Type": "application/json", **named}) as answer:
        return answer.status


async def types_of(daemon: Daemon, count: int) -> list[str]:
    """Wait for so many events and give their types, sorted."""

    async def look() -> list[str] | None:
        found = [event["type"] for event in (await daemon.get("events?limit=200"))["items"]]
        return sorted(found) if len(found) >= count else None

    found: list[str] = await eventually(look, f"{count} events")
    return found


async def test_every_service_has_its_door(tmp_path: Path) -> None:
    """A right signature is 202, a wrong one 401 and nothing of it stored; a repeat is 202 and does nothing."""
    async with Daemon(tmp_path, {}) as daemon:
        push, group, report = (orjson.dumps(each) for each in (PUSH, GROUP, INCIDENT))
        github = await door(daemon, "github", secret=SHARED)
        right = "sha256=" + hmac.new(SHARED.encode(), push, hashlib.sha256).hexdigest()
        named = {"X_GitHub_Event": "push", "X_GitHub_Delivery": GUID}
        assert await sent(daemon, github, push, **named, X_Hub_Signature_256=right[:-1] + "x") == 401
        assert await sent(daemon, github, push + b" ", **named, X_Hub_Signature_256=right) == 401
        for _ in range(2):
            assert await sent(daemon, github, push, **named, X_Hub_Signature_256=right) == 202
        assert await sent(daemon, await door(daemon, "alertmanager"), group) == 202
        grafana = await door(daemon, "grafana")
        for method in ("PUT", "POST"):  # as its contact point is told
            assert (await daemon.call(method, grafana, group, token="")).status == 202
        incidents = await door(daemon, "incidents", secret=SHARED)
        assert await sent(daemon, incidents, report, X_Incident_Webhook_Secret=SHARED) == 202
        assert await sent(daemon, incidents, b"{}", X_Incident_Webhook_Secret=SHARED) == 422
        assert await sent(daemon, incidents.replace("incidents", "github"), report) == 401
        assert await types_of(daemon, 4) == [
            "alertmanager.alert.firing", "github.push", "grafana.alert.firing", "incident.reported",
        ]  # fmt: skip
        assert (await daemon.call("DELETE", f"{BELOW}/intake-endpoints/my-grafana")).status == 204


async def test_a_real_alertmanager_sends(tmp_path: Path) -> None:
    """Debian's Alertmanager, pointed at the URL of an endpoint, tells of an alert and of its end."""
    alertmanager = program("prometheus-alertmanager", "alertmanager")
    async with Daemon(tmp_path, {}) as daemon:
        url = await door(daemon, "alertmanager")
        config = {
            "route": {"receiver": "alertd", "group_wait": "100ms", "group_interval": "1s"},
            "receivers": [{"name": "alertd", "webhook_configs": [{"url": url}]}],
        }
        (tmp_path / "am.yml").write_text(json.dumps(config))
        process = await asyncio.create_subprocess_exec(
            alertmanager,
            f"--config.file={tmp_path / 'am.yml'}",
            f"--storage.path={tmp_path / 'am'}",
            "--web.listen-address=127.0.0.1:0",
            "--cluster.listen-address=",
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            address = await _address(process)
            alert = {"labels": {**ALERT["labels"], "instance": "a"}, "annotations": ALERT["annotations"]}  # type: ignore[dict-item]  # ALERT has values of two types
            for ended in ({}, {"endsAt": "2020-01-01T00:00:00Z"}):
                async with daemon.session.post(f"http://{address}/api/v2/alerts", json=[alert | ended]) as answer:
                    assert answer.status == 200
                await types_of(daemon, 2 if ended else 1)
            assert await types_of(daemon, 2) == ["alertmanager.alert.firing", "alertmanager.alert.resolved"]
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    said = []
    async with asyncio.timeout(60):
        while line := (await process.stderr.readline()).decode():
            if "Listening on" in line:
                return line.split("address=")[1].split()[0]
            said.append(line)
    raise AssertionError(f"Alertmanager ended:\n{''.join(said)}")


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    """GitHub's own published examples."""
    folder = tmp_path_factory.mktemp("octokit")
    npm(folder, "pack", EXAMPLES)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        index = archive.extractfile("package/api.github.com/index.json")
        assert index is not None
        return json.loads(index.read())


async def test_githubs_own_examples_decode(examples: list[dict[str, Any]]) -> None:
    """Every published payload of every event becomes the event of its name; only a ping becomes none."""
    decoder, seen = GithubDecoder(), set()
    for group in examples:
        for example in group["examples"]:
            body = orjson.dumps(example)
            request = WebhookRequest({"X-GitHub-Event": group["name"]}, body, body)
            events = decoder.decode(request, Context("default", 0, frozenset({"default"})), STANDARD)
            assert len(events) == (0 if group["name"] == "ping" else 1)
            for event in events:
                action = example.get("action")
                assert event.type == f"github.{group['name']}" + (f".{action}" if action else "")
            seen.add(group["name"])
    assert seen >= TABLE
