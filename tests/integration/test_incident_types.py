"""PagerDuty and Opsgenie as their documents describe them, over real HTTP, with both senders."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from jsonschema import Draft202012Validator

from alertd.destinations.base import World
from alertd.destinations.egress import AiohttpSender
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.http1.sender import FastSender
from alertd.destinations.incident_destination import OVERTAKEN
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.model.delivery import Outcome, OutcomeKind
from tests.conformance.destination_suite import DEADLINE, FixedClock
from tests.conformance.messages import make_issue, make_message
from tests.conformance.test_incident_types import ALERT_SCHEMA, CHANGE_SCHEMA
from tests.loopback import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.destinations.base import Message, OpenDestination

KEY = "0123456789abcdef0123456789abcdef"
LIMIT = 120
"""Calls a minute for one key."""

SENDERS = pytest.mark.parametrize("make_sender", [FastSender, AiohttpSender])


class Services:
    """A PagerDuty and an Opsgenie that keep incidents by their keys."""

    def __init__(self) -> None:
        self.alerts: dict[str, list[str]] = {}
        """Each dedup key's or alias's history: opened, repeated, acknowledged, closed, dropped."""
        self.changes: list[str] = []
        self.calls = 0
        self.url = ""

    async def enqueue(self, request: web.Request) -> web.Response:
        """Take an alert event."""
        self.calls += 1
        if self.calls > LIMIT:
            return web.json_response({"status": "throttle exceeded"}, status=429)
        body = await request.json()
        if errors := [each.message for each in Draft202012Validator(ALERT_SCHEMA).iter_errors(body)]:
            return web.json_response(
                {"status": "invalid event", "message": "Event object is invalid", "errors": errors}, status=400
            )
        action = {"trigger": "opened", "acknowledge": "acknowledged", "resolve": "closed"}[body["event_action"]]
        self.note(body["dedup_key"], action)
        return web.json_response({"status": "success", "dedup_key": body["dedup_key"]}, status=202)

    async def change(self, request: web.Request) -> web.Response:
        """Take a change event."""
        body = await request.json()
        Draft202012Validator(CHANGE_SCHEMA).validate(body)
        self.changes.append(body["payload"]["summary"])
        return web.json_response({"status": "success"}, status=202)

    async def create(self, request: web.Request) -> web.Response:
        """Create an Opsgenie alert."""
        if request.headers.get("Authorization") != "GenieKey good":
            return web.json_response({"message": "Could not authenticate"}, status=401)
        body = await request.json()
        self.note(body["alias"], "opened")
        return web.json_response({"result": "Request will be processed", "requestId": "1"}, status=202)

    async def act(self, request: web.Request) -> web.Response:
        """Close or acknowledge an Opsgenie alert."""
        assert request.query["identifierType"] == "alias"
        word = {"close": "closed", "acknowledge": "acknowledged"}[request.match_info["action"]]
        self.note(request.match_info["alias"], word)
        return web.json_response({"result": "Request will be processed", "requestId": "2"}, status=202)

    def note(self, key: str, what: str) -> None:
        """Keep the history as the services do: a repeat opens nothing, what is not open is dropped."""
        history = self.alerts.setdefault(key, [])
        is_open = bool(history) and [each for each in history if each != "dropped"][-1:] not in ([], ["closed"])
        if what == "opened" and is_open:
            what = "repeated"
        elif what != "opened" and not is_open:
            what = "dropped"
        history.append(what)


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    """Run them on loopback."""
    made = Services()
    app = web.Application()
    app.router.add_post("/v2/enqueue", made.enqueue)
    app.router.add_post("/v2/change/enqueue", made.change)
    app.router.add_post("/v2/alerts", made.create)
    app.router.add_post("/v2/alerts/{alias}/{action}", made.act)
    async with serving(app) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made


@asynccontextmanager
async def destination(make_sender: Any, type_name: str, **settings: Any) -> AsyncIterator[OpenDestination]:
    """Open one that may talk to loopback."""
    sender = make_sender(EgressPolicy(["127.0.0.1"]))
    try:
        yield REGISTRY[type_name].open(parse_settings(type_name, settings), 5.0, World(FixedClock(), sender, print))
    finally:
        await sender.close()


async def attempt(opened: OpenDestination, message: Message) -> Outcome:
    """Attempt within the deadline."""
    async with asyncio.timeout(DEADLINE):
        return await opened.attempt(message)


def about(state: str) -> Message:
    """Make an alert about the usual issue."""
    return make_message(issue=make_issue(state=state))


@SENDERS
@pytest.mark.parametrize(
    ("type_name", "settings"),
    [("pagerduty", {"routing_key": KEY}), ("opsgenie", {"api_key": "good"})],
)
async def test_one_problem_is_one_incident(
    services: Services, make_sender: Any, type_name: str, settings: dict[str, str]
) -> None:
    """Alerts of one issue open one incident; what ends it closes it; the next one opens another."""
    async with destination(make_sender, type_name, api_url=services.url, **settings) as opened:
        for state in ("new", "ongoing", "muted", "resolved", "resolved", "regressed"):
            outcome = await attempt(opened, about(state))
            assert (outcome.kind, outcome.status) == (OutcomeKind.DELIVERED, 202)
    assert services.alerts == {
        "default/issue/iss_0042": ["opened", "repeated", "acknowledged", "closed", "dropped", "opened"]
    }


BOTH = pytest.mark.parametrize(
    ("type_name", "settings"),
    [("pagerduty", {"routing_key": KEY}), ("opsgenie", {"api_key": "good"})],
)


def at(number: int, state: str) -> Message:
    """Make the alert of that number about the usual issue."""
    return make_message(alert_id=f"alt_{number:016x}", issue=make_issue(state=state))


@BOTH
@pytest.mark.parametrize(
    ("alerts", "history"),
    [
        ([(2, "resolved"), (1, "new")], ["dropped", "opened", "closed"]),
        ([(3, "resolved"), (1, "new"), (2, "ongoing")], ["dropped", "opened", "closed", "opened", "closed"]),
        ([(2, "resolved"), (1, "new"), (3, "regressed")], ["dropped", "opened", "closed", "opened"]),
        ([(1, "new"), (3, "regressed"), (2, "resolved")], ["opened", "repeated"]),
        ([(3, "regressed"), (2, "resolved"), (1, "new")], ["opened", "repeated"]),
        ([(1, "new"), (3, "regressed"), (2, "muted")], ["opened", "repeated"]),
        ([(2, "muted"), (1, "new")], ["dropped", "opened", "acknowledged"]),
        ([(1, "new"), (3, "resolved"), (2, "muted")], ["opened", "closed", "dropped"]),
        ([(2, "resolved"), (1, "new"), (1, "new")], ["dropped", "opened", "closed", "opened", "closed"]),
    ],
    ids=str,
)
async def test_the_newest_alert_has_the_last_word(
    services: Services,
    type_name: str,
    settings: dict[str, str],
    alerts: list[tuple[int, str]],
    history: list[str],
) -> None:
    """Whatever comes late, an incident stays neither open when it is over nor closed when it is back."""
    async with destination(FastSender, type_name, api_url=services.url, **settings) as opened:
        for number, state in alerts:
            assert (await attempt(opened, at(number, state))).kind is OutcomeKind.DELIVERED
    assert services.alerts == {"default/issue/iss_0042": history}


@BOTH
async def test_what_is_not_sent_says_why(services: Services, type_name: str, settings: dict[str, str]) -> None:
    """An end that is told after its problem came back counts as delivered, without an answer."""
    async with destination(FastSender, type_name, api_url=services.url, **settings) as opened:
        await attempt(opened, at(3, "regressed"))
        late = await attempt(opened, at(2, "resolved"))
    assert late == Outcome(OutcomeKind.DELIVERED, detail=f"{type_name}: {OVERTAKEN}")


async def test_alerts_at_once_are_told_one_after_the_other(services: Services) -> None:
    """What is under way for an incident is waited for, so that what opens it cannot arrive behind what ends it."""
    async with destination(FastSender, "pagerduty", api_url=services.url, routing_key=KEY) as opened:
        await asyncio.gather(*(attempt(opened, at(*each)) for each in [(2, "resolved"), (1, "new"), (3, "regressed")]))
    assert services.alerts == {"default/issue/iss_0042": ["dropped", "opened", "closed", "opened"]}


async def test_an_end_that_is_told_again_but_not_taken_is_tried_again(services: Services) -> None:
    """What comes late is delivered only when what came of it since was told again."""
    async with destination(FastSender, "pagerduty", api_url=services.url, routing_key=KEY) as opened:
        await attempt(opened, at(2, "resolved"))
        services.calls = LIMIT - 1
        assert (await attempt(opened, at(1, "new"))).kind is OutcomeKind.RETRY_LATER
        services.calls = 0
        assert (await attempt(opened, at(1, "new"))).kind is OutcomeKind.DELIVERED
    assert services.alerts == {"default/issue/iss_0042": ["dropped", "opened", "repeated", "closed"]}


@SENDERS
async def test_too_many_calls_wait(services: Services, make_sender: Any) -> None:
    """After 120 calls in a minute PagerDuty takes no more; the delivery waits half a minute and is not lost."""
    async with destination(make_sender, "pagerduty", api_url=services.url, routing_key=KEY) as opened:
        services.calls = LIMIT - 1
        assert (await attempt(opened, about("new"))).kind is OutcomeKind.DELIVERED
        refused = await attempt(opened, about("new"))
    assert (refused.kind, refused.retry_after_seconds) == (OutcomeKind.RETRY_LATER, 30)


@SENDERS
async def test_change_events(services: Services, make_sender: Any) -> None:
    """A deploy is told as a change."""
    async with destination(make_sender, "pagerduty", api_url=services.url, routing_key=KEY, events="changes") as opened:
        assert (await attempt(opened, make_message())).kind is OutcomeKind.DELIVERED
    assert services.changes == ["run:failed: Run 17 failed"]


@SENDERS
async def test_a_bad_key_ends_the_destination(services: Services, make_sender: Any) -> None:
    """Opsgenie's 401 is no matter of one delivery."""
    async with destination(make_sender, "opsgenie", api_url=services.url, api_key="bad") as opened:
        outcome = await attempt(opened, about("new"))
    assert outcome.kind is OutcomeKind.GONE
    assert outcome.detail == "opsgenie: returned 401: Could not authenticate"
    assert b"bad" not in outcome.answer
