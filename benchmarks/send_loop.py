"""One sender, alone: posts as fast as it can. `python -m benchmarks.send_loop FILE`.

64 tasks post the workload's events, with the headers of a signed webhook that was signed once, to the same receiver and
do nothing else. FILE is JSON: kind (fast, aiohttp, pycurl), urls, limit (how many posts), authority (a PEM file that TLS
trusts).
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from alertd.destinations.base import HttpRequest
from alertd.destinations.egress import AiohttpSender
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.http1.sender import FastSender
from benchmarks.workload import events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.destinations.base import Sender

TASKS = 64
TIMEOUT_SECONDS = 10.0
HEADERS = {
    "content-type": "application/json",
    "webhook-id": "dlv_18f3c2a1b4c5d6e",
    "webhook-timestamp": "1778112000",
    "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
}


def make(kind: str, authority: str) -> Sender:
    """Make the sender that is asked for; all of them may go to loopback."""
    context, policy = ssl.create_default_context(cafile=authority), EgressPolicy(["127.0.0.0/8"])
    if kind == "pycurl":
        from benchmarks.curl_sender import CurlSender  # noqa: PLC0415 - it may not be installed

        return CurlSender(authority)
    return (FastSender if kind == "fast" else AiohttpSender)(policy, ssl_context=context)


async def worker(sender: Sender, work: Iterator[tuple[str, bytes]]) -> None:
    """Post one after the other."""
    for url, body in work:
        answer = await sender.send(HttpRequest(url, body, HEADERS), TIMEOUT_SECONDS)
        if answer.status != 204:
            raise SystemExit(f"the receiver answered {answer.status}")


async def main(given: dict[str, Any]) -> None:
    """Post so many."""
    bodies = list(events(80, seed=1))
    pairs = zip(range(given["limit"]), cycle(given["urls"]), cycle(bodies), strict=False)
    work = ((url, body) for _, url, body in pairs)
    sender = make(given["kind"], given["authority"])
    await asyncio.gather(*(worker(sender, work) for _ in range(TASKS)))
    await sender.close()


if __name__ == "__main__":
    uvloop.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
