"""Acceptance: a daemon that shows its certificate to a receiver, and another one after a reload."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.certificates import Office, demanding, guarded
from tests.daemon import Daemon, eventually, route, workspace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("sender", ["fast", "aiohttp"])
async def test_a_renewed_certificate_is_taken_up(tmp_path: Path, sender: str) -> None:
    """Deliveries show the certificate; after a reload, and also without, the renewed one, with nothing restarted."""
    office = Office(tmp_path)
    async with guarded(demanding(office)) as bouncer:
        destination = {
            "name": "private",
            "type": "webhook",
            "settings": {"url": f"{bouncer.url}/x", "tls": office.give("ann")},
        }
        config = {
            "egress": {"allow": ["127.0.0.0/8"], "sender": sender},
            "workspaces": [workspace([destination], [route("all", "a.*", "private")])],
        }
        async with Daemon(tmp_path, config) as daemon:
            (first,) = await daemon.send("a.1")
            await daemon.wait_state(first, "delivered")
            office.give("bob")
            assert (await daemon.post("/-/reload")).status == 200
            (second,) = await daemon.send("a.2")
            await daemon.wait_state(second, "delivered")
            (office.folder / "client.pem").write_text("no certificate")
            (third,) = await daemon.send("a.3")
            await daemon.wait_state(third, "delivered")

            async def told() -> bool:
                return any(line["event"] == "tls.kept" for line in daemon.log())

            await eventually(told, "a word in the log about files that cannot be used")
    assert bouncer.seen == [f"{name}.client.example" for name in ("ann", "bob", "bob")]
