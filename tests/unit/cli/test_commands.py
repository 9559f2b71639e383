"""The other commands: what they print, for people and for programs, and how they end."""

from __future__ import annotations

import json
from datetime import datetime
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from alertd.cli.destination import outcome_line
from alertd.cli.tail import line_of
from alertd.destinations.base import Preview
from alertd.model.delivery import Outcome, OutcomeKind
from tests.unit.cli.stage import Stage, answering, typed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_token_is_made_listed_and_revoked(stage: Stage) -> None:
    """`create` prints the secret alone, `list` never, `revoke` by name; twice is refused with 1."""
    made = stage.typed("token", "create", "ci", "--role", "viewer")
    secret = made.stdout.strip()
    assert (made.exit_code, secret[:7]) == (0, "alertd_")
    assert typed("token", "list", "--url", stage.url, ALERTD_TOKEN=secret).exit_code == 1
    listed = stage.typed("token", "list").stdout
    assert secret not in listed
    assert [line.split()[0] for line in listed.splitlines()][-1] == "ci"
    again = stage.typed("token", "create", "ci", "--role", "viewer")
    assert (again.exit_code, again.stderr[:23]) == (1, "alertd: Conflict (409):")
    assert stage.typed("token", "revoke", "ci").stdout == "revoked ci\n"
    assert stage.typed("token", "revoke", "ci").exit_code == 1
    assert typed("token", "list", "--url", stage.url, ALERTD_TOKEN=secret).exit_code == 1


def test_a_token_may_end(stage: Stage) -> None:
    """After a span, or at a time; the list shows it, and when a token was last used. What is neither is refused."""
    assert stage.typed("token", "create", "brief", "--role", "viewer", "--expires", "90d").exit_code == 0
    at = stage.typed("token", "create", "dated", "--role", "viewer", "--expires", "2126-01-02T03:04:05+00:00", "--json")
    assert json.loads(at.stdout)["expires_at"] == "2126-01-02T03:04:05.000Z"
    secret = stage.typed("token", "create", "lasting", "--role", "viewer").stdout.strip()
    assert typed("explain", "t", "--url", stage.url, ALERTD_TOKEN=secret).exit_code == 0
    head, *lines = (line.split() for line in stage.typed("token", "list").stdout.splitlines())
    rows = {line[0]: dict(zip(head, line, strict=True)) for line in lines}
    assert (rows["dated"]["EXPIRES"], rows["dated"]["USED"]) == ("2126-01-02T03:04:05.000Z", "-")
    assert (rows["lasting"]["EXPIRES"], rows["lasting"]["USED"] > "2026") == ("never", True)
    lasts = datetime.fromisoformat(rows["brief"]["EXPIRES"]) - datetime.fromisoformat(rows["brief"]["CREATED"])
    assert abs(lasts.total_seconds() - 90 * 86_400) < 60
    for wrong, code, told in (
        ("soon", 2, "how long it lasts: 30m, 12h, 90d"),
        ("999999999d", 2, "too long"),
        ("2126-13-01T00:00:00Z", 1, "--expires: "),
        ("2020-01-02T03:04:05Z", 1, "--expires: 2020-01-02T03:04:05.000Z is over"),
    ):
        refused = stage.typed("token", "create", "x", "--role", "viewer", "--expires", wrong)
        assert (refused.exit_code, told in refused.stderr) == (code, True), refused.stderr


def test_tokens_as_json(stage: Stage) -> None:
    """Programs get the API's own documents."""
    made = json.loads(stage.typed("token", "create", "ci", "--role", "admin", "--json").stdout)
    items = json.loads(stage.typed("token", "list", "--json").stdout)["items"]
    assert {name: value for name, value in made.items() if name != "value"} in items
    assert json.loads(stage.typed("token", "revoke", made["id"], "--json").stdout) == {"revoked": made["id"]}


def test_a_destination_test_ends_as_it_went(stage: Stage) -> None:
    """0 when delivered, 1 with the reason when not."""
    assert stage.typed("destination", "test", "hook").stdout.startswith("hook: delivered (0.")
    assert stage.bench is not None
    stage.bench.doors["default", "hook"].outcome = Outcome(OutcomeKind.REJECTED, 404, "returned\x1b 404")
    failed = stage.typed("destination", "test", "hook")
    assert failed.exit_code == 1
    assert failed.stdout.startswith("hook: refused (0.")
    assert failed.stdout.endswith(" s): 404 returned\N{REPLACEMENT CHARACTER} 404; an alert would not be tried again\n")
    assert json.loads(stage.typed("destination", "test", "hook", "--json").stdout)["outcome"] == "rejected"
    assert stage.typed("destination", "test", "a/../b").exit_code == 1


@pytest.mark.parametrize(
    ("outcome", "status", "error", "line"),
    [
        ("delivered", 200, None, "delivered (0.001 s): 200"),
        ("delivered", None, None, "delivered (0.001 s)"),
        ("retry_later", None, "webhook: connection refused",
         "not delivered (0.001 s): webhook: connection refused; an alert would be tried again"),
        ("gone", 410, None, "gone (0.001 s): 410; an alert would disable the destination"),
        ("ambiguous", None, "webhook: no answer",
         "no answer, it may have arrived (0.001 s): webhook: no answer; an alert would be tried again"),
    ],
)  # fmt: skip
def test_what_came_of_a_test_is_told_in_its_order(
    outcome: str, status: int | None, error: str | None, line: str
) -> None:
    """What it came to, how long that took, why, and last what an alert would have come to."""
    result = {"outcome": outcome, "status": status, "error": error, "duration_seconds": 0.001}
    assert outcome_line("my-hook", result) == f"my-hook: {line}"


def test_a_destination_test_shows_what_was_sent(stage: Stage) -> None:
    """With `--request` the request follows, as a preview shows it; where there is nothing to show, nothing."""
    assert len(stage.typed("destination", "test", "hook", "--request").stdout.splitlines()) == 1
    assert stage.bench is not None
    shown = Preview("POST https://hooks.example.com/x", {"x-team": "ops"}, "{}")
    stage.bench.doors["default", "hook"].preview = lambda message: shown  # type: ignore[attr-defined]  # the bench's own doors
    _, *lines = stage.typed("destination", "test", "hook", "--request").stdout.splitlines()
    assert lines == ["POST https://hooks.example.com/x", "x-team: ops", "", "{}"]
    said = json.loads(stage.typed("destination", "test", "hook", "--json").stdout)["request"]
    assert said == {"target": "POST https://hooks.example.com/x", "headers": {"x-team": "ops"}, "body": "{}"}


@pytest.mark.parametrize("token", ["", " ", "two words", "\xff", "a\tb"])
def test_what_is_no_token_is_said(token: str, folder: Path) -> None:
    """A token file with anything else than a token is named, not sent."""
    (folder / "t").write_bytes(token.encode("latin-1"))
    result = typed("token", "list", "--token-file", "t", "--url", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "alertd: " in result.stderr
    assert "t" in result.stderr


def test_who_cannot_be_reached_is_named() -> None:
    """No server, no name, no token file, no configuration: one sentence each, and 1."""
    for arguments, words in (
        (["--url", "http://127.0.0.1:1"], "cannot reach http://127.0.0.1:1: connection refused"),
        (["--url", "http://nowhere.invalid"], "cannot reach http://nowhere.invalid: "),
        (["--config", "nope.yml"], "nope.yml"),
    ):
        for command in (
            ["send", "t"],
            ["tail"],
            ["token", "list"],
            ["destination", "test", "x"],
            ["subscription", "test", "x"],
        ):
            result = typed(*command, *arguments, ALERTD_TOKEN="x")  # noqa: S106 - no secret
            assert result.exit_code == 1, arguments
            assert words in result.stderr
            assert result.stderr.startswith("alertd: ")
            assert "Traceback" not in result.stderr
    missing = typed("token", "list")
    assert missing.exit_code == 1
    assert "state/admin.token" in missing.stderr


def test_a_refused_token_is_said_with_its_origin(stage: Stage, folder: Path) -> None:
    """401 and 403 say whom it asked, which may be another daemon than was meant, and where the token came from."""
    result = stage.typed("token", "list", who="wrong")
    assert result.exit_code == 1
    assert f"(asked: {stage.url}, with the token from ALERTD_TOKEN)" in result.stderr
    (folder / "mine").write_text("secret-viewer\n")
    result = typed("token", "list", "--url", stage.url, "--token-file", "mine")
    assert "Forbidden (403)" in result.stderr
    assert f"(asked: {stage.url}, with the token from mine)" in result.stderr


@pytest.mark.parametrize("command", [["token", "list"], ["destination", "test", "hook"], ["export"], ["tail"]])
def test_a_token_of_another_workspace_is_told_which_one_to_name(stage: Stage, command: list[str]) -> None:
    """Whose token it is, which workspace was meant, and the option that says another."""
    result = stage.typed(*command, who="other-admin")
    assert result.exit_code == 1
    assert result.stderr == (
        "alertd: Forbidden (403): the token belongs to the workspace 'other', this concerns the workspace 'default'; "
        f"try -w other (asked: {stage.url}, with the token from ALERTD_TOKEN)\n"
    )


@pytest.mark.parametrize(
    "command", [["send", "t"], ["tail"], ["token", "list"], ["destination", "test", "x"], ["subscription", "test", "x"]]
)
@pytest.mark.parametrize("kind", ["html", "redirect", "empty", "json", "error"])
def test_what_is_not_alertd_is_said(kind: str, command: list[str]) -> None:
    """Another web server at the address is named as what it is; redirects are not followed."""
    answers: dict[str, Callable[[], web.Response]] = {
        "html": lambda: web.Response(text="<h1>hello</h1>", content_type="text/html"),
        "redirect": lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/login"}),
        "empty": web.Response,
        "json": lambda: web.json_response({"hello": "world"}),
        "error": lambda: web.Response(status=502, text="Bad \x1b[31mGateway"),
    }

    async def answer(request: web.Request) -> web.Response:
        return answers[kind]()

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    with answering(app) as stage:
        result = stage.typed(*command)
    assert result.exit_code == 1
    assert result.stderr.startswith("alertd: ")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "\x1b" not in result.stderr


def test_check_names_everything_that_is_wrong(folder: Path) -> None:
    """All errors at once, with file and line; 1. A good file is counted; 0."""
    (folder / "bad.yml").write_text("server: {listen: nonsense}\nstor: {}\n")
    result = typed("check", "bad.yml")
    assert result.exit_code == 1
    assert "bad.yml:1: server.listen" in result.stderr
    assert "bad.yml:2: stor" in result.stderr
    shown = json.loads(typed("check", "bad.yml", "--json").stdout)
    assert (shown["valid"], [p["line"] for p in shown["problems"]]) == (False, [1, 2])
    (folder / "good.yml").write_text("")
    assert typed("check", "good.yml").stdout.startswith("good.yml: valid (0 channels")
    (folder / "one.yml").write_text("workspaces: [{name: w, destinations: [{name: d, type: console}]}]\n")
    assert typed("check", "one.yml").stdout == "one.yml: valid (0 channels, 1 destination, 0 subscriptions)\n"
    assert json.loads(typed("check", "good.yml", "--json").stdout)["valid"] is True
    assert typed("check", "none.yml").exit_code == 1
    assert typed("check", str(folder)).exit_code == 1


def test_check_warns_of_what_is_allowed_and_odd(folder: Path) -> None:
    """A warning names its place and refuses nothing."""
    (folder / "odd.yml").write_text("delivery: {retry: {initial_seconds: 60, max_seconds: 30}}\n")
    result = typed("check", "odd.yml")
    assert (result.exit_code, result.stdout) == (0, "odd.yml: valid (0 channels, 0 destinations, 0 subscriptions)\n")
    assert result.stderr.startswith(
        "alertd: warning: odd.yml:1: delivery.retry.max_seconds: max_seconds (30) is less than initial_seconds (60)"
    )
    [told] = json.loads(typed("check", "odd.yml", "--json").stdout)["warnings"]
    assert (told["file"], told["line"], told["path"]) == ("odd.yml", 1, "delivery.retry.max_seconds")
    assert told["message"].startswith("max_seconds (30)")


def test_the_store_is_made_copied_and_not_overwritten(folder: Path) -> None:
    """`migrate` makes a store, `backup` copies it to a new file, and refuses one that exists or a store that does not."""
    assert typed("backup", "copy.db").exit_code == 1
    assert typed("migrate").stdout == "state/alertd.db: up to date\n"
    again = json.loads(typed("migrate", "--json").stdout)
    (folder / "state/alertd.db").unlink()
    made = json.loads(typed("migrate", "--json").stdout)
    assert (again["migrated"], made["migrated"], made["version"]) == (False, True, again["version"])
    done = json.loads(typed("backup", "copy.db", "--json").stdout)
    assert (done["file"], done["size_bytes"] > 0) == ("copy.db", True)
    refused = typed("backup", "copy.db")
    assert (refused.exit_code, refused.stderr) == (1, "alertd: copy.db exists already\n")
    for target, why in (("nowhere/copy.db", "No such file or directory"), ("copy.db/x.db", "Not a directory")):
        refused = typed("backup", target)
        assert (refused.exit_code, refused.stderr) == (
            1,
            f"alertd: the backup cannot be written: {target}: {why}\n",
        )


def test_lines_of_tail_name_what_happened() -> None:
    """A verdict names type, subscription and event, a delivery its destination, outcome and reason."""
    verdict = {"type": "t", "subscription": "s", "verdict": "cooldown", "event_id": "e1"}
    assert line_of("verdict", verdict) == "verdict   t  s: cooldown  (e1)"
    assert line_of("verdict", {**verdict, "at": "2026-05-07T00:00:00.000Z"}).startswith(
        "2026-05-07T00:00:00.000Z  verd"
    )
    delivery = {
        "type": "t",
        "destination": "d",
        "outcome": "rejected",
        "status": 404,
        "detail": "x",
        "delivery": "dlv_1",
    }
    assert line_of("delivery", delivery) == "delivery  t  d: rejected  404  x  (dlv_1)"
    assert (
        line_of("delivery", {**delivery, "at": "2026-05-07T00:00:00.000Z"})[:33] == "2026-05-07T00:00:00.000Z  deliver"
    )
    assert line_of("dropped", {"entries": 5}) == "dropped  entries=5"


@pytest.mark.parametrize("arguments", [["token", "create", "x", "--role", "boss"], ["send", "t", "--severity", "boss"]])
def test_a_word_that_is_none_of_those_is_usage(arguments: list[str]) -> None:
    """The words that there are stand in the sentence, and nothing of the library that reads them."""
    result = typed(*arguments, "--url", "http://127.0.0.1:1", ALERTD_TOKEN="x")  # noqa: S106 - no secret
    assert result.exit_code == 2
    assert "'boss' is none of " in result.stderr
    assert "Value error" not in result.stderr


def test_the_version_is_an_option_too() -> None:
    """`--version` says what `version` says."""
    for asked in (typed("--version"), typed("version")):
        assert (asked.exit_code, asked.stdout) == (0, f"{version_of('alertd')}\n")


def test_usage_is_2_and_help_is_0() -> None:
    """No command, an unknown one, a missing argument: 2; help: 0, under both names."""
    for wrong in ([], ["nope"], ["token"], ["token", "create"], ["backup"], ["destination"]):
        assert typed(*wrong).exit_code == 2, wrong
    for right in (["--help"], ["-h"], ["token", "-h"], ["destination", "test", "--help"]):
        result = typed(*right)
        assert (result.exit_code, result.stdout[:6]) == (0, "Usage:")
