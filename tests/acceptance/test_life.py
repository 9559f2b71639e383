"""Acceptance: the life of the daemon: start, restart, stop, death, and what the service manager hears of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import stat
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio

from tests.daemon import DEADLINE, Daemon, eventually, hook, route, workspace
from tests.receiver import SECRET, Gate, hang, status

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")


def config_of(receiver: Receiver, *names: str, **more: Any) -> dict[str, Any]:
    """Configure a hook, with the types `<name>.*`, for each name."""
    hooks = [hook(name, receiver.url(f"/{name}"), secret=SECRET, queue={"concurrency": 2}) for name in names]
    routes = [route(name, f"{name}.*", name) for name in names]
    retry = {"initial_seconds": 0.05, "max_seconds": 0.1, "jitter": "none", "max_attempts": 50}
    config = {
        "delivery": {"retry": retry, "breaker": {"failures": 1000}},
        "workspaces": [workspace(hooks, routes)],
    }
    return {**config, **more}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def survivor(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> AsyncIterator[Daemon]:
    """A daemon that the tests of this module kill and start again."""
    config = config_of(receiver, "kept", "waits", "rests", "left")
    cool = route("cool", "cool.*", "kept", cooldown_seconds=600)
    config["workspaces"][0]["channels"].append(cool["channel"])
    config["workspaces"][0]["subscriptions"].append(cool["subscription"])
    async with Daemon(tmp_path_factory.mktemp("survivor"), config) as made:
        yield made


async def test_first_start_makes_a_token(survivor: Daemon) -> None:
    """With no token anywhere an admin token is made, printed once, and kept for its owner's eyes beside the database."""
    file = survivor.state / "admin.token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert survivor.lines.count(survivor.token) == 1
    before = survivor.token
    await survivor.restart()
    assert survivor.token == before
    assert before not in survivor.lines
    assert (await survivor.get("events"))["items"] == []


async def test_it_says_which_loop_it_runs_on(survivor: Daemon) -> None:
    """The daemon runs on uvloop, and the log line that it is ready says so."""
    assert [line["loop"] for line in survivor.log("daemon.ready")] == ["uvloop"]


async def test_what_it_keeps_is_its_owners_alone(tmp_path: Path, receiver: Receiver) -> None:
    """Whatever the umask: database, log, shared memory, lock, key, token and last words are made with mode 0600."""
    before = os.umask(0)
    try:
        async with Daemon(tmp_path, config_of(receiver, "mine")) as daemon:
            await daemon.send("mine.x")
            await daemon.restart()
            made = {file.name: stat.S_IMODE(file.stat().st_mode) for file in daemon.state.iterdir()}
    finally:
        os.umask(before)
    assert set(made) >= {"alertd.db", "alertd.db-wal", "alertd.db-shm", "alertd.db.lock", "secrets.key", "admin.token"}
    assert {name: mode for name, mode in made.items() if mode != 0o600} == {}


async def test_first_screen_says_what_to_type(survivor: Daemon) -> None:
    """The first screen has an `alertd send` alone on its line, and a curl that works as it stands."""
    assert sum("send run:failed" in line for line in survivor.lines) == 1
    [curl] = [line for line in survivor.lines if line.startswith("curl ")]
    shell = await asyncio.create_subprocess_shell(curl, stdout=asyncio.subprocess.PIPE, cwd=survivor.folder)
    said, _ = await shell.communicate()
    assert b'"accepted":1' in said


async def test_restart_forgets_nothing(survivor: Daemon, receiver: Receiver) -> None:
    """Ids, cooldowns, a disabled destination, a rest and what waits survive a power cut."""
    receiver.script("/waits", Gate(status(410)))
    receiver.script("/rests", status(503, Retry_After="2"))
    receiver.script("/left", hang, hang)
    await survivor.send({"type": "kept.x", "id": "once"}, {"type": "cool.x", "id": "cool-1"})
    await receiver.expect("/kept", 2)
    [resting] = await survivor.send("rests.x")
    [request] = await receiver.expect("/rests")
    await survivor.wait_state(resting, "retrying")
    hung = await survivor.send("left.x", "left.y", "left.z")
    await receiver.expect("/left", 2)
    await survivor.post("destinations/waits/disable")

    await survivor.restart()
    assert (await survivor.offer({"type": "kept.x", "id": "once"})).json["duplicates"] == 1
    [cooled] = await survivor.send("cool.x")
    assert (await survivor.get(f"events/{cooled}"))["verdicts"][0]["verdict"] == "cooldown"
    assert (await survivor.get("destinations/waits"))["state"] == "disabled"
    again = (await receiver.expect("/rests", 2))[1]
    assert again.delivery_id == request.delivery_id
    assert again.at - request.at >= 1.9
    await receiver.until(lambda: len(set(receiver.events("/left"))) == 3, "what was in flight at the cut")
    for made in hung:
        assert len((await survivor.wait_state(made, "delivered"))["attempts"]) == 1
    sent = receiver.got("/left")
    assert len({r.delivery_id for r in sent}) == 3
    await survivor.send({"type": "kept.z", "id": "last"})
    await receiver.until(lambda: "last" in receiver.events("/kept"), "the last event")
    assert receiver.events("/kept").count("once") == 1


async def test_second_daemon_on_the_store(survivor: Daemon, tmp_path: Path) -> None:
    """A second daemon on the same file is refused with a message that names the owner."""
    assert survivor.process is not None
    second = Daemon(tmp_path, {"store": {"url": f"sqlite:///{survivor.database}"}})
    second.launch()
    assert await second.wait_exit() == 1
    assert f"process {survivor.process.pid}: another alertd uses this store" in second.lines[-1]
    assert (await survivor.call("GET", "/-/healthy")).status == 200


@pytest.mark.parametrize("occupied", ["port", "config"])
async def test_a_start_that_cannot_be(survivor: Daemon, tmp_path: Path, occupied: str) -> None:
    """A taken port or a broken file ends the start with exit code 1 and a sentence, not a traceback."""
    listen = survivor.base_url.removeprefix("http://")
    config = {"server": {"listen": listen}} if occupied == "port" else {"servre": {}}
    other = Daemon(tmp_path, config)
    other.launch()
    assert await other.wait_exit() == 1
    assert not any("Traceback" in line for line in other.lines)
    assert ("in use" if occupied == "port" else "server") in other.tail()


# -- stopping ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_soft_stop_drains(tmp_path: Path, receiver: Receiver, number: signal.Signals) -> None:
    """A stop lets attempts in flight end and ends live streams; what was not begun is sent after the restart, once."""
    gate = Gate()
    name = f"drain{number}"
    receiver.script(f"/{name}", gate, gate)
    async with Daemon(tmp_path, config_of(receiver, name)) as daemon:
        stream = asyncio.ensure_future(_read_all(daemon))
        ids = await daemon.send(*[{"type": f"{name}.x", "id": f"{name}-{n}"} for n in range(5)])
        await receiver.expect(f"/{name}", 2)
        daemon.signal(number)
        await daemon.wait_log("daemon.stopping")
        gate.open()
        began = time.monotonic()
        assert await daemon.wait_exit() == 0
        assert time.monotonic() - began < 10
        assert daemon.log()[-1]["event"] == "daemon.stopped"
        await stream

        await daemon.start()
        await receiver.until(lambda: set(receiver.events(f"/{name}")) == set(ids), "the rest")
        assert len(receiver.got(f"/{name}")) == 5
        for made in ids:
            assert len((await daemon.wait_state(made, "delivered"))["attempts"]) == 1


async def _read_all(daemon: Daemon) -> None:
    async with daemon.tail_stream() as entries:
        async for _ in entries:
            pass


async def test_a_cut_attempt_does_not_count(tmp_path: Path, receiver: Receiver) -> None:
    """What is still in flight after drain_seconds is cut, costs no attempt, and is sent again after the restart."""
    receiver.script("/cut", hang)
    async with Daemon(tmp_path, config_of(receiver, "cut", shutdown={"drain_seconds": 0.3})) as daemon:
        [made] = await daemon.send("cut.x")
        [request] = await receiver.expect("/cut")
        began = time.monotonic()
        assert await daemon.stop() == 0
        assert 0.25 < time.monotonic() - began < 10
        await daemon.start()
        again = (await receiver.expect("/cut", 2))[1]
        assert again.delivery_id == request.delivery_id
        delivery = await daemon.wait_state(made, "delivered")
        assert [a["number"] for a in delivery["attempts"]] == [1]


async def test_second_signal_cuts(tmp_path: Path, receiver: Receiver) -> None:
    """Asked a second time the daemon ends at once, without waiting for the drain."""
    receiver.script("/hard", hang)
    async with Daemon(tmp_path, config_of(receiver, "hard", shutdown={"drain_seconds": 60})) as daemon:
        await daemon.send("hard.x")
        await receiver.expect("/hard")
        daemon.signal(signal.SIGTERM)
        await daemon.wait_log("daemon.stopping")
        daemon.signal(signal.SIGTERM)
        await daemon.wait_exit(seconds=30)


async def test_requests_in_the_air_are_answered(tmp_path: Path, receiver: Receiver) -> None:
    """Events that are being sent while the daemon stops are stored and answered, or refused; never half of it."""
    config = {"workspaces": [workspace([], [])]}
    async with Daemon(tmp_path, config) as daemon:
        acknowledged: list[str] = []

        async def pour(lane: int) -> None:
            for number in range(10_000):
                name = f"{lane}-{number}"
                reply = await daemon.offer({"type": "air", "id": name})
                if reply.status != 202:
                    assert reply.status in (429, 503)
                    return
                acknowledged.append(name)

        pouring = [asyncio.ensure_future(pour(lane)) for lane in range(8)]
        await eventually(lambda: asyncio.sleep(0, len(acknowledged) > 50), "a flow of events")
        assert await daemon.stop() == 0
        for ended in await asyncio.gather(*pouring, return_exceptions=True):
            assert ended is None or isinstance(ended, aiohttp.ClientError | OSError), ended
        with contextlib.closing(sqlite3.connect(daemon.database)) as conn:
            stored = {
                row[0]
                for row in conn.execute("SELECT json_extract(CAST(payload AS TEXT), '$.id') FROM event WHERE made = 0")
            }
        assert set(acknowledged) <= stored


# -- death ------------------------------------------------------------------------------------------------------------


async def test_death_of_an_essential_service(tmp_path: Path, receiver: Receiver) -> None:
    """When the pipeline dies, who waits for it is told, and the daemon ends with an exit code and a line that says why."""
    async with Daemon(tmp_path, config_of(receiver, "dying")) as daemon:
        with contextlib.closing(sqlite3.connect(daemon.database)) as conn:
            conn.execute("DROP TABLE key_log")
        began = time.monotonic()
        reply = await daemon.offer({"type": "dying.x", "id": "dying"})
        assert (reply.status, "retry-after" in reply.headers) == (503, True)
        assert await daemon.wait_exit() == 1
        assert time.monotonic() - began < 15
        last = daemon.log()[-1]
        assert (last["event"], last["level"], last["service"]) == ("daemon.failed", "critical", "pipeline")
        assert "no such table" in last["error"]
        assert "pipeline died" in daemon.lines[-1]


# -- the service manager ----------------------------------------------------------------------------------------------


async def test_systemd_hears(tmp_path: Path, manager: socket.socket) -> None:
    """READY, RELOADING with its time and READY again, WATCHDOG while alive, STOPPING: each really arrives, in order."""
    heard: list[str] = []

    async def hear(word: str) -> str:
        async with asyncio.timeout(DEADLINE):
            while True:
                said = (await asyncio.get_running_loop().sock_recv(manager, 4096)).decode()
                if word in said:
                    return said
                heard.append(said)

    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
    async with Daemon(tmp_path / "daemon", {}, **environ) as daemon:
        assert "STATUS=listening on http://127.0.0.1:" in await hear("READY=1")
        assert await hear("WATCHDOG=1")
        daemon.signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in await hear("RELOADING=1")
        assert await hear("READY=1")
        daemon.configure("broken: [")
        daemon.signal(signal.SIGHUP)
        assert await hear("RELOADING=1")
        assert await hear("READY=1")
        assert await hear("WATCHDOG=1")
        daemon.signal(signal.SIGTERM)
        assert "STATUS=stopping: SIGTERM" in await hear("STOPPING=1")
        assert await daemon.wait_exit() == 0
    assert {line for said in heard for line in said.split("\n")} <= {"WATCHDOG=1"}
