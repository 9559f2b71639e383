"""Incidents that other programs report, with the changes that came before them: events of type `incident.reported`.

Required: source, service, environment, timestamp (RFC 3339), severity, exception_type, message, and a stack trace of at
least one frame, the place of the crash first. The id is made of the body, so that the same report does nothing twice. A
shared secret is compared with the header `X-Incident-Webhook-Secret`.

`data` is laid out as that of an error (`alertd.sources.sentry_event`): title, level, exception with its frames, the crash
frame last (of a stack that is too large the calls next to it); and service, tags, links, change_window (deploy_time,
commits: id, timestamp, files; of one that is too large fewer files, those of the stack first, and `files_omitted`).
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, ClassVar, Final

import orjson

from alertd.errors import DecodeError, Problem
from alertd.model.incident import REPORTED
from alertd.sources.document import kind_of
from alertd.sources.fields import read_time
from alertd.sources.outside import TRIMMED, fitting, json_object, made
from alertd.sources.sentry_fields import cut, derived_id, first_line, labels_of, link_of, place_of

if TYPE_CHECKING:
    from alertd.model.event import Event
    from alertd.sources.base import Context
    from alertd.sources.outside import WebhookRequest
    from alertd.sources.sentry_defaults import SentryDefaults

SECRET: Final = "X-Incident-Webhook-Secret"  # noqa: S105 - a header's name
SEVERITIES: Final = {
    "warn": "warning",
    "warning": "warning",
    "err": "error",
    "error": "error",
    "crit": "critical",
    "critical": "critical",
    "fatal": "critical",
}
"""Words for a severity, in any case."""
TEXTS: Final = {
    "source": 64,
    "service": 128,
    "environment": 64,
    "timestamp": 64,
    "severity": 16,
    "exception_type": 512,
    "message": 8192,
}
"""What is required, and how long each may be in characters."""
FRAMES_MAX: Final = 200
FEWER_FRAMES: Final = (50, 20, 5)
"""So many calls are kept where all are too large; the first of these that is few enough."""
FILE_MAX: Final = 1024
FUNCTION_MAX: Final = 512
COMMITS_MAX: Final = 100
FILES_MAX: Final = 500
COMMIT_MAX: Final = 128
TAGS_MAX: Final = 64
TAG_NAME_MAX: Final = 128
TAG_MAX: Final = 512
LINK_MAX: Final = 2048


def is_report(given: Any) -> bool:
    """Tell whether a value that came without a word about what it is is a report: its members, and no `type` of ours."""
    return (
        isinstance(given, dict) and "type" not in given and given.keys() >= {"service", "exception_type", "stacktrace"}
    )


class IncidentDecoder:
    """Programs that report incidents."""

    source: ClassVar[str] = "incidents"

    def is_signed(self, request: WebhookRequest, secret: str, now_ms: int) -> bool:
        """Compare the shared secret."""
        given = request.headers.get(SECRET, "").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(secret.encode(), given)

    def decode(self, request: WebhookRequest, context: Context, defaults: SentryDefaults) -> list[Event]:
        """Make the event of a report. Raises DecodeError with every bad place."""
        body = json_object(request.read, context)
        problems = _Reader()
        texts = {name: problems.text(body, name, most) for name, most in TEXTS.items()}
        frames = problems.frames(body)
        tags = problems.map(body, "tags", TAG_MAX)
        links = problems.map(body, "links", LINK_MAX)
        window = problems.window(body)
        severity = defaults.severities.get(texts["severity"]) or SEVERITIES.get(texts["severity"].lower())
        if texts["severity"] and severity is None:
            problems.add("/severity", "expected warning, error or critical")
        time = read_time(texts["timestamp"])
        if texts["timestamp"] and time is None:
            problems.add("/timestamp", "expected an RFC 3339 time with its offset")
        problems.check()
        kind, message = texts["exception_type"], texts["message"]
        exception = {"type": kind, "value": message, "stacktrace": {"frames": frames[::-1]}}
        data: dict[str, Any] = {
            "title": cut(f"{kind}: {first_line(message, 200)}", 256),
            "level": "fatal" if severity == "critical" else severity,
            "exception": {"type": kind, "value": message, "values": [exception]},
            "release": tags.get("release"),
            "service": texts["service"],
            "links": links,
            "change_window": window,
        }
        data = {name: value for name, value in data.items() if value not in (None, {}, "")}
        project = place_of(defaults.project or texts["service"])
        key = defaults.issue_key(project, data, tags) if defaults.issue_key else None
        most_bytes = context.bounds.max_event_bytes
        data = _fitted(data, {_base(frame["filename"]) for frame in frames}, most_bytes // 2)
        data = _nearest(data, most_bytes // 4)
        native = {
            "type": defaults.type_of(REPORTED),
            "id": f"incident-{derived_id(request.read)}",
            "project": project,
            "environment": place_of(texts["environment"] or defaults.environment),
            "source": texts["source"],
            "severity": severity,
            "time": time,
            "key": key,
            "message": cut(message, 2000),
            "url": link_of(links.get("source_url"), *links.values()),
            "labels": labels_of(tags, set()),
            "data": data,
        }
        return [made(native, context)]


def _fitted(data: dict[str, Any], named: set[str], most_bytes: int) -> dict[str, Any]:
    """Leave out files of a large change window; those that are named as files of the stack go last."""

    def fewer(commit: dict[str, Any], most: int) -> dict[str, Any]:
        files = sorted(commit["files"], key=lambda file: _base(file) not in named)
        return {**commit, "files": files[:most], "files_omitted": max(0, len(files) - most)}

    window = data.get("change_window", {})
    commits = fitting(window.get("commits", []), most_bytes, fewer)
    if commits is None:
        return data
    return {**data, "change_window": {**window, "commits": commits}, TRIMMED: ["change_window.commits.files"]}


def _nearest(data: dict[str, Any], most_bytes: int) -> dict[str, Any]:
    """Leave out calls of a large stack trace, those farthest from the crash: better some of them than none."""
    exception = data["exception"]
    (raised,) = exception["values"]
    frames = kept = raised["stacktrace"]["frames"]
    for most in FEWER_FRAMES:
        if len(orjson.dumps(kept)) <= most_bytes:
            break
        kept = frames[-most:]
    if kept is frames:
        return data
    fewer = {**raised, "stacktrace": {"frames": kept}}
    trimmed = [*data.get(TRIMMED, ()), "exception.values.stacktrace.frames"]
    return {**data, "exception": {**exception, "values": [fewer]}, TRIMMED: trimmed}


def _base(file: str) -> str:
    return file.replace("\\", "/").rpartition("/")[2]


class _Reader:
    """Reads parts of a report and notes every bad place."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, pointer: str, detail: str) -> None:
        self._found.append(Problem(pointer, detail))

    def check(self) -> None:
        if self._found:
            raise DecodeError(self._found[:100])

    def text(self, given: dict[str, Any], name: str, most: int, at: str = "", *, needed: bool = True) -> str:
        value = given.get(name)
        if value is None and not needed:
            return ""
        if not isinstance(value, str) or not value:
            found = "nothing" if value is None else kind_of(value)
            self.add(f"{at}/{name}", f"expected a text, found {found}")
            return ""
        if len(value) > most:
            self.add(f"{at}/{name}", f"expected at most {most} characters")
            return ""
        return value

    def items(self, given: dict[str, Any], name: str, most: int, at: str = "") -> list[tuple[str, dict[str, Any]]]:
        value = given.get(name)
        if not isinstance(value, list) or len(value) > most:
            self.add(f"{at}/{name}", f"expected an array of at most {most} objects")
            return []
        found = []
        for n, item in enumerate(value):
            if isinstance(item, dict):
                found.append((f"{at}/{name}/{n}", item))
            else:
                self.add(f"{at}/{name}/{n}", f"expected an object, found {kind_of(item)}")
        return found

    def frames(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        frames: list[dict[str, Any]] = []
        for at, item in self.items(body, "stacktrace", FRAMES_MAX):
            frame: dict[str, Any] = {"filename": self.text(item, "file", FILE_MAX, at), "in_app": True}
            function = self.text(item, "function", FUNCTION_MAX, at, needed=False)
            line = item.get("line")
            if function:
                frame["function"] = function
            if line is not None and (type(line) is not int or line < 1):
                self.add(f"{at}/line", "expected a whole number of at least 1")
            elif line is not None:
                frame["lineno"] = line
            frames.append(frame)
        if body.get("stacktrace") == []:
            self.add("/stacktrace", "expected at least one frame")
        return frames

    def map(self, body: dict[str, Any], name: str, most: int) -> dict[str, str]:
        value = body.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict) or len(value) > TAGS_MAX:
            self.add(f"/{name}", f"expected an object of at most {TAGS_MAX} texts")
            return {}
        if any(len(key) > TAG_NAME_MAX for key in value):
            self.add(f"/{name}", f"expected names of at most {TAG_NAME_MAX} characters")
            return {}
        return {key: self.text(value, key, most, f"/{name}") for key in value if key and value[key] != ""}

    def window(self, body: dict[str, Any]) -> dict[str, Any]:
        value = body.get("change_window")
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.add("/change_window", f"expected an object, found {kind_of(value)}")
            return {}
        at = "/change_window"
        deployed = self._time(value, "deploy_time", at)
        return {
            "deploy_time": deployed,
            "commits": [self._commit(c, p) for p, c in self.items(value, "commits", COMMITS_MAX, at)],
        }

    def _commit(self, item: dict[str, Any], at: str) -> dict[str, Any]:
        files = item.get("files", [])
        if (
            not isinstance(files, list)
            or len(files) > FILES_MAX
            or not all(isinstance(f, str) and len(f) <= FILE_MAX for f in files)
        ):
            self.add(f"{at}/files", f"expected an array of at most {FILES_MAX} paths of at most {FILE_MAX} characters")
            files = []
        commit: dict[str, Any] = {"id": self.text(item, "id", COMMIT_MAX, at), "files": files}
        if item.get("timestamp") is not None:
            commit["timestamp"] = self._time(item, "timestamp", at)
        return commit

    def _time(self, given: dict[str, Any], name: str, at: str) -> str:
        value = self.text(given, name, TEXTS["timestamp"], at)
        time = read_time(value) if value else None
        if value and time is None:
            self.add(f"{at}/{name}", "expected an RFC 3339 time with its offset")
        return time or ""
