"""`alertd destination list | enable | disable`: how destinations stand, and switched off and on by a person."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession, web

from alertd.cli.destination import _row
from alertd.model.delivery import DELIVERED, Outcome, OutcomeKind
from tests.daemon import eventually
from tests.unit.api.bench import HOME
from tests.unit.cli.stage import answering

if TYPE_CHECKING:
    from tests.unit.cli.stage import Stage

HEAD = ["NAME", "TYPE", "STATE", "QUEUED", "BREAKER", "RESTS", "UNTIL", "DELIVERED", "FAILED", "WHY"]


def listed(stage: Stage) -> dict[str, list[str]]:
    """Give the rows of the list by name, WHY as one cell."""
    result = stage.typed("destination", "list")
    assert (result.exit_code, result.stderr) == (0, "")
    head, *rows = result.stdout.splitlines()
    assert head.split() == HEAD
    return {row.split()[0]: row.split(maxsplit=8)[1:] for row in rows}


def sent(stage: Stage, outcome: Outcome) -> None:
    """Send an event to `hook`, which answers so, and wait until that is known."""
    bench = stage.bench
    assert bench is not None
    bench.doors["default", "hook"].outcome = outcome
    number = bench.ruleset.ids["destination", "default", "hook"]

    def shown() -> tuple[int | None, int | None]:
        now = bench.dispatcher.snapshot(number)
        return now.last_success_at_ms, now.last_failure_at_ms

    before = shown()
    assert stage.typed("send", "t").exit_code == 0

    stage.on_loop(eventually(lambda: shown() != before, "the attempt"))


def test_a_new_one_has_done_nothing(stage: Stage) -> None:
    """There is a row for each, in the order of their names."""
    rows = listed(stage)
    assert list(rows) == ["hook", "page"]
    assert rows["page"] == ["null", "enabled", "0", "closed", "-", "-", "-", "-"]


def test_switched_off_and_on(stage: Stage) -> None:
    """Each says how it stands then, also as JSON; twice is fine; the list says why."""
    for _ in range(2):
        result = stage.typed("destination", "disable", "hook", who="operator")
        assert (result.exit_code, result.stdout) == (0, "hook: disabled (disabled by an operator)\n")
    assert listed(stage)["hook"] == ["null", "disabled", "0", "closed", "-", "-", "-", "disabled by an operator"]
    for _ in range(2):
        result = stage.typed("destination", "enable", "hook", who="operator")
        assert (result.exit_code, result.stdout) == (0, "hook: enabled\n")
    assert json.loads(stage.typed("destination", "disable", "hook", "--json").stdout)["state"] == "disabled"
    shown = json.loads(stage.typed("destination", "list", "--json").stdout)["items"]
    assert [(each["name"], each["state"]) for each in shown] == [("hook", "disabled"), ("page", "enabled")]


def test_the_workspace_is_the_one_that_is_named(stage: Stage) -> None:
    """A destination of the same name elsewhere stays as it is."""
    assert stage.typed("destination", "disable", "hook", "-w", "other").exit_code == 0
    assert listed(stage)["hook"][1] == "enabled"
    elsewhere = json.loads(stage.typed("destination", "list", "-w", "other", "--json").stdout)["items"]
    assert [(each["name"], each["state"]) for each in elsewhere] == [("hook", "disabled"), ("page", "enabled")]


def test_a_row_says_what_the_api_says() -> None:
    """Each cell is its own field; what disabled a destination goes before its last failure."""
    shown = {
        "name": "n",
        "type": "t",
        "state": "disabled",
        "queue_depth": 3,
        "in_flight": 4,
        "breaker_state": "open",
        "paused_until": None,
        "rests_until": "2026-11-23T12:00:03.000Z",
        "last_success_at": "2026-11-23T12:00:01.000Z",
        "last_failure_at": "2026-11-23T12:00:02.000Z",
        "last_error": "refused",
        "disabled_reason": "gone",
    }
    times = [shown[name] for name in ("rests_until", "last_success_at", "last_failure_at")]
    assert list(_row(shown)) == ["n", "t", "disabled", "3", "open", *times, "gone"]
    assert _row({**shown, "disabled_reason": None})[-1] == "refused"
    assert _row({**shown, "disabled_reason": None, "last_success_at": "2026-11-23T12:00:02.001Z"})[-1] == "-"


def test_a_rest_is_told(stage: Stage) -> None:
    """A destination that is enabled while its receiver asked for a rest sends after that, and it is said."""
    sent(stage, Outcome(OutcomeKind.RETRY_LATER, 429, "returned 429", retry_after_seconds=600))
    result = stage.typed("destination", "enable", "hook")
    until = listed(stage)["hook"][4]
    assert (result.exit_code, result.stdout) == (0, f"hook: enabled; paused until {until}\n")


@pytest.mark.parametrize("verb", ["enable", "disable"])
def test_what_may_not_be_switched_is_refused(stage: Stage, verb: str) -> None:
    """An unknown destination, a viewer: one sentence, and 1."""
    for words, name, who in (("Not Found (404)", "nothing", "root"), ("Forbidden (403)", "hook", "viewer")):
        result = stage.typed("destination", verb, name, who=who)
        assert (result.exit_code, result.stdout) == (1, "")
        assert words in result.stderr


def test_one_that_its_configuration_has_off_is_not_enabled(stage: Stage) -> None:
    """It says where that is to be changed."""
    headers = {"Authorization": "Bearer secret-root"}
    made = {"name": "mine", "type": "null", "enabled": False}

    async def make() -> int:
        url = f"{stage.url}{HOME}/destinations"
        async with ClientSession() as session, session.post(url, json=made, headers=headers) as answer:
            return answer.status

    assert stage.on_loop(make()) == 201
    result = stage.typed("destination", "enable", "mine")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Conflict (409): the destination is switched off in its configuration" in result.stderr


@pytest.mark.parametrize("command", [("destination", "list"), ("token", "list"), ("rejected", "list")])
def test_items_of_another_kind_are_not_alertd_s(command: tuple[str, ...]) -> None:
    """A server that answers a list of something else is named as what it is."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"items": [{"name": "x", "type": "null"}], "next_cursor": None})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    with answering(app) as other:
        result = other.typed(*command)
        assert result.exit_code == 1
        assert result.stderr == f"alertd: what answers at {other.url} is not alertd, or not its API\n"


def test_the_last_failure_is_told_until_something_is_delivered(stage: Stage) -> None:
    """WHY is about now: after a success the failure has its time alone."""
    sent(stage, Outcome(OutcomeKind.REJECTED, 404, "returned 404"))
    *_, delivered, failed, why = listed(stage)["hook"]
    assert (delivered, failed[-1], why) == ("-", "Z", "returned 404")
    sent(stage, DELIVERED)
    *_, delivered, again, why = listed(stage)["hook"]
    assert (delivered[-1], again, why) == ("Z", failed, "-")
