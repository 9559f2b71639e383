"""`alertd send`: one event or many; what is refused is named; a busy daemon is waited for."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from alertd.cli import client, feed
from tests.unit.cli.stage import Stage, answering, typed

if TYPE_CHECKING:
    from pathlib import Path


def ndjson(*events: dict[str, Any]) -> bytes:
    """Write events as lines."""
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def stored(stage: Stage) -> list[dict[str, Any]]:
    """Read all stored events, oldest first."""
    with closing(client.Client(stage.url, "secret-root")) as caller:
        items: list[dict[str, Any]] = caller.call("GET", "/api/v1/workspaces/default/events?limit=200")["items"]
    return items[::-1]


def test_one_event_is_sent_with_all_that_was_said(stage: Stage) -> None:
    """Every option becomes the field that it describes, and the id is printed."""
    options = ["--data", '{"run": 17}', "-s", "error", "-m", "Run 17 failed", "-p", "shop", "-e", "prod", "--key", "k"]
    more = ["--id", "one", "--link", "https://x/1", "-l", "team=a=b", "-l", "x=", "--source", "me", "-w", "default"]
    result = stage.typed("send", "run:failed", *options, *more, "--time", "2026-05-07T00:00:00Z")
    assert (result.exit_code, result.stdout) == (0, "accepted one\n")
    [event] = stored(stage)
    assert {
        "type": "run:failed",
        "id": "one",
        "data": {"run": 17},
        "severity": "error",
        "message": "Run 17 failed",
        "project": "shop",
        "environment": "prod",
        "key": "k",
        "url": "https://x/1",
        "labels": {"team": "a=b", "x": ""},
        "source": "me",
        "workspace": "default",
        "time": "2026-05-07T00:00:00Z",
    }.items() <= event.items()
    assert stage.typed("send", "run:failed", "--id", "one").stdout == "duplicate one\n"


def test_json_is_for_programs(stage: Stage) -> None:
    """`--json` prints the daemon's answer alone."""
    result = stage.typed("send", "t", "--id", "one", "--json")
    assert json.loads(result.stdout) == {"accepted": 1, "duplicates": 0, "ids": ["one"]}


@pytest.mark.parametrize(
    "wrong",
    [
        ["--data", "{"],
        ["--data", "[]"],
        ["--label", "x"],
        ["--label", "=x"],
        ["--severity", "bad"],
        ["--nope"],
        ["--url", "nonsense"],
        ["--url", "ftp://x"],
        ["--url", "http://"],
        ["--url", "http://x:99999"],
        ["--url", "http://x/ y"],
    ],
)
def test_wrong_usage_ends_with_2(wrong: list[str]) -> None:
    """What is wrong about the command itself is said on stderr before anything is sent."""
    result = typed("send", "t", *wrong, ALERTD_TOKEN="x")  # noqa: S106 - no secret
    assert result.exit_code == 2
    assert "Error" in result.stderr


def test_options_of_an_event_need_a_type() -> None:
    """Fields of an event and a stream of events do not go together."""
    result = typed("send", "--severity", "error", stdin=b"{}")
    assert result.exit_code == 2
    assert "TYPE" in result.stderr


def test_many_events_are_counted(stage: Stage) -> None:
    """Lines on standard input are sent in order, blank ones skipped, the last with or without its end."""
    body = ndjson({"type": "a", "id": "1"}, {"type": "b"}) + b'\n  \n{"type":"a","id":"1"}'
    result = stage.typed("send", stdin=body)
    assert (result.exit_code, result.stdout) == (0, "accepted 2, duplicates 1\n")
    assert [event["type"] for event in stored(stage)] == ["a", "b"]
    result = stage.typed("send", "--json", stdin=b"")
    assert json.loads(result.stdout) == {"accepted": 0, "duplicates": 0, "lines": 0}


def test_a_refused_line_is_named_and_what_went_before_stays(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number is that of the whole input; what was sent is told, and the end is 1."""
    monkeypatch.setattr(feed, "CHUNK_LINES", 4)
    good = ndjson(*({"type": "t", "id": str(n)} for n in range(5)))
    result = stage.typed("send", stdin=good + b'\n{"type": 5}\nnonsense\n' + ndjson({"type": "late"}))
    assert result.exit_code == 1
    assert result.stdout == "accepted 4, duplicates 0\n"
    assert "lines 5 to 8, and what follows, not sent" in result.stderr
    assert "line 7: /type: " in result.stderr
    assert "line 8: not JSON" in result.stderr
    assert len(stored(stage)) == 4


def test_bodies_too_large_for_the_daemon_are_halved() -> None:
    """A daemon with smaller bounds gets smaller bodies; only a line that alone is too large is refused."""
    sizes: list[int] = []

    async def post(request: web.Request) -> web.Response:
        lines = (await request.read()).splitlines()
        if len(lines) > 3 or any(len(line) > 50 for line in lines):
            problem = {"title": "Too Large", "status": 413, "detail": "x"}
            return web.json_response(problem, status=413)
        sizes.append(len(lines))
        return web.json_response({"accepted": len(lines), "duplicates": 0, "ids": []}, status=202)

    app = web.Application()
    app.router.add_post("/api/v1/events", post)
    with answering(app) as stage:
        assert stage.typed("send", stdin=b"{}\n" * 20).stdout == "accepted 20, duplicates 0\n"
        assert sum(sizes) == 20
        result = stage.typed("send", stdin=b"{}\n" * 2 + b"x" * 60 + b"\n")
        assert (result.exit_code, result.stdout) == (1, "accepted 2, duplicates 0\n")
        assert "line 3, and what follows, not sent" in result.stderr


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("words", [["t"], []])
def test_a_busy_daemon_is_waited_for(status: int, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """429 and 503 are tried again after Retry-After, and it is said."""
    waits: list[float] = []
    monkeypatch.setattr("alertd.cli.client.time.sleep", waits.append)
    answers = ["3", "", None]

    async def post(request: web.Request) -> web.Response:
        retry = answers.pop(0)
        if retry is None:
            return web.json_response({"accepted": 1, "duplicates": 0, "ids": ["x"]}, status=202)
        headers = {"Retry-After": retry} if retry else {}
        return web.json_response({"title": "Later", "detail": "full"}, status=status, headers=headers)

    app = web.Application()
    app.router.add_post("/api/v1/events", post)
    with answering(app) as stage:
        result = stage.typed("send", *words, stdin=b"{}\n")
    assert (result.exit_code, waits) == (0, [3.0, 1.0])
    assert f"Later ({status}): full; trying again in 3 s" in result.stderr


def test_patience_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that asks for more time than a minute in all is not waited for: its words, and 1."""
    monkeypatch.setattr("alertd.cli.client.time.sleep", lambda seconds: pytest.fail("waited"))

    async def post(request: web.Request) -> web.Response:
        problem = {"title": "Service Unavailable", "detail": "disk full"}
        return web.json_response(problem, status=503, headers={"Retry-After": "3600"})

    app = web.Application()
    app.router.add_post("/api/v1/events", post)
    with answering(app) as stage:
        result = stage.typed("send", "t")
    assert (result.exit_code, result.stderr) == (1, "alertd: Service Unavailable (503): disk full\n")


def test_a_retry_after_may_be_a_date() -> None:
    """Seconds, a date, nonsense or nothing: a second at least."""
    assert client.seconds_of("120") == 120
    assert client.seconds_of("0") == 1
    assert client.seconds_of(None) == 1
    assert client.seconds_of("soon") == 1
    assert client.seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 1
    assert client.seconds_of("Wed, 21 Oct 2065 07:28:00 GMT") > 1e9


def test_lines_that_nobody_answered_for_are_named() -> None:
    """When the daemon cannot be reached the input is not lost track of."""
    lines = ndjson({"type": "a"}, {"type": "b"})
    result = typed("send", "--url", "http://127.0.0.1:1", stdin=lines, ALERTD_TOKEN="x")  # noqa: S106 - no secret
    assert result.exit_code == 1
    assert "lines 1 to 2 may not be stored, and what follows is not sent" in result.stderr
    assert "cannot reach http://127.0.0.1:1" in result.stderr


def test_chunks_hold_every_line_with_its_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """However the input is cut, no byte is lost and the numbers add up."""
    monkeypatch.setattr(feed, "CHUNK_LINES", 3)
    monkeypatch.setattr(feed, "CHUNK_BYTES", 20)
    body = b"".join(b"x" * (n % 9) + b"\n" for n in range(50)) + b"last"
    file = tmp_path / "lines"
    file.write_bytes(body)
    with file.open("rb") as source:
        found = list(feed.chunks(source))
    assert b"".join(line for chunk in found for line in chunk.lines) == body
    assert [chunk.first for chunk in found] == [1 + sum(len(c.lines) for c in found[:i]) for i in range(len(found))]
    assert all(len(chunk.lines) <= 3 for chunk in found)


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    """Input that is no lines at all is refused before it fills the memory."""
    monkeypatch.setattr(feed, "LINE_BYTES", 100)
    result = stage.typed("send", stdin=b"x" * 1000)
    assert result.exit_code == 1
    assert "a line has more than 100 bytes" in result.stderr


def test_an_incident_is_simulated(stage: Stage) -> None:
    """With what was said of it, as text or for programs; it is marked as a test."""
    result = stage.typed(
        "send",
        "--simulate",
        "incident",
        "-p",
        "shop",
        "-e",
        "staging",
        "-s",
        "critical",
        "-m",
        "no rows",
        who="operator",
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("simulated inc_")
    assert "SimulatedError: no rows (simulated)" in result.stdout
    found = json.loads(stage.typed("send", "--simulate", "incident", "-w", "default", "--json").stdout)
    assert (found["kind"], found["test"], found["environment"]) == ("simulated", True, "prod")
    with closing(client.Client(stage.url, "secret-root")) as caller:
        *_, first = caller.call("GET", "/api/v1/workspaces/default/incidents")["items"]
    assert (first["project"], first["environment"], first["severity"]) == ("shop", "staging", "critical")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["run:failed", "--simulate", "incident"], 2, "takes no TYPE"),
        (["--simulate", "incident", "--label", "a=b"], 2, "takes no --label"),
        (["--simulate", "incident", "--link", "https://x"], 2, "takes no --link"),
        (["--simulate", "flood"], 2, "'flood' is none of incident"),
        (["--simulate", "incident", "-s", "debug"], 1, "/severity"),
        (["--simulate", "incident", "-w", "nowhere"], 1, "nowhere"),
    ],
)
def test_what_cannot_be_simulated(stage: Stage, options: list[str], code: int, said: str) -> None:
    """It is said why, and nothing happens."""
    result = stage.typed("send", *options)
    assert result.exit_code == code
    assert said in " ".join(result.output.split())
    with closing(client.Client(stage.url, "secret-root")) as caller:
        assert caller.call("GET", "/api/v1/workspaces/default/incidents")["items"] == []


def test_a_viewer_simulates_nothing(stage: Stage) -> None:
    """It takes an operator."""
    assert stage.typed("send", "--simulate", "incident", who="viewer").exit_code == 1
