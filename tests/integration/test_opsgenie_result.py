"""What became of a request that Opsgenie accepted, asked over real HTTP, with both senders."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from alertd.destinations.base import World
from alertd.destinations.egress import AiohttpSender
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.http1.sender import FastSender
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.model.delivery import Outcome, OutcomeKind
from tests.conformance.destination_suite import DEADLINE, FixedClock
from tests.conformance.messages import make_issue, make_message
from tests.loopback import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = "genie-key-123456"
REQUEST = "43a29c5c-3dbf-4fa4-9c26-f4f71023e120"

SENDERS = pytest.mark.parametrize("make_sender", [FastSender, AiohttpSender])


class Opsgenie:
    """Accepts everything, does it later, and tells under the request's number.

    The first `slow` looks get 404, or what `busy` says: a status, and in seconds the period of the limit.
    """

    def __init__(self) -> None:
        self.slow = 0
        self.busy: tuple[int, str] | None = None
        self.done = True
        self.said = "Created alert"
        self.look_status = 200
        self.looks = 0
        self.url = ""

    async def accept(self, request: web.Request) -> web.Response:
        """Take anything."""
        assert request.headers["Authorization"] == f"GenieKey {KEY}"
        accepted = {"result": "Request will be processed", "took": 0.302, "requestId": REQUEST}
        return web.json_response(accepted, status=202)

    async def look(self, request: web.Request) -> web.Response:
        """Tell what became of it."""
        assert request.headers["Authorization"] == f"GenieKey {KEY}"
        assert request.match_info["number"] == REQUEST
        self.looks += 1
        if self.looks <= self.slow and self.busy is not None:
            status, period = self.busy
            headers = {"X-RateLimit-Period-In-Sec": period} if period else {}
            return web.json_response({"message": "You are making too many requests!"}, status=status, headers=headers)
        if self.looks <= self.slow:
            return web.json_response({"message": "Request not found. It might not be processed, yet."}, status=404)
        data = {"success": self.done, "isSuccess": self.done, "action": "Create", "status": self.said, "alertId": "a-1"}
        return web.json_response({"data": data, "took": 0.02, "requestId": REQUEST}, status=self.look_status)


@pytest.fixture
async def opsgenie() -> AsyncIterator[Opsgenie]:
    """Run it on loopback."""
    made = Opsgenie()
    app = web.Application()
    app.router.add_get("/v2/alerts/requests/{number}", made.look)
    app.router.add_post("/v2/alerts", made.accept)
    app.router.add_post("/v2/alerts/{alias}/{action}", made.accept)
    async with serving(app) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made


@asynccontextmanager
async def destination(make_sender: Any, opsgenie: Opsgenie, **settings: Any) -> AsyncIterator[Any]:
    """Open one that may talk to loopback."""
    sender = make_sender(EgressPolicy(["127.0.0.1"]))
    parsed = parse_settings("opsgenie", {"api_url": opsgenie.url, "api_key": KEY, **settings})
    try:
        yield REGISTRY["opsgenie"].open(parsed, 5.0, World(FixedClock(), sender, print))
    finally:
        await sender.close()


async def attempt(make_sender: Any, opsgenie: Opsgenie, state: str = "new", **settings: Any) -> Outcome:
    """Attempt one alert about the usual issue."""
    async with asyncio.timeout(DEADLINE), destination(make_sender, opsgenie, **settings) as opened:
        outcome: Outcome = await opened.attempt(make_message(issue=make_issue(state=state)))
        return outcome


@SENDERS
@pytest.mark.parametrize("slow", [0, 1, 3])
async def test_it_is_asked_until_it_is_done(opsgenie: Opsgenie, make_sender: Any, slow: int) -> None:
    """Then it is delivered, and the answer says what became of it."""
    opsgenie.slow = slow
    outcome = await attempt(make_sender, opsgenie)
    assert (outcome.kind, outcome.status, outcome.detail) == (OutcomeKind.DELIVERED, 202, "")
    assert b"Created alert" in outcome.answer
    assert opsgenie.looks == slow + 1


@SENDERS
async def test_what_was_accepted_and_not_done_is_rejected(opsgenie: Opsgenie, make_sender: Any) -> None:
    """With Opsgenie's own words; a secret that it repeats is not among them."""
    opsgenie.done, opsgenie.said = False, f"Alert\nlimit reached for {KEY}"
    outcome = await attempt(make_sender, opsgenie)
    assert (outcome.kind, outcome.status) == (OutcomeKind.REJECTED, 202)
    assert outcome.detail.startswith("opsgenie: accepted, but not done: Alert limit reached for ")
    assert KEY not in outcome.detail
    assert KEY.encode() not in outcome.answer


@SENDERS
@pytest.mark.parametrize("state", ["resolved", "muted"])
async def test_what_is_not_open_need_not_be_closed(opsgenie: Opsgenie, make_sender: Any, state: str) -> None:
    """To close, or to acknowledge, what is not there comes to nothing, and is no failure."""
    opsgenie.done, opsgenie.said = False, "Alert does not exist"
    outcome = await attempt(make_sender, opsgenie, state)
    assert (outcome.kind, outcome.detail) == (OutcomeKind.DELIVERED, "")
    assert b"does not exist" in outcome.answer


@SENDERS
async def test_what_takes_too_long_counts_as_delivered(opsgenie: Opsgenie, make_sender: Any) -> None:
    """It is asked no longer than is configured."""
    opsgenie.slow = 10**6
    outcome = await attempt(make_sender, opsgenie, confirm_seconds=0.8)
    assert (outcome.kind, outcome.status) == (OutcomeKind.DELIVERED, 202)
    assert b"will be processed" in outcome.answer
    assert opsgenie.looks == 3


@SENDERS
@pytest.mark.parametrize("busy", [(429, "1"), (503, "")])
async def test_a_refusal_is_heard_although_too_much_was_asked(
    opsgenie: Opsgenie, make_sender: Any, busy: tuple[int, str]
) -> None:
    """Whoever may not look now looks again: an alert that was not made must not pass for delivered."""
    opsgenie.slow, opsgenie.busy, opsgenie.done, opsgenie.said = 1, busy, False, "Alert limit reached"
    outcome = await attempt(make_sender, opsgenie)
    assert (outcome.kind, opsgenie.looks) == (OutcomeKind.REJECTED, 2)
    assert outcome.detail == "opsgenie: accepted, but not done: Alert limit reached"


@SENDERS
@pytest.mark.parametrize("period", ["60", ""])
async def test_a_limit_that_ends_too_late_is_not_waited_out(opsgenie: Opsgenie, make_sender: Any, period: str) -> None:
    """It is asked once, and no longer than is configured."""
    opsgenie.slow, opsgenie.busy = 10**6, (429, period)
    assert (await attempt(make_sender, opsgenie)).kind is OutcomeKind.DELIVERED
    assert opsgenie.looks == 1


@SENDERS
@pytest.mark.parametrize("status", [202, 401, 422, 501])
async def test_who_cannot_look_takes_it_for_delivered(opsgenie: Opsgenie, make_sender: Any, status: int) -> None:
    """Any other answer to the question is no word about the alert, which was accepted: nothing is sent again."""
    opsgenie.look_status = status
    outcome = await attempt(make_sender, opsgenie)
    assert outcome.kind is OutcomeKind.DELIVERED
    assert opsgenie.looks == 1


@SENDERS
async def test_it_need_not_be_asked(opsgenie: Opsgenie, make_sender: Any) -> None:
    """With `confirm_seconds: 0` accepted is delivered."""
    assert (await attempt(make_sender, opsgenie, confirm_seconds=0)).kind is OutcomeKind.DELIVERED
    assert opsgenie.looks == 0
