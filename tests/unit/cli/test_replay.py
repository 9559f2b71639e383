"""`alertd replay`: what filters find is counted, and sent with --yes; ids are sent at once; the exit code says how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from alertd.model.delivery import DELIVERED, Outcome, OutcomeKind
from tests.daemon import DEADLINE, PROGRAM
from tests.unit.api.bench import HOME
from tests.unit.cli.stage import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.cli.stage import Stage

PRESSES = 3


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Serve the API, with two deliveries that were given up."""
    with serving() as served:
        assert served.bench is not None
        served.bench.doors["default", "hook"].outcome = Outcome(OutcomeKind.REJECTED, 404, "returned 404")
        for name in ("a", "b"):
            assert served.typed("send", "t", "--id", name).exit_code == 0
        while len(found(served, "dead")) < len("ab"):
            pass
        served.bench.doors["default", "hook"].outcome = DELIVERED
        yield served


def found(stage: Stage, state: str) -> list[dict[str, Any]]:
    """Look up deliveries in a state."""

    async def look() -> list[dict[str, Any]]:
        import aiohttp  # noqa: PLC0415 - only here

        headers = {"Authorization": "Bearer secret-root"}
        path = f"{stage.url}{HOME}/deliveries?state={state}"
        async with aiohttp.ClientSession() as session, session.get(path, headers=headers) as answer:
            items: list[dict[str, Any]] = (await answer.json())["items"]
            return items

    items: list[dict[str, Any]] = stage.on_loop(look())
    return items


def test_filters_count_and_send_nothing(stage: Stage) -> None:
    """Without --yes, and no terminal to ask at, nothing is sent, and it says so."""
    result = stage.typed("replay", "--state", "dead")
    assert (result.exit_code, result.stderr) == (0, "alertd: nothing was sent; add --yes to send\n")
    assert result.stdout == (
        "2 deliveries would be sent again, each to its own destination, 50 a second\nfound: 2 dead\n"
    )
    preview = json.loads(stage.typed("replay", "--since", "1h", "--json").stdout)
    assert (preview["count"], preview["dry_run"]) == (2, True)
    nothing = stage.typed("replay", "--type", "other")
    assert (nothing.exit_code, nothing.stderr) == (0, "")
    assert nothing.stdout.startswith("0 deliveries would be sent again")
    assert found(stage, "delivered") == []


def test_with_yes_all_of_it_goes(stage: Stage) -> None:
    """It waits until all is under way, and says how many; those that went already are left out the next time."""
    result = stage.typed("replay", "--state", "dead", "--yes", "--rate", "1000")
    assert result.exit_code == 0
    assert result.stdout.endswith(": 2 deliveries sent again\nfound: 2\n")
    twice = stage.typed("replay", "--state", "dead", "-y").stdout
    assert twice.endswith(
        ": 0 deliveries sent again\nfound: 2; left out: 2, gone, there already (--again) or of a removed destination (--to)\n"
    )
    nothing = stage.typed("replay", "--type", "other", "-y").stdout
    assert nothing.endswith(": 0 deliveries sent again\nfound: none\n")
    counted = stage.typed("replay", "--state", "dead").stdout
    assert counted.endswith(
        "found: 2 dead; left out: 2, gone, there already (--again) or of a removed destination (--to)\n"
    )
    done = json.loads(stage.typed("replay", "--state", "dead", "--yes", "--again", "--to", "page", "--json").stdout)
    assert (done["state"], done["replayed"], done["destination"]) == ("done", 2, "page")


def interrupted(program: subprocess.Popen[bytes]) -> int:
    """Press Ctrl-C until the program has ended: Python hears of one that comes just before it waits for a line with the next."""
    for _ in range(PRESSES):
        program.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return program.wait(DEADLINE / (PRESSES + 1))
    raise AssertionError("it goes on")


def asked(stage: Stage, answer: bytes | None) -> int:
    """Type a replay at a terminal, answer its question (None: Ctrl-C), and return how it ended."""
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb+", buffering=0) as screen:
        environ = {**os.environ, "ALERTD_TOKEN": "secret-root", "ALERTD_URL": stage.url}
        program = subprocess.Popen(  # noqa: S603 - our own program
            [PROGRAM, "replay", "--state", "dead"], stdin=theirs, stdout=theirs, stderr=theirs, env=environ
        )
        os.close(theirs)
        try:
            shown = b""
            while b"Send them?" not in shown:
                assert select.select([screen], [], [], DEADLINE)[0], shown
                shown += screen.read(4096)
            if answer is None:
                return interrupted(program)
            screen.write(answer)
            return program.wait(DEADLINE)
        finally:
            program.kill()
            program.wait()


@pytest.mark.parametrize(("answer", "code", "sent"), [(None, 130, 0), (b"n\n", 0, 0), (b"y\n", 0, 2)])
def test_at_a_terminal_it_asks(stage: Stage, answer: bytes | None, code: int, sent: int) -> None:
    """Yes sends, no does not, and Ctrl-C is an interruption as everywhere."""
    assert asked(stage, answer) == code
    while len(found(stage, "delivered")) < sent:
        pass
    assert len(found(stage, "delivered")) == sent


def test_ids_go_at_once(stage: Stage) -> None:
    """Each with the id of its replay; what is refused is said, and is 1."""
    [first, second] = [each["id"] for each in found(stage, "dead")]
    result = stage.typed("replay", first, second)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].startswith(f"{first}: sent again as dlv_")
    made = json.loads(stage.typed("replay", first, "--to", "page", "--json").stdout)
    assert (made["replay_of"], made["destination"], made["replayed_by"]) == (first, "page", "root")
    refused = stage.typed("replay", "dlv_0000000000000001")
    assert refused.exit_code == 1
    assert "Not Found (404)" in refused.stderr
    refused = stage.typed("replay", first, "--to", "nowhere")
    assert refused.exit_code == 1
    assert "--to: unknown destination 'nowhere'" in refused.stderr


def test_ids_that_cannot_go_do_not_stop_the_others(stage: Stage) -> None:
    """Each is named with its reason, how many stayed is said, and the exit code is 1."""
    [first, second] = [each["id"] for each in found(stage, "dead")]
    result = stage.typed("replay", first, "dlv_0000000000000001", second)
    assert result.exit_code == 1
    assert [line.split(": sent again as dlv_")[0] for line in result.stdout.splitlines()] == [first, second]
    said = result.stderr.splitlines()
    assert said[0].startswith("alertd: dlv_0000000000000001: Not Found (404): there is no delivery")
    assert said[1:] == ["alertd: 1 of 3 not sent again"]
    for arguments, who in (((first, second, "--to", "nowhere"), "root"), ((first, second), "viewer")):
        refused = stage.typed("replay", *arguments, who=who)
        assert (refused.exit_code, refused.stdout, len(refused.stderr.splitlines())) == (1, "", 1)


def test_what_is_refused_is_1(stage: Stage) -> None:
    """A viewer, an unknown destination, a state that is none of those: one sentence, and 1."""
    for words, arguments, who in (
        ("Forbidden (403)", ["--state", "dead"], "viewer"),
        ("--to: unknown destination 'nowhere'", ["--state", "dead", "--to", "nowhere"], "root"),
        ("--state: must be one of pending, ", ["--state", "lost"], "root"),
        ("--state: only final ones can be replayed", ["--state", "pending"], "root"),
        ("--alert-id: is not the id of an alert", ["--alert-id", "x", "--yes"], "root"),
        ("--digest-id: is not the id of a delivery", ["--digest-id", "x"], "root"),
    ):
        result = stage.typed("replay", *arguments, who=who)
        assert result.exit_code == 1
        assert words in result.stderr
        assert "/filter" not in result.stderr


def test_every_bad_option_is_named_at_once(stage: Stage) -> None:
    """Options are called by their own names, in the sentence and in the list below it."""
    result = stage.typed("replay", "--state", "lost", "--severity", "loud", "--alert-id", "x")
    assert result.exit_code == 1
    assert [name for name in ("--state: ", "--severity: ", "--alert-id: ") if name in result.stderr] != []
    assert result.stderr.count("--severity: ") == 1
    tailed = stage.typed("tail", "--state", "lost", "--digest-id", "x")
    assert tailed.exit_code == 1
    assert "--state: must be one of" in tailed.stderr
    assert "--digest-id: is not the id of a delivery" in tailed.stderr


def test_which_deliveries_must_be_said() -> None:
    """Neither ids nor filters, or both, or a time that is none, is usage: 2."""
    with serving() as stage:
        for arguments in (
            ["--since", "soon"],
            ["--until", "5x"],
            [],
            ["--yes"],
            ["dlv_0000000000000001", "--state", "dead"],
            ["dlv_0000000000000001", "--again"],
            ["dlv_0000000000000001", "--rate", "1"],
        ):
            assert stage.typed("replay", *arguments).exit_code == 2
