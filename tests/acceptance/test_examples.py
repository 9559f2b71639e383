"""Acceptance: what the document shows as a body is taken by the daemon, and what it shows as an answer is what is answered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.daemon import BELOW, Daemon, Reply, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CONFIG: Final = {
    "delivery": {"timeout_seconds": 1},
    "workspaces": [
        {
            "name": "default",
            "channels": [{"name": "all", "kind": "glob", "pattern": "*"}],
            "destinations": [{"name": "nowhere", "type": "null"}],
            "subscriptions": [{"name": "everything", "channels": ["all"], "destinations": ["nowhere"]}],
        }
    ],
}
COLLECTIONS: Final = (
    "projects", "event-types", "channels", "destinations", "subscriptions", "derived-types", "metric-alerts",
    "intake-endpoints", "tokens",
)  # fmt: skip
FIRST: Final = tuple(f"POST /api/v1/workspaces/{{workspace}}/{each}" for each in COLLECTIONS)
"""What is made before all else, in this order: later ones refer to earlier ones."""
LAST: Final = ("/merge", "/split", "/mute", "/assign", "/resolve")
"""What is done to issues when there are some, in this order."""
HEADERS: Final = {
    "/api/v1/webhooks/github/": {"X-GitHub-Event": "push", "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"},
    "/api/v1/webhooks/sentry/": {"Sentry-Hook-Resource": "issue"},
}
"""What outside services say beside the body."""


def examples_of(content: dict[str, Any]) -> list[Any]:
    """Give the one example of a content, or all of several."""
    if "examples" in content:
        return [each["value"] for each in content["examples"].values()]
    return [content["example"]]


class Walk:
    """Sends every example where it belongs, and keeps what was answered."""

    def __init__(self, daemon: Daemon, document: dict[str, Any]) -> None:
        self.daemon = daemon
        self.document = document
        self.answers: list[tuple[str, dict[str, Any], Reply]] = []
        self.doors: dict[str, str] = {}

    async def run(self) -> None:
        """Send all of them, in an order in which each can be done."""
        every = {
            f"{method.upper()} {path}": operation
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
            if "requestBody" in operation
        }
        turns = {end: turn for turn, end in enumerate(LAST, 1)}
        rest = [key for key in every if key not in FIRST]
        rest.sort(key=lambda key: next((turn for end, turn in turns.items() if key.endswith(end)), 0))
        for key in (*FIRST, *rest):
            await self._send(key, every[key])

    async def _send(self, key: str, operation: dict[str, Any]) -> None:
        method, path = key.split(" ")
        where = await self._filled(path)
        more = next((own for begin, own in HEADERS.items() if path.startswith(begin)), {})
        for kind, content in operation["requestBody"]["content"].items():
            for example in examples_of(content):
                body = example.encode() if isinstance(example, str) else example
                headers = {"Content-Type": kind, "If-Match": "*", **more}
                reply = await self.daemon.call(method, where, body, headers=headers)
                assert reply.status < 300, (key, kind, example, reply.status, reply.body)
                assert str(reply.status) in operation["responses"], (key, kind, reply.status)
                if example == examples_of(content)[0]:  # the one whose answer is shown
                    self.answers.append((key, operation["responses"][str(reply.status)], reply))

    async def _filled(self, path: str) -> str:
        """Put names where a path has parameters."""
        if path.startswith("/api/v1/webhooks/"):
            return await self._door(path.split("/")[4])
        if path.startswith("/sentry/"):
            made = await self.daemon.post("projects/shop/keys")
            number = made.json["dsn"].rsplit("/", 1)[1]
            return f"{re.sub(r'{.*}', number, path)}?sentry_key={made.json['public_key']}"
        named = {"workspace": "default", "id": "SHOP-1", "name": self._made(path)}
        if "/deliveries/{id}" in path:
            named["id"] = await self._delivered()
        return re.sub(r"\{(\w+)\}", lambda found: named[found[1]], path)

    async def _door(self, source: str) -> str:
        """Return the path of a service's endpoint, the same one for all methods."""
        if source not in self.doors:
            made = await self.daemon.post("intake-endpoints", {"name": f"own-{source}", "source": source})
            self.doors[source] = str(made.json["url"]).removeprefix(self.daemon.base_url)
        return self.doors[source]

    def _made(self, path: str) -> str:
        """Name what was made from the example of a collection."""
        collection = path.split("/{name}", maxsplit=1)[0]
        made = self.document["paths"].get(collection, {}).get("post", {}).get("requestBody", {}).get("content")
        return str(examples_of(made["application/json"])[0]["name"]) if made and "{name}" in path else ""

    async def _delivered(self) -> str:
        """Return the id of a delivery that is over."""

        async def look() -> list[Any] | None:
            found: list[Any] = (await self.daemon.get("deliveries?state=delivered"))["items"]
            return found or None

        return str((await eventually(look, "a delivery to be over"))[0]["id"])


@pytest.fixture
async def walk(tmp_path: Path) -> AsyncIterator[Walk]:
    """Run a daemon that has little but the default workspace."""
    daemon = Daemon(tmp_path, CONFIG)
    async with daemon:
        yield Walk(daemon, await daemon.get("/api/openapi.json", token=""))


async def test_the_document_of_the_daemon_is_valid(walk: Walk) -> None:
    """With every route that the daemon has, those of outside services too."""
    assert list(OpenAPIV31SpecValidator(walk.document).iter_errors()) == []
    assert "/sentry/api/{project}/envelope/" in walk.document["paths"]


async def test_each_example_of_a_body_is_taken(walk: Walk) -> None:
    """Every body that the document shows is accepted as it stands, and what is answered has the fields that it shows."""
    await walk.run()
    assert (await walk.daemon.get(f"{BELOW}/issues"))["items"]
    wrong = []
    for key, documented, reply in walk.answers:
        for content in documented.get("content", {}).values():
            shown = content.get("example")
            if isinstance(shown, dict) and set(shown) != set(reply.json):
                wrong.append((key, sorted(set(shown) ^ set(reply.json))))
    assert wrong == []
