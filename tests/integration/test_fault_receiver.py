"""Faults of receivers under the whole daemon: each costs its own lane a bounded time, and the others nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.daemon import Daemon, hook, route, workspace
from tests.receiver import Receiver, hang, huge, raw, reset, status, trickle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.receiver import Answer

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMEOUT = 0.4
"""The destinations' timeout_seconds."""
FAULTS: dict[str, Answer] = {
    "hang": hang,
    "reset": reset,
    "trickle-head": raw(b"HTTP/1.1 200 OK\r\nContent-"),
    "garbage": raw(b"\x16\x03\x01\x02\x00 this is no HTTP\r\n\r\n"),
    "nothing": raw(b""),
    "bad-status": raw(b"HTTP/1.1 999999 What\r\n\r\n"),
    "huge-header": raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"),
    "many-headers": raw(b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 20_000 + b"\r\n"),
}
BAD_CHUNKS = raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nnope\r\n")
DELIVERED: dict[str, Answer] = {
    "trickle": trickle,
    "huge": huge(),
    "short-body": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
}
"""Receivers that said 200 before they misbehaved: the delivery is theirs."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on loopback; each fault has a hook of its own."""
    async with Receiver() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> AsyncIterator[Daemon]:
    """One daemon with a hook, and the types `<fault>.*`, for each fault, and a healthy one."""
    names = [*FAULTS, *DELIVERED, "bad-chunks", "healthy", "bulk", "burst"]
    config = {
        "delivery": {
            "timeout_seconds": TIMEOUT,
            "queue": {"concurrency": 4},
            "retry": {"initial_seconds": 0.02, "max_seconds": 0.05, "max_attempts": 3},
            "breaker": {"failures": 1000},
        },
        "workspaces": [
            workspace(
                [hook(name, receiver.url(f"/{name}")) for name in names],
                [route(name, f"{name}.*", name) for name in names],
            )
        ],
    }
    async with Daemon(tmp_path_factory.mktemp("receivers"), config) as made:
        yield made


@pytest.mark.parametrize("fault", FAULTS)
async def test_fault_is_retried(daemon: Daemon, receiver: Receiver, fault: str) -> None:
    """A receiver that does not answer properly is tried again, in bounded time, and delivered when it recovers."""
    receiver.script(f"/{fault}", FAULTS[fault])
    began = time.monotonic()
    [made] = await daemon.send(f"{fault}.x")
    delivery = await daemon.wait_state(made, "delivered")
    assert time.monotonic() - began < TIMEOUT + 10
    first, second = delivery["attempts"]
    assert (first["outcome"] in {"retry_later", "ambiguous"}, first["error"] is not None) == (True, True), first
    assert second["outcome"] == "delivered"
    assert len({request.delivery_id for request in receiver.got(f"/{fault}")}) == 1


async def test_garbage_behind_a_status(daemon: Daemon, receiver: Receiver) -> None:
    """A 200 whose body is no body either stands, where it came alone, or is asked for again; it ends delivered."""
    receiver.script("/bad-chunks", BAD_CHUNKS)
    [made] = await daemon.send("bad-chunks.x")
    attempts = (await daemon.wait_state(made, "delivered"))["attempts"]
    assert [attempt["outcome"] for attempt in attempts][-1] == "delivered"
    assert len(attempts) in (1, 2)
    assert len({request.delivery_id for request in receiver.got("/bad-chunks")}) == 1


@pytest.mark.parametrize("fault", DELIVERED)
async def test_fault_after_the_status(daemon: Daemon, receiver: Receiver, fault: str) -> None:
    """A receiver that says 200 and then never ends its answer, or sends 10 MB, gets it once and costs bounded time."""
    receiver.script(f"/{fault}", then=DELIVERED[fault])
    before = daemon.memory_bytes
    began = time.monotonic()
    ids = [*await daemon.send(f"{fault}.x"), *await daemon.send(f"{fault}.y")]
    for made in ids:
        [attempt] = (await daemon.wait_state(made, "delivered"))["attempts"]
        assert attempt["status"] == 200
        assert len(attempt["answer"]) <= 1024
    assert time.monotonic() - began < 2 * TIMEOUT + 10
    assert daemon.memory_bytes - before < 20_000_000


async def test_a_dead_receiver_costs_others_nothing(daemon: Daemon, receiver: Receiver) -> None:
    """While a receiver hangs with a long queue behind it, another one is delivered to as ever."""
    receiver.script("/bulk", then=hang)
    await daemon.send(*[f"bulk.{n}" for n in range(200)])
    await receiver.expect("/bulk", 4)
    began = time.monotonic()
    before = len(receiver.got("/healthy"))
    for _ in range(10):
        await daemon.send("healthy.x")
    await receiver.expect("/healthy", before + 10)
    assert time.monotonic() - began < 10
    shown = await daemon.get("destinations/bulk")
    assert shown["in_flight"] == 4
    assert shown["queue_depth"] >= 190
    receiver.script("/bulk")


async def test_refused_connections(daemon: Daemon) -> None:
    """Where nobody listens the delivery is tried max_attempts times and then dead, with the reason."""
    config = {
        "delivery": {"retry": {"initial_seconds": 0.02, "max_attempts": 3}},
        "workspaces": [workspace([hook("nobody", "http://127.0.0.1:9/x")], [route("nobody", "*", "nobody")])],
    }
    async with Daemon(daemon.folder.parent / "refused", config) as other:
        [made] = await other.send("nobody.x")
        delivery = await other.wait_state(made, "dead")
        assert len(delivery["attempts"]) == 3
        assert "refused" in delivery["error"].lower()
        shown = await other.get("destinations/nobody")
        assert shown["last_error"] == delivery["error"]
        assert shown["last_failure_at"] is not None


async def test_failures_do_not_flood_the_log(daemon: Daemon, receiver: Receiver) -> None:
    """Hundreds of equal failures are told in a few lines, with how many were left out."""
    before = len(daemon.lines)
    receiver.script("/burst", then=status(500))
    ids = await daemon.send(*[f"burst.{n}" for n in range(100)])
    await receiver.expect("/burst", 300)
    await daemon.wait_state(ids[-1], "dead")
    said = [line for line in daemon.lines[before:] if '"burst"' in line]
    assert 0 < len(said) < 60
    assert any("left_out" in line for line in said)
