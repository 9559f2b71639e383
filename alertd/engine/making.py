"""The making of events: what alertd itself emits looks like any other event, with `source: alertd`.

Its id follows from its cause, so that what is decided again makes the same event again and not another one.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.model.compact import compact
from alertd.model.event import KEY_MAX, Event

if TYPE_CHECKING:
    from alertd.model.severity import Severity

SOURCE: Final = "alertd"
"""The source of every event that alertd makes."""
_DIGEST_BYTES: Final = 16


def made_id(prefix: str, *causes: str | int) -> str:
    """Make the id that follows from a cause: a prefix and a digest of what is told apart."""
    text = "\0".join(map(str, causes)).encode("utf-8", "surrogatepass")
    return f"{prefix}-{blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()}"


def make_event(
    *,
    type: str,  # noqa: A002 - an event's type is called type everywhere
    id: str,  # noqa: A002 - and its id id
    workspace: str,
    project: str,
    environment: str,
    severity: Severity,
    time: str,
    key: str,
    message: str,
    data: dict[str, Any],
    labels: dict[str, str] | None = None,
    source: str = SOURCE,
) -> Event:
    """Make an event; empty project and environment are left out, as a decoder would."""
    body: dict[str, Any] = {"id": id, "type": type, "workspace": workspace}
    if project:
        body["project"] = project
    if environment:
        body["environment"] = environment
    body |= {"source": source, "severity": severity.word, "time": time, "key": key[:KEY_MAX], "message": message}
    if labels:
        body["labels"] = labels
    body["data"] = data
    return Event(
        type, id, workspace, project, environment, severity, time, body["key"], body, compact(orjson.dumps(body))
    )
