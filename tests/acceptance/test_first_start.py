"""Acceptance: starts that fail before they are ready, and starts on a restored backup: what they tell, and what they do not."""

from __future__ import annotations

import socket
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.daemon import PROGRAM, Daemon

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def fail(daemon: Daemon) -> None:
    """Start a daemon whose port is taken, which must say so and leave with 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon.configure({"server": {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}})
        daemon.launch()
        assert await daemon.wait_exit() == 1
    assert "address already in use" in daemon.lines[-1]
    daemon.configure({})


def told(daemon: Daemon) -> list[str]:
    """List the crashes that this start told of."""
    return [line for line in daemon.lines if "alertd.crashed" in line]


def backed_up(daemon: Daemon, target: Path) -> None:
    """Write a backup of a daemon's store, as its operator does."""
    command = [PROGRAM, "backup", str(target), "--config", str(daemon.config_file)]
    subprocess.run(command, cwd=daemon.folder, env=daemon.environ, check=True, timeout=60, stdout=subprocess.DEVNULL)  # noqa: S603 - our own program


def restored(folder: Path, backup: Path, *along: Path) -> Daemon:
    """Put a backup in the place of a store that is not there, and other files beside it."""
    daemon = Daemon(folder, {})
    daemon.state.mkdir()
    daemon.database.write_bytes(backup.read_bytes())
    for file in along:
        (daemon.state / file.name).write_bytes(file.read_bytes())
    return daemon


async def test_a_start_that_failed_is_no_crash_and_keeps_no_token_back(tmp_path: Path) -> None:
    """The next start tells of no crash, and shows the token; none after it does."""
    daemon = Daemon(tmp_path, {})
    await fail(daemon)
    assert not (daemon.state / "admin.token").exists()
    async with daemon:
        assert told(daemon) == []
        assert daemon.lines.count(daemon.token) == 1
        assert "Send an event from another terminal:" in daemon.lines
        await daemon.get("events")
        assert await daemon.stop() == 0
        await fail(daemon)
        await daemon.start()
        assert told(daemon) == []
        assert daemon.lines.count(daemon.token) == 0


async def test_a_start_that_failed_hides_no_crash(tmp_path: Path) -> None:
    """What a killed run left is told by the first start after it that becomes ready, and by that one alone."""
    async with Daemon(tmp_path, {}) as daemon:
        await daemon.kill()
        await fail(daemon)
        await daemon.start()
        await daemon.wait_line(lambda line: "alertd.crashed" in line and "was killed" in line, "the crash")
        assert await daemon.stop() == 0
        await daemon.start()
        assert told(daemon) == []


async def test_a_backup_is_a_clean_copy(tmp_path: Path) -> None:
    """Put in the place of a store whose daemon was killed, it is started upon without a word of a crash; its token is good."""
    async with Daemon(tmp_path / "one", {}) as daemon:
        await daemon.send("something")
        backed_up(daemon, tmp_path / "copy.db")
        await daemon.kill()
        for file in daemon.state.glob("alertd.db*"):
            file.unlink()
        daemon.database.write_bytes((tmp_path / "copy.db").read_bytes())
        await daemon.start()
        assert told(daemon) == []
        assert len((await daemon.get("events"))["items"]) == 1
        await daemon.kill()
        await daemon.start()
        await daemon.wait_line(lambda line: "alertd.crashed" in line, "the crash of a run on the copy")


async def test_the_first_screen_of_a_restored_backup(tmp_path: Path) -> None:
    """Without its admin.token it says that tokens made before are good; with it, it names that file; a key that is not the same is told."""
    tokens: list[dict[str, Any]] = [{"name": "own", "role": "admin", "workspace": None, "value": "configured-secret"}]
    async with Daemon(tmp_path / "one", {}) as daemon:
        backed_up(daemon, tmp_path / "copy.db")
        secret, files = daemon.token, [daemon.state / "admin.token", daemon.state / "secrets.key"]
        async with restored(tmp_path / "bare", tmp_path / "copy.db") as bare:
            [line] = [line for line in bare.lines if "Set ALERTD_TOKEN" in line]
            assert "made before" in line
            assert "that the configuration holds" not in line
            assert (await bare.call("GET", "/api/v1/rejected", token=secret)).status == 200
            [warned] = await bare.wait_log("secrets_key.changed")
            assert "secrets.key" in warned["reason"]
            assert await bare.stop() == 0
            bare.configure({"tokens": tokens})
            await bare.start()
            assert bare.log("secrets_key.changed") == []
            [line] = [line for line in bare.lines if "Set ALERTD_TOKEN" in line]
            assert "that the configuration holds, or made before" in line
        async with restored(tmp_path / "whole", tmp_path / "copy.db", *files) as whole:
            assert not any("ALERTD_TOKEN" in line for line in whole.lines)
            assert any(line.startswith("curl ") and "admin.token" in line for line in whole.lines)
            assert whole.lines.count(secret) == 0
            assert (await whole.get("events"))["items"] == []
            assert whole.log("secrets_key.changed") == []
