"""Names that lead elsewhere: a real name server changes its answers, and nothing reaches an address that was not checked.

127.0.0.1 stands for a public address here: it is the one that the policy permits. Whatever else the name server names is
forbidden; at 127.0.0.2, on the same port, a server waits for whoever comes all the same.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

import pytest

from alertd.destinations import egress, resolver
from alertd.destinations.base import HttpRequest, SendError
from alertd.destinations.egress import AiohttpSender
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.guarded_connection import GuardedConnector
from alertd.destinations.http1.sender import FastSender
from tests import daemon as daemons
from tests.conformance.sender_peer import Server, soon
from tests.daemon import Daemon, hook
from tests.machine import lacks
from tests.name_server import name_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from alertd.destinations.base import Sender
    from tests.conformance.sender_peer import Peer
    from tests.name_server import NameServer

    Word = Literal["good", "refused", "unresolved"]

GOOD, BAD = "127.0.0.1", "127.0.0.2"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
PATIENCE = 60.0
FLIPS = 30

Case = tuple[dict[str, list[list[str]]], list["Word"]]
"""What the name server says of `x.example` (and of names behind it), and what becomes of one request after the other."""
CASES: dict[str, Case] = {
    "public, then private": ({"x.example": [[f"A {GOOD}"], [f"A {BAD}"]]}, ["good", "refused", "refused"]),
    "private, then public": ({"x.example": [[f"A {BAD}"], [f"A {GOOD}"]]}, ["refused", "good"]),
    "to and fro": ({"x.example": [[f"A {GOOD}"], [f"A {BAD}"]] * FLIPS}, ["good", "refused"] * FLIPS),
    "both at once": ({"x.example": [[f"A {BAD}", f"A {GOOD}"]]}, ["good", "good"]),
    "both at once, then one": (
        {"x.example": [[f"A {GOOD}", f"A {BAD}"], [f"A {BAD}", f"A {BAD}"]]},
        ["good", "refused"],
    ),
    "IPv4 public, IPv6 private": ({"x.example": [["AAAA ::1", f"A {GOOD}"]]}, ["good", "good"]),
    "IPv6 private from the second on": ({"x.example": [[f"A {GOOD}"], ["AAAA ::1"]]}, ["good", "refused"]),
    "mapped": ({"x.example": [[f"AAAA ::ffff:{BAD}"]]}, ["refused"]),
    "translated": ({"x.example": [["AAAA 64:ff9b::7f00:2"]]}, ["refused"]),
    "tunnelled": ({"x.example": [["AAAA 2002:7f00:2::1"]]}, ["refused"]),
    "unspecified": ({"x.example": [["A 0.0.0.0", "AAAA ::"]]}, ["refused"]),
    "metadata": ({"x.example": [[f"A {GOOD}"], ["A 169.254.169.254"]]}, ["good", "refused"]),
    "many private ones": ({"x.example": [[f"A 10.0.0.{n}" for n in range(1, 12)]]}, ["refused"]),
    "a chain to what is public": (
        {"x.example": [["CNAME a.example"]], "a.example": [["CNAME b.example"]], "b.example": [[f"A {GOOD}"]]},
        ["good", "good"],
    ),
    "a chain to what is private": (
        {"x.example": [["CNAME a.example"]], "a.example": [["CNAME b.example"]], "b.example": [[f"A {BAD}"]]},
        ["refused"],
    ),
    "a chain whose end changes": (
        {"x.example": [["CNAME a.example"]], "a.example": [["CNAME b.example"]], "b.example": [[f"A {GOOD}"], [f"A {BAD}"]]},
        ["good", "refused"],
    ),
    "a chain whose middle changes": (
        {"x.example": [["CNAME a.example"], ["CNAME b.example"]], "a.example": [[f"A {GOOD}"]], "b.example": [[f"A {BAD}"]]},
        ["good", "refused"],
    ),
    "a chain to localhost": ({"x.example": [["CNAME localhost"]], "localhost": [[f"A {BAD}", "AAAA ::1"]]}, ["refused"]),
    "a chain without end": ({"x.example": [["CNAME a.example"]], "a.example": [["CNAME x.example"]]}, ["unresolved"]),
    "a chain to nowhere": ({"x.example": [["CNAME a.example"]]}, ["unresolved"]),
    "no such name": ({}, ["unresolved"]),
}  # fmt: skip

SENDERS: dict[str, Callable[[EgressPolicy, NameServer], Sender]] = {
    "fast": lambda policy, names: FastSender(policy, lookup=names.lookup),
    "aiohttp": lambda policy, names: AiohttpSender(policy, lookup=names.lookup),
}


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody remember an answer, so that every connection asks anew."""
    monkeypatch.setattr(resolver, "DNS_CACHE_SECONDS", -1)
    monkeypatch.setattr(egress, "DNS_CACHE_SECONDS", 0)


@asynccontextmanager
async def good_and_bad() -> AsyncIterator[tuple[Server, Server]]:
    """Serve one port at both addresses; whoever is answered is told to come on a new connection."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.say(LAST)

    good, bad = Server(handler), Server(handler)
    first = await asyncio.start_server(good.connected, GOOD, 0)
    good.port = bad.port = first.sockets[0].getsockname()[1]
    second = await asyncio.start_server(bad.connected, BAD, bad.port)
    try:
        yield good, bad
    finally:
        first.close()
        second.close()
        await good.stop()
        await bad.stop()


async def word_of(sender: Sender, port: int) -> str:
    """Send once and say what became of it."""
    try:
        answer = await soon(sender.send(HttpRequest(f"http://x.example:{port}/", b"{}"), PATIENCE))
    except SendError as error:
        return "refused" if error.refused else "unresolved" if not error.ambiguous else str(error)
    assert answer.status == 200
    return "good"


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("kind", SENDERS)
@pytest.mark.parametrize("case", CASES)
async def test_requests(kind: str, case: str) -> None:
    """Each request goes to a checked address or is refused, however the name answers; nothing comes to the forbidden one."""
    script, expected = CASES[case]
    async with good_and_bad() as (good, bad), name_server(script) as names:
        sender = SENDERS[kind](EgressPolicy([f"{GOOD}/32"]), names)
        try:
            assert [await word_of(sender, good.port) for _ in expected] == expected
        finally:
            await soon(sender.close())
        assert (len(good.requests), bad.connections) == (expected.count("good"), 0)


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("case", CASES)
async def test_connections_of_other_protocols(case: str) -> None:
    """The same for those that speak no HTTP: mail servers and brokers."""
    script, expected = CASES[case]
    async with good_and_bad() as (good, bad), name_server(script) as names:
        connector, found = GuardedConnector(EgressPolicy([f"{GOOD}/32"]), names.lookup), []
        for _ in expected:
            try:
                sock = await soon(connector.connect("x.example", good.port))
            except SendError as error:
                found.append("refused" if error.refused else "unresolved")
            else:
                found.append("good")
                assert sock.getpeername() == (GOOD, good.port)
                sock.close()
        connector.close()
        assert found == expected
        assert bad.connections == 0


@pytest.mark.parametrize("kind", SENDERS)
async def test_one_answer_is_kept(kind: str) -> None:
    """An answer is believed for a while, though it says that it holds for no time: a name that flips is asked once."""
    async with good_and_bad() as (good, bad), name_server({"x.example": [[f"A {GOOD}"], [f"A {BAD}"]]}, ttl=0) as names:
        sender = SENDERS[kind](EgressPolicy([f"{GOOD}/32"]), names)
        assert [await word_of(sender, good.port) for _ in range(FLIPS)] == ["good"] * FLIPS
        await soon(sender.close())
        assert (len(good.requests), bad.connections) == (FLIPS, 0)
        assert names.asked.count(("x.example", "A")) == 1


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("kind", SENDERS)
async def test_dead_address_gives_no_way_to_a_forbidden_one(kind: str) -> None:
    """When the permitted address of a name does not answer, the request fails: its forbidden ones are never tried."""
    with socket.socket() as taken:
        taken.bind((GOOD, 0))
        port = taken.getsockname()[1]
        bad = Server(lambda peer: peer.hang())
        listener = await asyncio.start_server(bad.connected, BAD, port)
        async with name_server({"x.example": [[f"A {GOOD}", f"A {BAD}", "AAAA ::1"]]}) as names:
            sender = SENDERS[kind](EgressPolicy([f"{GOOD}/32"]), names)
            assert await word_of(sender, port) == "unresolved"
            await soon(sender.close())
        listener.close()
        await bad.stop()
    assert bad.connections == 0


# The whole daemon, with the system's own resolver

NAMES = f"127.53.{os.getpid() // 250 % 250 + 1}.{os.getpid() % 250 + 1}"
"""Where the name server is: an address for each process, as several may run these tests."""
SCRIPT = {
    "rebinds.example": [[f"A {GOOD}"], [f"A {BAD}"]],
    "mixed.example": [[f"A {BAD}", f"A {GOOD}"]],
    "chain.example": [["CNAME end.example"]],
    "end.example": [[f"A {BAD}"]],
}


def own_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let daemons ask our name server, in a mount namespace of their own, where that is ours to do."""
    unshare, configured = shutil.which("unshare"), folder / "resolv.conf"
    configured.write_text(f"nameserver {NAMES}\noptions timeout:2 attempts:3\n")
    program = folder / "alertd-with-own-names"
    program.write_text(
        f'#!/bin/sh\nexec {unshare} -m sh -c \'mount --bind {configured} /etc/resolv.conf && exec {daemons.PROGRAM} "$@"\' sh "$@"\n'
    )
    program.chmod(0o700)
    if os.geteuid() != 0 or unshare is None or subprocess.run([program, "version"], capture_output=True).returncode:  # noqa: S603, PLW1510 - our own program
        lacks("only root may lay a file over /etc/resolv.conf")
    monkeypatch.setattr(daemons, "PROGRAM", program)


def config(port: int, sender: str) -> dict[str, Any]:
    """Configure a hook behind each name, and a channel of its own for it."""
    names = [name.partition(".")[0] for name in SCRIPT if not name.startswith("end")]
    return {
        "egress": {"allow": [GOOD], "sender": sender},
        "workspaces": [
            {
                "name": "default",
                "channels": [{"name": name, "kind": "glob", "pattern": f"{name}.*"} for name in names],
                "destinations": [hook(name, f"http://{name}.example:{port}/") for name in names],
                "subscriptions": [{"name": name, "channels": [name], "destinations": [name]} for name in names],
            }
        ],
    }


async def test_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a name server that rebinds under the system's resolver, deliveries arrive where they may or are dead, by both senders."""
    own_names(tmp_path, monkeypatch)
    try:
        serving = name_server(SCRIPT, address=(NAMES, 53))
        names = await serving.__aenter__()
    except OSError:
        lacks("port 53 is not ours to take")
    try:
        async with good_and_bad() as (good, bad), Daemon(tmp_path / "run", config(good.port, "fast")) as daemon:
            [first, mixed, chain] = await daemon.send("rebinds.x", "mixed.x", "chain.x")
            await daemon.wait_state(first, "delivered")
            await daemon.wait_state(mixed, "delivered")
            told = await daemon.wait_state(chain, "dead")
            assert told["error"].startswith(
                f"webhook: egress refused: chain.example resolves to {BAD}, which is loopback"
            )
            daemon.configure(config(good.port, "aiohttp"))
            assert (await daemon.post("/-/reload")).status == 200
            [second, mixed] = await daemon.send("rebinds.x", "mixed.x")
            told = await daemon.wait_state(second, "dead")
            assert told["error"].startswith(
                f"webhook: egress refused: rebinds.example resolves to {BAD}, which is loopback"
            )
            await daemon.wait_state(mixed, "delivered")
        assert (len(good.requests), bad.connections) == (3, 0)
        assert ("rebinds.example", "A") in names.asked
    finally:
        await serving.__aexit__(None, None, None)
