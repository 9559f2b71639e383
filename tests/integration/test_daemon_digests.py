"""Digests under the whole daemon: a destination that falls behind, and a daemon that is killed while it does."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.daemon import Daemon, eventually, hook, route, workspace
from tests.receiver import Gate, Receiver, hang, reset, status

if TYPE_CHECKING:
    from pathlib import Path

    from tests.receiver import Answer, Request

PUBLIC = "https://alerts.example.com"
SPILL_MAX = 20
CONCURRENCY = 2
ROUNDS = 6
BODY_EVENTS = 60
LOAD_SECONDS_MAX = 180


def config(receiver: Receiver) -> dict[str, Any]:
    """One destination with a bound."""
    return {
        "server": {"listen": "127.0.0.1:0", "public_url": PUBLIC},
        "delivery": {
            "timeout_seconds": 0.4,
            "queue": {"capacity": 50, "concurrency": CONCURRENCY, "spill_max": SPILL_MAX},
            "retry": {"initial_seconds": 0.05, "max_seconds": 0.2, "max_attempts": 100_000},
            "breaker": {"failures": 5, "cool_seconds": 0.2},
        },
        "workspaces": [workspace([hook("narrow", receiver.url("/narrow"))], [route("narrow", "load.*", "narrow")])],
    }


def body(count: int) -> list[dict[str, Any]]:
    """Make events for one request."""
    return [{"type": "load.x", "message": f"number {n}"} for n in range(count)]


async def drained(daemon: Daemon) -> None:
    """Wait until nothing waits any more: in one look, as what is in flight may wait again in the next."""

    def look() -> bool:
        with closing(sqlite3.connect(daemon.database)) as conn:
            return not conn.execute("SELECT EXISTS(SELECT 1 FROM delivery WHERE state < 2)").fetchone()[0]

    await eventually(look, "everything to be delivered", 180)


async def test_a_destination_that_falls_behind_gets_a_digest(tmp_path: Path) -> None:
    """What waits is bounded; the digest says how many came together, and where to find and replay every one of them."""
    async with Receiver() as receiver:
        gate = Gate()
        receiver.script("/narrow", then=gate)
        settings = config(receiver)
        settings["delivery"]["timeout_seconds"] = 30
        async with Daemon(tmp_path, settings) as daemon:
            await daemon.send(*body(100))
            [entry] = await daemon.wait_log("deliveries.digested")
            assert (entry["deliveries"], entry["destination"]) == (100 - SPILL_MAX - CONCURRENCY, "narrow")
            gate.open()
            count = SPILL_MAX + CONCURRENCY + 1
            requests = await receiver.expect("/narrow", count)
            await drained(daemon)
            said = json.loads(requests[count - 1].body)
            digest = said["data"]["digest"]
            assert (said["type"], digest["count"], len(digest["alerts"])) == ("alertd.digest", entry["deliveries"], 20)
            assert requests[count - 1].delivery_id == entry["digest"]
            page = await daemon.get(said["data"]["url"].removeprefix(PUBLIC) + "&limit=200")
            assert len(page["items"]) == entry["deliveries"]
            assert {(item["state"], item["reason"]) for item in page["items"]} == {("cancelled", "digested")}
            assert (await daemon.post(f"deliveries/{page['items'][0]['id']}/replay")).status == 201
            again = (await receiver.expect("/narrow", count + 1))[-1]
            assert again.event["id"] == page["items"][0]["event_id"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
async def test_kills_lose_nothing_and_tell_nothing_twice(tmp_path: Path, seed: int) -> None:
    """Killed again and again while digests are made: every accepted alert went out by itself or in one digest.

    What was sent under one id always said the same.
    """
    chance = random.Random(seed)  # noqa: S311 - a test
    async with Receiver() as receiver, Daemon(tmp_path, config(receiver)) as daemon:
        receiver.script("/narrow", then=_moody(chance))
        accepted: set[str] = set()
        for number in range(ROUNDS):
            await _load(daemon, receiver, chance, accepted, digested=number % 2 == 1)
            await daemon.kill()
            await daemon.start()
        receiver.script("/narrow")
        await drained(daemon)
        await daemon.stop()
        _check(daemon.database, accepted, receiver.got("/narrow"))


def _moody(chance: random.Random) -> Answer:
    """Answer well now and then, badly otherwise."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        mood = chance.random()
        await (status(204) if mood < 0.4 else status(503) if mood < 0.7 else reset if mood < 0.8 else hang)(
            request, writer
        )

    return answer


async def _load(
    daemon: Daemon, receiver: Receiver, chance: random.Random, accepted: set[str], *, digested: bool
) -> None:
    """Send until a random moment, and with `digested` at least until this process has made a digest.

    The destination sets the pace: with every body it is tried once more.
    """
    time = asyncio.get_running_loop().time
    before, begun, seconds = _digests(daemon.database), time(), chance.uniform(0.3, 2.6)
    while time() < begun + seconds or (digested and _digests(daemon.database) == before):
        assert time() < begun + LOAD_SECONDS_MAX, "no digest was made"
        tried = len(receiver.got("/narrow"))
        accepted.update(await daemon.send(*body(chance.randrange(1, BODY_EVENTS))))
        await receiver.expect("/narrow", tried + 1)


def _digests(database: Path) -> int:
    """Count the digests that were ever made."""
    with closing(sqlite3.connect(database)) as conn:
        return int(conn.execute("SELECT count(*) FROM digest").fetchone()[0])


def _check(database: Path, accepted: set[str], requests: list[Request]) -> None:
    """Hold what the store knows against what was accepted and received."""
    with closing(sqlite3.connect(database)) as conn:
        rows = conn.execute(
            "SELECT d.id, d.state, d.detail, n.digest_id, g.alerts, json_extract(CAST(e.payload AS TEXT), '$.id')"
            " FROM delivery d JOIN event e ON e.id = d.event_id LEFT JOIN digested n ON n.delivery_id = d.id"
            " LEFT JOIN digest g ON g.id = d.id WHERE e.type = 'load.x'"
        ).fetchall()
        assert conn.execute("SELECT count(*) FROM digested").fetchone()[0] == sum(row[4] or 0 for row in rows)
    alone = {row[0] for row in rows if row[1] == 2 and row[4] is None}
    together = Counter(row[3] for row in rows if (row[1], row[2]) == (4, "digested"))
    digests = {row[0]: row[4] for row in rows if row[4] is not None}
    assert together == digests
    assert len(digests) >= ROUNDS // 2
    assert len(alone) + together.total() + len(digests) == len(rows)
    assert accepted <= {row[5] for row in rows}
    assert all(row[1] == 2 for row in rows if row[4] is not None)
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for request in requests:
        bodies[request.delivery_id].add(request.body)
    assert all(len(said) == 1 for said in bodies.values())
    assert {int(each.removeprefix("dlv_"), 16) for each in bodies} == alone | digests.keys()
    counted = {
        int(each.removeprefix("dlv_"), 16): json.loads(said.pop())["data"]["digest"]["count"]
        for each, said in bodies.items()
        if int(each.removeprefix("dlv_"), 16) in digests
    }
    assert counted == digests
