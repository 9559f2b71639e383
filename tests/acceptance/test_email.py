"""Acceptance: the real daemon tells owners by e-mail, and says so where it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.daemon import BELOW, Daemon
from tests.smtp_peer import HOST, mailroom

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWNED = [{"name": "shop", "owner": {"name": "Ann", "email": "ann@example.com"}}]
BACKUP = {"type": "database_backup_failed", "severity": "critical", "project": "shop", "message": "No space left"}


def config(port: int | None) -> dict[str, Any]:
    """Write a configuration with an owned project, and a mail server or none."""
    mail = {} if port is None else {"host": HOST, "port": port, "tls": "none", "from": "alerts@example.com"}
    workspaces = [{"name": "default", "projects": OWNED}]
    return {"mail": mail, "egress": {"allow": ["127.0.0.0/8"]}, "workspaces": workspaces}


async def verdict(daemon: Daemon, event_id: str) -> list[tuple[str, str, str | None]]:
    """Ask what was decided about an event."""
    event = await daemon.get(f"events/{event_id}")
    found = [(each["subscription"], each["verdict"], each["reason"]) for each in event["verdicts"]]
    return [each for each in found if each[1] != "project"]


async def test_the_owner_hears_of_what_is_critical(tmp_path: Path) -> None:
    """Without a mail server the verdict says that; once there is one, the next event reaches the owner, and no other does."""
    async with mailroom("none") as room, Daemon(tmp_path, config(None)) as daemon:
        (first,) = await daemon.send(BACKUP)
        assert await verdict(daemon, first) == [("default-shop", "not_configured", "not_configured")]
        said = {v["subscription"]: v["detail"] for v in (await daemon.get(f"events/{first}"))["verdicts"]}
        assert "no mail server is set" in said["default-shop"]
        assert await daemon.deliveries(first) == []
        daemon.configure(config(room.port))
        reply = await daemon.post("/-/reload")
        assert reply.status == 200, reply.body
        (second,) = await daemon.send(BACKUP)
        assert await verdict(daemon, second) == [("default-shop", "sent", None)]
        await daemon.wait_state(second, "delivered")
        (letter,) = room.letters
        assert letter.recipients == ["ann@example.com"]
        assert "No space left" in letter.parsed["Subject"]
        (third,) = await daemon.send({**BACKUP, "project": "blog"})
        assert await daemon.deliveries(third) == []
        assert len(room.letters) == 1


async def test_a_test_letter(tmp_path: Path) -> None:
    """A test of an e-mail destination is answered with what the server said."""
    async with mailroom("none") as room, Daemon(tmp_path, config(room.port)) as daemon:
        mail = {"name": "mail", "type": "email", "settings": {"to": ["ops@example.com"], "subject_prefix": "PROD"}}
        reply = await daemon.post(f"{BELOW}/destinations", mail)
        assert reply.status == 201, reply.body
        reply = await daemon.post(f"{BELOW}/destinations/mail/test")
        assert (reply.json["outcome"], reply.json["status"], reply.json["answer"]) == ("delivered", 250, "queued as 17")
        assert room.letters[0].parsed["Subject"].startswith("[PROD] [Test] ")
        request = reply.json["request"]
        assert request["headers"]["Subject"] == room.letters[0].parsed["Subject"]
        assert request["target"].endswith(" to ops@example.com")


async def test_a_preview_shows_the_letter(tmp_path: Path) -> None:
    """A preview fills in the templates and sends nothing."""
    async with mailroom("none") as room, Daemon(tmp_path, config(room.port)) as daemon:
        settings = {"to": ["ops@example.com"], "username": "alerts", "password": "s3cret-pass"}
        templates = {"title": "{{ event.type }} in {{ event.project }}"}
        mail = {"name": "mail", "type": "email", "settings": settings, "templates": templates}
        reply = await daemon.post(f"{BELOW}/destinations", mail)
        assert reply.status == 201, reply.body
        reply = await daemon.post(f"{BELOW}/destinations/mail/preview", {"type": "run:failed", "project": "shop"})
        assert reply.status == 200, reply.body
        assert reply.json["target"] == f"SMTP {HOST}:{room.port} (none) to ops@example.com"
        assert "run:failed in shop" in reply.json["headers"]["Subject"]
        assert b"s3cret-pass" not in reply.body
        assert not room.letters
