"""From a `Message` to its `Content`: reads the event and the issue tolerantly, decides what is said. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from alertd.destinations.about_issue import issue_of
from alertd.destinations.clean import LINE_MAX, block, line
from alertd.destinations.content import Content, Line, Link, State, Suspect, last_word
from alertd.destinations.crash import crash_text, crash_title
from alertd.destinations.loose import object_in
from alertd.model.severity import BY_WORD, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.destinations.base import DigestEntry, Message

LINES_MAX: Final = 20
"""Alerts of a digest that are listed; the rest is counted."""
SUSPECTS_MAX: Final = 5
FIELDS_MAX: Final = 64
URL_MAX: Final = 2000
"""Characters; a longer address is left out: cut it would lead nowhere."""
DEDUP_KEY_MAX: Final = 255
NOTE_MAX: Final = 300
"""Characters of what is said about a message itself."""
REASON_MAX: Final = 300
"""Characters of why a digest is one."""

HEADLINES: Final = {"new": "New issue", "regression": "Regression", "unmuted": "Unmuted", "spike": "Spike"}
"""What is said for each trigger."""

_URL: Final = re.compile(r"https?://[!-~]+", re.ASCII)
_QUOTES: Final = re.compile(r"[\"<>\\^`{|}]")
_KEY: Final = re.compile(r"[!-~]{1,255}", re.ASCII)


def content_of(message: Message) -> Content:
    """Say what a message says."""
    content = _digest(message) if message.digest is not None else _alert(message)
    if message.own_title is None and message.own_body is None and not message.note:
        return content
    return replace(
        content,
        title=line(message.own_title) or content.title,
        summary=content.summary if message.own_body is None else block(message.own_body),
        note=line(message.note, NOTE_MAX),
    )


def _alert(message: Message) -> Content:
    event, known = object_in(message.event), issue_of(message)
    issue = known if message.issue else {}  # what only an event of ours tells of gives no words, state or key
    type_ = line(message.event_type or event.get("type"))
    title, rest = _title(event, issue, type_)
    state, short_id = _state(type_, issue), line(known.get("short_id"), 64)
    dedup_key, thread_key = _keys(message, event, issue, type_)
    return Content(
        headline=_headline(message.trigger, state, title, type_),
        title=title,
        severity=_severity(event, issue),
        state=state,
        summary=rest,
        event_type=type_,
        short_id="" if title.startswith(f"{short_id} ") else short_id,
        project=line(event.get("project") or known.get("project"), 100),
        environment=line(event.get("environment"), 100),
        at=line(message.time or event.get("time"), 64),
        first_seen=line(known.get("first_seen"), 64),
        last_seen=line(known.get("last_seen"), 64),
        event_count=_count(known.get("event_count")),
        user_count=_count(known.get("user_count")),
        source=line(event.get("source"), 200),
        fields=_fields(event),
        links=tuple(_links(message, event, known, state)),
        suspects=_suspects(known) or _suspects(_incident(event)),
        trigger=line(message.trigger, 32),
        subscription=line(message.subscription, 100),
        workspace=line(message.workspace, 100),
        delivery_id=line(message.delivery_id, 64),
        dedup_key=dedup_key,
        thread_key=thread_key,
        test=message.test,
        maybe_duplicate=message.maybe_duplicate,
    )


def _digest(message: Message) -> Content:
    assert message.digest is not None  # noqa: S101 - content_of looked
    lines = tuple(_line(entry) for entry in message.digest.entries[:LINES_MAX])
    count = max(message.digest.count, len(message.digest.entries))
    rest = count - len(lines)
    problems = [each for each in lines if each.state is State.PROBLEM]
    severity = max((each.severity for each in problems or lines), default=Severity.INFO)
    noun = "alert" if count == 1 else "alerts"
    return Content(
        headline="Digest",
        title=f"{count:,} {noun}",
        severity=severity if not rest or message.digest.worst is None else max(severity, message.digest.worst),
        state=State.PROBLEM if problems or rest or not lines else State.RESOLVED,
        summary=block(message.digest.reason, REASON_MAX),
        event_type=line(message.event_type),
        at=line(message.time, 64),
        links=tuple(replace(link, label="Alerts") for link in _links(message, {}, {}, State.PROBLEM)),
        lines=lines,
        rest=rest,
        subscription=line(message.subscription, 100),
        workspace=line(message.workspace, 100),
        delivery_id=line(message.delivery_id, 64),
        dedup_key=_bounded_key(f"digest/{message.delivery_id}"),
        test=message.test,
        maybe_duplicate=message.maybe_duplicate,
    )


def _line(entry: DigestEntry) -> Line:
    event = object_in(entry.event)
    type_ = line(event.get("type"))
    title, _ = _title(event, {}, type_)
    state = _state(type_, {})
    where = "/".join(filter(None, (line(event.get("project"), 100), line(event.get("environment"), 100))))
    at = line(event.get("time"), 64)
    headline = _headline(entry.trigger, state, title, type_)
    return Line(headline, title, _severity(event, {}), state, where, at, safe_url(entry.url))


def _title(event: dict[str, Any], issue: dict[str, Any], type_: str) -> tuple[str, str]:
    """Give the title and the text below it: what the title does not say yet, and where it crashed."""
    message, crash = block(event.get("message")), crash_text(event)
    first, _, others = message.partition("\n")
    if title := line(issue.get("title")) or crash_title(event):
        said = len(message) <= LINE_MAX and line(message) in title
        return title, "\n".join(filter(None, ("" if said else message, crash)))
    data = event.get("data")
    title = line(first) or (line(data.get("title")) if isinstance(data, dict) else "")
    text = others.strip() if len(first) <= LINE_MAX else message
    return title or type_ or "Event", "\n".join(filter(None, (text, crash)))


def _headline(trigger: str | None, state: State, title: str, type_: str) -> str:
    if state is State.RESOLVED:
        return "Resolved"
    return HEADLINES.get(trigger or "") or (type_ if type_ and type_ != title else "Alert")


def _state(type_: str, issue: dict[str, Any]) -> State:
    ended = last_word(type_) == "resolved" or issue.get("state") == "resolved"
    return State.RESOLVED if ended else State.PROBLEM


def _severity(event: dict[str, Any], issue: dict[str, Any]) -> Severity:
    for word in (event.get("severity"), issue.get("level")):
        if isinstance(word, str) and word in BY_WORD:
            return BY_WORD[word]
    return Severity.INFO


def _keys(message: Message, event: dict[str, Any], issue: dict[str, Any], type_: str) -> tuple[str, str]:
    """Give the dedup key and the thread key."""
    number = line(issue.get("id"), 200)
    if number:
        return (key := _bounded_key(f"{message.workspace}/issue/{number}")), key
    own = event.get("key")
    place = (message.workspace, event.get("project"), event.get("environment"), own or type_)
    key = _bounded_key("/".join(line(part) for part in place))
    return key, key if isinstance(own, str) and own not in {"", type_} else ""


def _bounded_key(text: str) -> str:
    if _KEY.fullmatch(text):
        return text
    return "sha256/" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _links(message: Message, event: dict[str, Any], issue: dict[str, Any], state: State) -> Iterator[Link]:
    for label, url in (
        ("Issue", issue.get("url")),
        ("Alert", message.url),
        ("Source", event.get("url")),
        ("Acknowledge", message.acknowledge_url if state is State.PROBLEM else ""),
    ):
        if safe := safe_url(url):
            yield Link(label, safe)


def safe_url(url: Any) -> str:
    """Give an address that may stand in any markup's link: http(s), printable ASCII without quotes; else nothing."""
    if not isinstance(url, str) or len(url) > URL_MAX or not _URL.fullmatch(url):
        return ""
    return _QUOTES.sub(lambda found: f"%{ord(found.group()):02X}", url)


def _fields(event: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    labels = event.get("labels")
    found = list(labels.items())[:FIELDS_MAX] if isinstance(labels, dict) else []
    pairs = ((line(name, 128), line(value)) for name, value in found)
    return tuple((name, value) for name, value in pairs if name and value)


def _incident(event: dict[str, Any]) -> dict[str, Any]:
    """Give the incident that an event of alertd's tells of."""
    data = event.get("data")
    incident = data.get("incident") if isinstance(data, dict) else None
    return incident if isinstance(incident, dict) else {}


def _suspects(issue: dict[str, Any]) -> tuple[Suspect, ...]:
    commits = issue.get("suspect_commits")
    found = (each for each in commits if isinstance(each, dict)) if isinstance(commits, list) else ()
    return tuple(filter(None, map(_suspect, found)))[:SUSPECTS_MAX]


def _suspect(commit: dict[str, Any]) -> Suspect | None:
    id_ = line(commit.get("id") or commit.get("sha"), 64)
    if not id_:
        return None
    author = commit.get("author")
    named = author.get("name") or author.get("email") if isinstance(author, dict) else author
    reasons = commit.get("reasons") or commit.get("reason")
    why = ", ".join(line(each, 200) for each in reasons[:5]) if isinstance(reasons, list) else line(reasons)
    title = block(commit.get("title") or commit.get("message")).partition("\n")[0]
    return Suspect(id_, line(title, 200), line(named, 100), safe_url(commit.get("url")), line(why))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
