"""Acceptance: a daemon with a destination of the type `apprise`, made over the API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.daemon import Daemon, hook, route, workspace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_service_made_over_the_api(tmp_path: Path, receiver: Receiver) -> None:
    """Its URL is a secret as a whole, a bad one is refused at its place, and a test send arrives and says so."""
    address = receiver.url("/tok-en-123456").removeprefix("http://")
    async with Daemon(tmp_path, {"egress": {"allow": ["127.0.0.0/8"]}}) as daemon:
        bad = await daemon.post("destinations", {"name": "bad", "type": "apprise", "settings": {"url": "no url"}})
        assert (bad.status, bad.pointers) == (422, ["/settings/url"])
        settings = {"url": f"json://{address}"}
        made = await daemon.post("destinations", {"name": "tail", "type": "apprise", "settings": settings})
        assert made.status == 201, made.body
        assert made.json["settings"]["url"] == "***"
        sent = await daemon.post("destinations/tail/test")
        assert sent.status == 200, sent.body
        assert b"delivered" in sent.body
        (request,) = await receiver.expect("/tok-en-123456")
        assert json.loads(request.body)["title"].startswith("[Test]")
        unknown = {"url": "nosuchservice://tok-en-123456"}
        refused = await daemon.post("destinations", {"name": "bad", "type": "apprise", "settings": unknown})
        assert (refused.status, refused.pointers) == (422, ["/settings/url"])
        assert await daemon.stop() == 0
        assert not [line for line in daemon.log() if "tok-en" in json.dumps(line)]
        assert b"tok-en" not in daemon.database.read_bytes()


async def test_a_private_address_is_refused_when_it_is_made(tmp_path: Path) -> None:
    """Where the host of a service's URL is one, the guard judges it at once."""
    async with Daemon(tmp_path, {"egress": {"allow": []}}) as daemon:
        settings = {"url": "json://10.0.0.5/x"}
        refused = await daemon.post("destinations", {"name": "tail", "type": "apprise", "settings": settings})
        assert (refused.status, refused.pointers) == (422, ["/settings/url"])
        assert b"egress refused" in refused.body


WITHOUT = """
from importlib.machinery import PathFinder

found = PathFinder.find_spec


def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] == "apprise" else found(name, path, target)


PathFinder.find_spec = find_spec
"""
"""What makes Python not find the library, as where the extra is not installed."""


async def test_the_extra_is_taken_away(tmp_path: Path, receiver: Receiver) -> None:
    """A daemon that finds a destination of the type in its store without the library starts, says so, and serves the others."""
    folder = tmp_path / "without"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WITHOUT)
    settings = {"url": "json://127.0.0.1:9/tok-en-123456"}
    config = {"workspaces": [workspace([hook("ops", receiver.url("/ops"))], [route("all", "a.*", "ops")])]}
    async with Daemon(tmp_path, config) as daemon:
        made = await daemon.post("destinations", {"name": "tail", "type": "apprise", "settings": settings})
        assert made.status == 201, made.body
    async with Daemon(tmp_path, config, PYTHONPATH=str(folder)) as daemon:
        (line,) = await daemon.wait_log("destination.unusable")
        assert (line["destination"], line["level"]) == ("tail", "error")
        assert "pip install 'apprise>=2.2'" in line["reason"]
        await daemon.send("a.1")
        await receiver.expect("/ops")
        sent = await daemon.post("destinations/tail/test")
        assert (sent.json["outcome"], "pip install 'apprise>=2.2'" in sent.json["error"]) == ("retry_later", True)
        again = await daemon.post("destinations", {"name": "other", "type": "apprise", "settings": settings})
        assert (again.status, again.pointers) == (422, ["/settings/url"])
        assert b"pip install 'apprise>=2.2'" in again.body
