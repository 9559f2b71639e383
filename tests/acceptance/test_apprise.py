"""Acceptance: a daemon with a destination of the type `apprise`, made over the API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.daemon import Daemon

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
