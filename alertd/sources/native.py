"""Native JSON (interface.md §1): one object, an array, NDJSON lines or one Kafka value.

An optional field that is null is absent. An empty array and an empty NDJSON body hold no events, which is no error.
All or nothing: any problem in a body refuses the whole body. An event is within its bound in its normal form, or as it was
sent: what alertd fills in, and spaces between, make none too large.

`build` is the hot path: it says yes to a good event in a straight line and None to everything else; what it refused
is looked at again with its nulls removed, and then explained by `alertd.sources.explain`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from alertd.errors import DecodeError, NotJsonError, TooLargeError
from alertd.model.compact import compact
from alertd.model.event import LABEL_NAME_MAX, LABEL_VALUE_MAX, LABELS_MAX, Event
from alertd.model.severity import BY_WORD, Severity
from alertd.sources.document import check_count, check_size, depth_of, is_deeper, kind_of, load, unreadable
from alertd.sources.explain import KNOWN, explain
from alertd.sources.fields import (
    SOURCE_MAX,
    URL_MAX,
    is_key,
    is_name,
    is_place,
    is_plain_time,
    is_type,
    read_time,
    time_text,
)
from alertd.sources.problems import Problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.sources.base import Context

_INFO = Severity.INFO
_SEVERITIES = {word: (severity, severity.word) for word, severity in BY_WORD.items()}
_REFUSED = -1000
_DATA_DEPTH = 2


def decode_json(body: bytes, context: Context) -> list[Event]:
    """Decode an object (pointers such as `/type`) or an array of them (`/3/type`). Errors: see `alertd.sources.base`."""
    value = load(body, context)
    if isinstance(value, dict):
        return [_single(value, body, context)]
    if not isinstance(value, list):
        raise DecodeError(f"expected an event or an array of events, found {kind_of(value)}")
    check_count(len(value), context)
    problems = Problems()
    decoded = [
        build(item, context) or decode_object(item, f"/{index}", context, problems, partial(sent_bytes, item))
        for index, item in enumerate(value)
    ]
    problems.check()
    return [event for event in decoded if event is not None]


def decode_ndjson(body: bytes, context: Context) -> list[Event]:
    """Decode one object per line; pointers begin with the line's index from 0, blank lines are skipped but counted.

    Errors: see `alertd.sources.base`; `NotJsonError` names every line that is not JSON, beside the other problems.
    """
    check_size(body, context)
    lines = [(index, line) for index, line in enumerate(body.split(b"\n")) if line and not line.isspace()]
    check_count(len(lines), context)
    problems = Problems()
    events = []
    for index, line in lines:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            wrong = unreadable(error, context)
            for problem in wrong.problems:
                problems.add(f"/{index}", f"line {index + 1}: {problem.detail}", type(wrong))
            continue
        event = build(value, context) or decode_object(
            value, f"/{index}", context, problems, partial(sent_bytes, value, line)
        )
        if event is not None:
            events.append(event)
    problems.check()
    return events


def decode_record(value: bytes | None, context: Context) -> Event:
    """Decode the value of one Kafka record, which holds one event. Errors: see `alertd.sources.base`."""
    if value is None:
        raise NotJsonError("the record has no value")
    return _single(load(value, context), value, context)


def _single(value: Any, text: bytes, context: Context) -> Event:
    event = build(value, context)
    if event is None:
        problems = Problems()
        event = decode_object(value, "", context, problems, partial(sent_bytes, value, text))
        if event is None:
            raise problems.error()
    return event


def decode_object(
    value: Any, pointer: str, context: Context, problems: Problems, sent: Callable[[], int] | None = None
) -> Event | None:
    """Decode one parsed JSON value; None after adding to `problems` every place that is wrong, below `pointer`.

    `sent` says how many bytes it took as it was sent; without it only its normal form counts.
    """
    if not isinstance(value, dict):
        problems.add(pointer, f"expected an event, which is an object, found {kind_of(value)}")
        return None
    given = {name: item for name, item in value.items() if item is not None or name not in KNOWN}
    event = build(given, context)
    if event is not None:
        return event
    before = len(problems)
    explain(value, pointer, context, problems)
    if len(problems) > before:
        return None
    most = context.bounds.max_event_bytes
    if sent is None or sent() > most or (event := assemble(given, context)) is None:
        problems.add(pointer, f"the event has more than {most} bytes as JSON", TooLargeError)
        return None
    event.payload = compact(orjson.dumps(event.body))
    return event


def sent_bytes(value: Any, text: bytes = b"") -> int:
    """Tell how large a value is without spaces between its parts, and with them where its text is known."""
    return max(len(text.strip()), len(orjson.dumps(value)))


def build(value: Any, context: Context) -> Event | None:
    """Make the event of a parsed JSON value; None when anything about it is unusual. Never raises."""
    event = assemble(value, context)
    return None if event is None else seal(event, context)


def assemble(value: Any, context: Context) -> Event | None:  # noqa: C901, PLR0911, PLR0912 - the hot path: one straight line
    """Make the event of a parsed JSON value but for its payload; None when anything about it is unusual. Never raises."""
    if type(value) is not dict:
        return None
    get = value.get
    kind = get("type")
    if type(kind) is not str or not is_type(kind):
        return None
    given_id = get("id")
    body: dict[str, Any]
    if given_id is None:
        given_id = ""
        body = {"type": kind}
        taken = 1
    elif type(given_id) is str and is_name(given_id):
        body = {"id": given_id, "type": kind}
        taken = 2
    else:
        return None
    workspace = get("workspace")
    if workspace is None:
        workspace = context.workspace
    elif workspace == context.workspace or (
        not context.confined and type(workspace) is str and workspace in context.workspaces
    ):
        taken += 1
    else:
        return None
    body["workspace"] = workspace
    project = get("project")
    if project is None:
        project = ""
    elif type(project) is str and is_place(project):
        body["project"] = project
        taken += 1
    else:
        return None
    environment = get("environment")
    if environment is None:
        environment = ""
    elif type(environment) is str and is_place(environment):
        body["environment"] = environment
        taken += 1
    else:
        return None
    return _finish(
        value, context, Event(kind, given_id, workspace, project, environment, _INFO, "", "", body, b""), taken
    )


def _finish(value: dict[str, Any], context: Context, event: Event, taken: int) -> Event | None:  # noqa: C901, PLR0912 - as above
    """Fill in what follows the scope; `taken` counts the members that are accounted for so far."""
    get = value.get
    body = event.body
    source = get("source")
    if source is not None:
        if type(source) is not str or len(source) > SOURCE_MAX:
            return None
        body["source"] = source
        taken += 1
    word = get("severity")
    if word is None:
        body["severity"] = "info"
    else:
        if type(word) is not str or word not in _SEVERITIES:
            return None
        event.severity, body["severity"] = _SEVERITIES[word]
        taken += 1
    time = get("time")
    if time is None:
        time = time_text(context.now_ms)
    else:
        if type(time) is not str:
            return None
        if not is_plain_time(time):
            time = read_time(time)
            if time is None:
                return None
        taken += 1
    event.time = body["time"] = time
    key = get("key")
    if key is None:
        key = event.type
    elif type(key) is str and is_key(key):
        taken += 1
    else:
        return None
    event.key = body["key"] = key
    extra = _extras(get, body, context)
    return event if taken + extra == len(value) else None


def _extras(get: Any, body: dict[str, Any], context: Context) -> int:  # noqa: C901, PLR0911 - as above
    """Copy message, url, labels and data; return how many there were, far below zero when one of them is refused."""
    taken = 0
    message = get("message")
    if message is not None:
        if type(message) is not str:
            return _REFUSED
        body["message"] = message
        taken = 1
    url = get("url")
    if url is not None:
        if type(url) is not str or len(url) > URL_MAX:
            return _REFUSED
        body["url"] = url
        taken += 1
    labels = get("labels")
    if labels is not None:
        if type(labels) is not dict or len(labels) > LABELS_MAX:
            return _REFUSED
        for name, text in labels.items():
            if type(text) is not str or len(text) > LABEL_VALUE_MAX or not 0 < len(name) <= LABEL_NAME_MAX:
                return _REFUSED
        body["labels"] = labels
        taken += 1
    data = get("data")
    if data is not None:
        if type(data) is not dict or context.bounds.max_depth < _DATA_DEPTH:
            return _REFUSED
        for item in data.values():
            if (type(item) is dict or type(item) is list) and is_deeper(item, depth_of(context) - _DATA_DEPTH):
                return _REFUSED
        body["data"] = data
        taken += 1
    return taken


def of_body(
    body: dict[str, Any], context: Context, write: Callable[[dict[str, Any]], bytes] = orjson.dumps
) -> Event | None:
    """Make the event of a body that is in its normal form already; None where it is beyond the bound on its size."""
    get = body.get
    event = Event(
        body["type"],
        body["id"],
        body["workspace"],
        get("project", ""),
        get("environment", ""),
        BY_WORD[body["severity"]],
        body["time"],
        body["key"],
        body,
        b"",
    )
    return seal(event, context, write)


def seal(event: Event, context: Context, write: Callable[[dict[str, Any]], bytes] = orjson.dumps) -> Event | None:
    """Write the payload and hold it against the bound; None for one that is beyond it."""
    payload = write(event.body)
    if len(payload) > context.bounds.max_event_bytes:
        return None
    event.payload = compact(payload)
    return event
