"""`alertd destination list | enable | disable`: how destinations stand, and switched off and on by a person."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from alertd.model.delivery import DELIVERED, Outcome, OutcomeKind
from tests.daemon import eventually

if TYPE_CHECKING:
    from tests.unit.cli.stage import Stage

HEAD = ["NAME", "TYPE", "STATE", "QUEUED", "BREAKER", "PAUSED", "UNTIL", "DELIVERED", "FAILED", "WHY"]


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


@pytest.mark.parametrize("verb", ["enable", "disable"])
def test_what_may_not_be_switched_is_refused(stage: Stage, verb: str) -> None:
    """An unknown destination, a viewer: one sentence, and 1."""
    for words, name, who in (("Not Found (404)", "nothing", "root"), ("Forbidden (403)", "hook", "viewer")):
        result = stage.typed("destination", verb, name, who=who)
        assert (result.exit_code, result.stdout) == (1, "")
        assert words in result.stderr


def test_the_last_failure_is_told_until_something_is_delivered(stage: Stage) -> None:
    """WHY is about now: after a success the failure has its time alone."""
    sent(stage, Outcome(OutcomeKind.REJECTED, 404, "returned 404"))
    *_, delivered, failed, why = listed(stage)["hook"]
    assert (delivered, failed[-1], why) == ("-", "Z", "returned 404")
    sent(stage, DELIVERED)
    *_, delivered, again, why = listed(stage)["hook"]
    assert (delivered[-1], again, why) == ("Z", failed, "-")
