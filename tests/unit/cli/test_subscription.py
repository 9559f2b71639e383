"""`alertd subscription test`: every destination of a subscription is tried, and the exit code says whether all took it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from alertd.model.delivery import DELIVERED, Outcome, OutcomeKind

if TYPE_CHECKING:
    from tests.unit.cli.stage import Stage


def test_each_destination_is_told_and_named(stage: Stage) -> None:
    """The test goes through the subscription's own destination, is marked as one, and the answer is 0."""
    result = stage.typed("subscription", "test", "everything", "--type", "run:failed")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("hook: delivered (0.")
    assert stage.bench is not None
    [message] = stage.bench.doors["default", "hook"].messages
    assert (message.test, message.subscription, message.event_type) == (True, "everything", "run:failed")
    assert stage.bench.doors["default", "page"].messages == []


def test_one_that_fails_is_said_and_is_1(stage: Stage) -> None:
    """What a destination refused is in its line with the reason, as JSON too, and the exit code is 1."""
    assert stage.bench is not None
    stage.bench.doors["default", "hook"].outcome = Outcome(OutcomeKind.REJECTED, 404, "returned 404")
    result = stage.typed("subscription", "test", "everything")
    assert result.exit_code == 1
    assert "hook: refused (0." in result.stdout
    assert " s): 404 returned 404; an alert would not be tried again\n" in result.stdout
    shown = stage.typed("subscription", "test", "everything", "--json")
    assert (shown.exit_code, json.loads(shown.stdout)["results"][0]["outcome"]) == (1, "rejected")
    stage.bench.doors["default", "hook"].outcome = DELIVERED
    assert stage.typed("subscription", "test", "everything").exit_code == 0


def test_what_may_not_be_tested_is_refused(stage: Stage) -> None:
    """An unknown subscription, a type that is none, a viewer: one sentence each, and 1."""
    for words, arguments, who in (
        ("Not Found (404)", ["nothing"], "root"),
        ("/type", ["everything", "--type", "no type"], "root"),
        ("Forbidden (403)", ["everything"], "viewer"),
    ):
        result = stage.typed("subscription", "test", *arguments, who=who)
        assert result.exit_code == 1
        assert words in result.stderr
