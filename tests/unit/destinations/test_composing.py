"""What messages say."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from alertd.destinations.base import Digest, DigestEntry, Message
from alertd.destinations.composing import DEDUP_KEY_MAX, LINES_MAX, SUSPECTS_MAX, URL_MAX, content_of, safe_url
from alertd.destinations.content import RESOLVED_COLOUR, Link, State, Suspect
from alertd.model.severity import Severity
from tests.conformance.messages import (
    HOSTILE,
    Said,
    hostile,
    make_digest,
    make_event,
    make_issue,
    make_message,
)


def event(**members: Any) -> bytes:
    """Write an event with these members alone."""
    return orjson.dumps(members)


def new_issue(**changes: Any) -> Message:
    """Make a message about a new issue."""
    usual: dict[str, Any] = {"event": make_event(), "event_type": "sentry.error", "issue": make_issue()}
    return make_message(**(usual | {"trigger": "new"} | changes))


def test_an_issue_says_everything() -> None:
    """Of an issue: why, what, where, since when, how often, whom, who may have caused it, and where to look."""
    said = content_of(new_issue(acknowledge_url="https://alerts.example.com/ack/x"))
    assert (said.kicker, said.title, said.where) == ("New issue SHOP-42", "KeyError: 'sku'", "shop/prod")
    assert said.subject == "New issue SHOP-42: KeyError: 'sku' (shop/prod)"
    assert said.summary.startswith("KeyError: 'sku'\n  in checkout")
    assert (said.severity, said.state) == (Severity.ERROR, State.PROBLEM)
    assert (said.first_seen, said.event_count, said.user_count) == ("2026-05-01T08:00:00Z", 1240, 31)
    assert said.fields == (("team", "payments"), ("release", "2026.5.1"))
    assert [link.label for link in said.links] == ["Issue", "Alert", "Source", "Acknowledge"]
    assert said.url == "https://alerts.example.com/issues/SHOP-42"
    assert said.suspects == (
        Suspect(
            "4f2a91c7d0",
            "Read the SKU from the cart",
            "Ann",
            "https://git.example.com/shop/commit/4f2a91c7d0",
            "changed checkout.py, 2 hours before",
        ),
    )


@pytest.mark.parametrize(
    ("message", "title", "summary"),
    [
        ("Run 17 failed", "Run 17 failed", ""),
        ("Run 17 failed\nat step 3\n", "Run 17 failed", "at step 3"),
        ("", "run:failed", ""),
        (None, "run:failed", ""),
        (17, "17", ""),
        ("x" * 501 + "\nmore", "x" * 499 + "…", "x" * 501 + "\nmore"),
    ],
)
def test_title_is_the_first_line(message: Any, title: str, summary: str) -> None:
    """Without an issue the message's first line is the title, the rest the summary; the type stands in for nothing."""
    said = content_of(make_message(event=event(message=message)))
    assert (said.title, said.summary) == (title, summary)


@pytest.mark.parametrize(
    ("members", "title"),
    [
        ({"data": {"title": "Disk 2 is full"}}, "Disk 2 is full"),
        ({"data": {"title": "Disk 2"}, "message": "It is full"}, "It is full"),
        ({"data": {"title": ["Disk"]}}, "incident.reported"),
        ({"data": ["title"]}, "incident.reported"),
        ({}, "incident.reported"),
    ],
)
def test_without_a_message_the_title_is_in_the_data(members: dict[str, Any], title: str) -> None:
    """As of an incident that was reported by an event; else it is the type."""
    said = content_of(make_message(event=event(type="incident.reported", **members), event_type="incident.reported"))
    assert said.title == title


@pytest.mark.parametrize("message", ["KeyError:  'sku'", "'sku'", ""])
def test_an_issues_title_is_not_said_twice(message: str) -> None:
    """A message that the issue's title says already is no summary."""
    assert content_of(new_issue(event=make_event(message=message))).summary == ""


def frame(filename: str, line: int, function: str, *, in_app: bool = True) -> dict[str, Any]:
    """Make a frame of a stack."""
    return {"filename": filename, "lineno": line, "function": function, "in_app": in_app}


def crash(*frames: dict[str, Any]) -> dict[str, Any]:
    """Make the data of an error."""
    values = [{"type": "ValueError"}, {"type": "KeyError", "stacktrace": {"frames": list(frames)}}]
    return {"title": "KeyError: 'sku'", "exception": {"type": "KeyError", "values": values}}


def test_a_crash_says_where() -> None:
    """An error's title is its own; below it are the application's frames, the one that crashed first."""
    frames = [frame(f"f{number}.py", number, "f") for number in range(9)]
    data = crash(*frames, frame("lib.py", 9, "g", in_app=False))
    said = content_of(make_message(event=event(message="'sku'", data=data)))
    assert said.title == "KeyError: 'sku'"
    assert said.summary == "\n".join(f"f{number}.py:{number} in f" for number in (8, 7, 6, 5, 4, 3))


def test_a_crash_without_own_frames_shows_what_there_is() -> None:
    """Where nothing is the application's, all frames count; parts that are missing are left out."""
    data = crash(frame("lib.py", 1, "g", in_app=False), {"module": "m"}, {}, "x")  # type: ignore[arg-type]  # a part that is missing
    said = content_of(make_message(event=event(message="Cart broke\nbadly", data=data)))
    assert said.summary == "Cart broke\nbadly\nm\nlib.py:1 in g"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"exception": []},
        {"exception": {"values": {}}},
        {"exception": {"values": [1]}},
        {"stacktrace": {"frames": 7}},
        {"exception": {"values": [{"stacktrace": {"frames": [{"filename": [], "lineno": {}}]}}]}},
        {"title": ["x"], "exception": {}},
    ],
)
def test_a_crash_that_is_none_says_nothing(data: dict[str, Any]) -> None:
    """Whatever else `data` holds, nothing is said of it."""
    said = content_of(make_message(event=event(message="Broke", data=data)))
    assert (said.title, said.summary) == ("Broke", "")


@pytest.mark.parametrize(
    ("type_", "trigger", "issue", "headline"),
    [
        ("run:failed", None, None, "run:failed"),
        ("sentry.error", "new", make_issue(), "New issue"),
        ("sentry.error", "regression", make_issue(), "Regression"),
        ("sentry.error", "unmuted", make_issue(), "Unmuted"),
        ("sentry.error", "spike", make_issue(), "Spike"),
        ("sentry.error", "unheard-of", make_issue(), "sentry.error"),
        ("incident.resolved", None, None, "Resolved"),
        ("alertmanager.alert.resolved", None, None, "Resolved"),
        ("app_alert_resolved", None, None, "Resolved"),
        ("issue.new", None, make_issue(state="resolved"), "Resolved"),
        ("run:unresolved", None, None, "run:unresolved"),
    ],
)
def test_headline_says_why(type_: str, trigger: str | None, issue: bytes | None, headline: str) -> None:
    """Why it is sent: the trigger, the end of the trouble, else the type."""
    said = content_of(make_message(event_type=type_, trigger=trigger, issue=issue))
    assert said.headline == headline
    assert (said.state is State.RESOLVED) == (headline == "Resolved")
    assert (said.colour == RESOLVED_COLOUR) == (headline == "Resolved")


@pytest.mark.parametrize(
    ("members", "issue", "severity"),
    [
        ({"severity": "critical"}, make_issue(level="error"), Severity.CRITICAL),
        ({"severity": "fatal"}, None, Severity.CRITICAL),
        ({}, make_issue(level="warning"), Severity.WARNING),
        ({"severity": "loud"}, None, Severity.INFO),
        ({"severity": 3}, make_issue(level=[]), Severity.INFO),
    ],
)
def test_severity(members: dict[str, Any], issue: bytes | None, severity: Severity) -> None:
    """The event's severity counts, then the issue's level; what is neither is information."""
    assert content_of(make_message(event=event(**members), issue=issue)).severity is severity


def test_a_test_is_marked() -> None:
    """A test message says so before everything else."""
    assert content_of(new_issue(test=True)).subject.startswith("[Test] New issue")


def test_what_is_over_needs_nobody_to_take_it() -> None:
    """The link that acknowledges is there as long as there is a problem."""
    ack = "https://alerts.example.com/ack/x"
    problem, over = (content_of(new_issue(acknowledge_url=ack, issue=make_issue(state=s))) for s in ("new", "resolved"))
    assert "Acknowledge" in {link.label for link in problem.links}
    assert "Acknowledge" not in {link.label for link in over.links}


def test_a_digest_lists_twenty_and_counts_the_rest() -> None:
    """The first 20 alerts are listed, all others counted."""
    said = content_of(make_message(digest=make_digest(500)))
    assert said.is_digest
    assert (said.title, len(said.lines), said.rest) == ("500 alerts", LINES_MAX, 480)
    first = said.lines[0]
    assert (first.headline, first.title, first.where) == ("run:failed", "Run 1 failed", "shop/prod")
    assert first.url == "https://alerts.example.com/alerts/1"


@pytest.mark.parametrize(
    ("types", "severity", "state"),
    [
        ([("run:failed", "warning"), ("x.resolved", "critical")], Severity.WARNING, State.PROBLEM),
        ([("x.resolved", "error"), ("y.resolved", "info")], Severity.ERROR, State.RESOLVED),
        ([], Severity.INFO, State.PROBLEM),
    ],
)
def test_a_digest_is_as_bad_as_its_worst(types: list[tuple[str, str]], severity: Severity, state: State) -> None:
    """A digest has the severity of its worst problem; it is resolved when all in it are."""
    entries = tuple(DigestEntry(event(type=type_, severity=word)) for type_, word in types)
    said = content_of(make_message(digest=Digest(entries, len(entries))))
    assert (said.severity, said.state) == (severity, state)


@pytest.mark.parametrize(
    ("count", "worst", "severity", "state"),
    [
        (1, Severity.CRITICAL, Severity.WARNING, State.RESOLVED),
        (2, Severity.CRITICAL, Severity.CRITICAL, State.PROBLEM),
        (2, Severity.DEBUG, Severity.WARNING, State.PROBLEM),
        (2, None, Severity.WARNING, State.PROBLEM),
    ],
)
def test_what_a_digest_does_not_list_counts(
    count: int, worst: Severity | None, severity: Severity, state: State
) -> None:
    """Where more came than is listed, it is as bad as the worst of all, and nobody says that all is over."""
    entries = (DigestEntry(event(type="x.resolved", severity="warning")),)
    said = content_of(make_message(digest=Digest(entries, count, worst=worst)))
    assert (said.severity, said.state) == (severity, state)


def test_keys_of_one_issue_are_the_same() -> None:
    """All alerts about one issue share a key, whatever their event; another issue or workspace has another one."""
    first, later = content_of(new_issue()), content_of(new_issue(event=b"{}", trigger="regression"))
    assert first.dedup_key == first.thread_key == later.dedup_key == later.thread_key
    assert content_of(new_issue(issue=make_issue(id="iss_7"))).dedup_key != first.dedup_key
    assert content_of(new_issue(workspace="other")).dedup_key != first.dedup_key


@pytest.mark.parametrize(
    ("key", "threaded"), [("fingerprint-1", True), ("run:failed", False), (None, False), ("", False)]
)
def test_keys_of_an_event(key: str | None, threaded: bool) -> None:
    """Events share a key by project, environment and key; only a key of their own makes them a thread."""
    said = content_of(make_message(event=event(project="shop", environment="prod", key=key)))
    assert said.dedup_key == f"default/shop/prod/{key or 'run:failed'}"
    assert bool(said.thread_key) == threaded


@pytest.mark.parametrize("key", ["k" * 600, "ключ", "a b"])
def test_a_key_is_always_short_and_ascii(key: str) -> None:
    """A key that is long or no plain ASCII is replaced by its digest, always the same one."""
    first, second = (content_of(make_message(event=event(key=key))).dedup_key for _ in range(2))
    assert first == second
    assert first.isascii()
    assert first.isprintable()
    assert " " not in first
    assert len(first) <= DEDUP_KEY_MAX


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://x.example/a?b=c#d", "https://x.example/a?b=c#d"),
        ("https://x.example/<a|b>\"'`{}", "https://x.example/%3Ca%7Cb%3E%22'%60%7B%7D"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("//x.example/", ""),
        ("https://x.example/a b", ""),
        ("https://x.example/\nb", ""),
        ("https://münchen.example/", ""),
        ("https://x.example/" + "a" * (URL_MAX - 18), "https://x.example/" + "a" * (URL_MAX - 18)),
        ("https://x.example/" + "a" * (URL_MAX - 17), ""),
        (None, ""),
        (7, ""),
    ],
)
def test_an_address_is_safe_or_left_out(url: Any, expected: str) -> None:
    """Only http(s) in plain ASCII becomes a link; quotes and angle brackets in it are escaped."""
    assert safe_url(url) == expected


def test_suspects_are_read_in_any_of_their_forms() -> None:
    """A commit's author may be a text or a person; what has no id is none; at most five are named."""
    commits = [
        {"id": "a", "author": {"name": "Ann", "email": "ann@example.com"}, "message": "Fix\n\nbody"},
        {"sha": "b", "author": {"email": "bob@example.com"}, "reason": "recent"},
        {"title": "no id"},
        "no object",
        *({"id": str(number)} for number in range(9)),
    ]
    found = content_of(new_issue(issue=make_issue(suspect_commits=commits))).suspects
    assert found[0] == Suspect("a", "Fix", "Ann")
    assert found[1] == Suspect("b", "", "bob@example.com", "", "recent")
    assert len(found) == SUSPECTS_MAX


def texts(value: Any) -> list[str]:
    """List all texts in a content."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, tuple):
        return [text for each in value for text in texts(each)]
    return [text for each in fields(value) for text in texts(getattr(value, each.name))] if is_dataclass(value) else []


def check(message: Message) -> None:
    """Assert that every text of a message's content is clean and bounded."""
    said = content_of(message)
    for text in texts(said):
        text.encode("utf-8")
        assert not set(text) & {"\x00", "\x1b", "\u202e", "\u2066", "\u2028", "\r"}
        assert len(text) <= 20_000
    assert said.title
    assert "\n" not in said.subject


@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE.keys())
def test_known_hostility_is_clean(message: Message) -> None:
    """Whatever an event says, the content is clean, bounded and has a title."""
    check(message)


@given(hostile())
@settings(max_examples=50)
def test_any_text_is_clean(said: Said) -> None:
    """So it is for any text."""
    check(said.message())


def test_what_is_no_utf8_is_read_as_nothing() -> None:
    """An event that is broken in itself leaves what the delivery knows."""
    said = content_of(make_message(event=b'{"message": "\xed\xa0\x80"}', issue=b'{"title": "\xff"}'))
    assert said.title == "run:failed"


def test_links_are_those_there_are() -> None:
    """Without any address there is no link."""
    assert content_of(make_message(event=b"{}", url="")).links == ()
    assert content_of(make_message(event=b"{}", url="https://x.example/")).links == (
        Link("Alert", "https://x.example/"),
    )
