"""What a start does first: the address is taken, what waits goes out, and only then people and events are let in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from alertd.app import daemon as composition
from alertd.app.daemon import Daemon as Inside
from alertd.app.daemon import Launch
from alertd.config.load import load_config
from alertd.errors import StoreUnavailableError
from alertd.runtime import StopRequest
from tests.daemon import DEADLINE, Daemon, hook, route, workspace
from tests.receiver import SECRET, Gate, Receiver, hang, status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from alertd.api.bootstrap import Access
    from alertd.app.daemon import Foresight
    from alertd.app.edge import Edge


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on loopback."""
    async with Receiver() as made:
        yield made


async def left_waiting(
    folder: Path, receiver: Receiver, heard: str = "alertd.destination_disabled", **more: Any
) -> tuple[Daemon, str]:
    """Kill a daemon while its only delivery is in the air; return it and the delivery's id."""
    hooks = [hook(name, receiver.url(f"/{name}"), secret=SECRET) for name in ("h", "ops")]
    routes = [route("all", "t", "h"), route("own", heard, "ops")]
    config = {"workspaces": [workspace(hooks, routes)], **more}
    killed = Daemon(folder, config)
    receiver.script("/h", hang)
    async with killed:
        await killed.send({"type": "t"})
        [request] = await receiver.expect("/h", 1)
        await killed.kill()
    return killed, request.delivery_id


@asynccontextmanager
async def built(
    killed: Daemon,
    monkeypatch: pytest.MonkeyPatch,
    stop: StopRequest | None = None,
    on_ready: Callable[[str, Access, Foresight], None] = lambda url, access, prints: None,
) -> AsyncIterator[Inside]:
    """Build it again in this process, whose collector stays as it is, and close it within a deadline."""
    with monkeypatch.context() as patched:
        patched.setattr(composition, "calm_collector", lambda: None)
        patched.chdir(killed.folder)
        config = load_config(killed.config_file, {})
        async with asyncio.timeout(DEADLINE), AsyncExitStack() as stack:
            launch = Launch(killed.config_file, {}, on_ready)
            yield await Inside.build(launch, config, stop or StopRequest(), stack)


async def test_what_waits_goes_out_before_anybody_is_let_in(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who connects meanwhile waits and is answered; readiness is told once it is true."""
    killed, waited = await left_waiting(tmp_path, receiver)
    delivered, ready, stop = threading.Event(), asyncio.Event(), StopRequest()
    load_rest = composition._load_rest

    def load_late(*, with_kafka: bool) -> type[Edge]:
        assert delivered.wait(DEADLINE)
        return load_rest(with_kafka=with_kafka)

    monkeypatch.setattr(composition, "_load_rest", load_late)
    async with built(killed, monkeypatch, stop, lambda url, access, prints: ready.set()) as inside:
        running = asyncio.create_task(inside.run(asyncio.Event()))
        reader, writer = await asyncio.open_connection("127.0.0.1", inside.listener.port)
        writer.write(b"GET /-/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        [_, again] = await receiver.expect("/h", 2)
        assert again.delivery_id == waited
        assert not ready.is_set()
        delivered.set()
        assert b" 200 " in await reader.readline()
        writer.close()
        await ready.wait()
        stop.ask("test")
        await running


async def test_a_start_that_fails_late_finishes_what_it_began(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error comes out, after the attempt in the air was recorded."""
    killed, _ = await left_waiting(tmp_path, receiver)
    came = threading.Event()

    def fail(*, with_kafka: bool) -> type[Edge]:
        assert came.wait(DEADLINE)
        raise OSError("no such luck")

    monkeypatch.setattr(composition, "_load_rest", fail)
    async with built(killed, monkeypatch) as inside:
        running = asyncio.create_task(inside.run(asyncio.Event()))
        await receiver.expect("/h", 2)
        came.set()
        with pytest.raises(OSError, match="no such luck"):
            await running
        outcomes = await inside.store.core.reads.rows("SELECT state FROM delivery")
    assert outcomes == [(2,)]


async def test_nobody_is_let_in_by_a_start_that_fails_last(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waited at the door is turned away at once, though an attempt in the air is waited for; no heartbeat says that all is well."""
    killed, _ = await left_waiting(tmp_path, receiver, heartbeat={"url": receiver.url("/beat")})
    beats, gate = len(receiver.got("/beat")), Gate()
    receiver.script("/h", gate)
    failed = asyncio.Event()

    async def fail(*_: object) -> None:
        failed.set()
        raise StoreUnavailableError("the disk is full")

    monkeypatch.setattr(composition, "make_known", fail)
    async with built(killed, monkeypatch) as inside:
        reader, writer = await asyncio.open_connection("127.0.0.1", inside.listener.port)
        writer.write(b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        running = asyncio.create_task(inside.run(asyncio.Event()))
        await receiver.expect("/h", 2)
        await failed.wait()
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", inside.listener.port)
        assert not running.done()
        gate.open()
        with pytest.raises(StoreUnavailableError):
            await running
    assert len(receiver.got("/beat")) == beats


async def test_what_happens_before_people_are_let_in_is_told(tmp_path: Path, receiver: Receiver) -> None:
    """A receiver that answers what waited with 410 is switched off, and that is said as at any other time."""
    killed, _ = await left_waiting(tmp_path, receiver)
    receiver.script("/h", status(410))
    async with killed:
        found = await receiver.expect("/ops", 1)
        while not (told := [each for each in found if each.event["type"] == "alertd.destination_disabled"]):
            found = await receiver.expect("/ops", len(found) + 1)
    assert told[0].event["data"]["destination"] == "h"


@pytest.mark.parametrize("known", [False, True])
async def test_a_start_that_is_stopped_half_way_hides_no_crash(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    """The next one tells of it, whether the store knew of the half one or not."""
    killed, _ = await left_waiting(tmp_path, receiver, heard="alertd.crashed")
    stop, make_known = StopRequest(), composition.make_known

    async def stopped(*given: Any) -> None:
        if known:
            await make_known(*given)
        stop.ask("test")
        await asyncio.sleep(0)

    with monkeypatch.context() as patched:
        patched.setattr(composition, "make_known", stopped)
        async with built(killed, monkeypatch, stop) as inside:
            with inside.words:
                await inside.run(asyncio.Event())
    assert receiver.got("/ops") == []
    async with killed:
        [told] = await receiver.expect("/ops", 1)
        assert told.event["type"] == "alertd.crashed"
        await killed.stop()
        await killed.start()
        await killed.send({"type": "t"})
        await killed.stop()
    assert len(receiver.got("/ops")) == 1


async def test_nothing_is_sent_by_a_daemon_whose_address_is_taken(tmp_path: Path, receiver: Receiver) -> None:
    """It ends before it delivers: somebody else may be at work there."""
    killed, _ = await left_waiting(tmp_path, receiver)
    with socket.create_server(("127.0.0.1", 0)) as other:
        environ = {**os.environ, "ALERTD_SERVER__LISTEN": f"127.0.0.1:{other.getsockname()[1]}"}
        killed.environ = environ
        killed.launch()
        assert await killed.wait_exit() == 1
    assert "address already in use" in killed.tail()
    assert len(receiver.got("/h")) == 1
