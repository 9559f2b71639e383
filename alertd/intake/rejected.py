"""Rejected records, tried again: the bytes that were kept go the way of every record of their topic.

How a topic is read, who its workspace is and which schemas are refused may have changed since; that is the point.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.engine.refusal import refusals
from alertd.errors import ConflictError, DecodeError
from alertd.intake.kafka.options import Topic
from alertd.model.event import NAME_MAX
from alertd.model.ids import REJECTED, format_id
from alertd.sources.base import Context, ForbiddenWorkspaceError
from alertd.sources.detect import decode_kafka

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from alertd.clock import Clock
    from alertd.model.event import Bounds, Event
    from alertd.pipeline import Pipeline
    from alertd.submission import Accepted

SOURCE: Final = "kafka"
"""What they count as: records of Kafka, which they are."""


class RejectedIntake:
    """Takes rejected records again. `topics` says how records are read now; a topic that is read no more is looked at."""

    def __init__(
        self,
        pipeline: Pipeline,
        clock: Clock,
        bounds: Callable[[], Bounds],
        topics: Callable[[], Mapping[str, Topic]],
    ) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._bounds = bounds
        self._topics = topics

    async def submit(self, record: Mapping[str, Any], *, confined: bool) -> Accepted:
        """Store the event of a record, given as a row of the history, and return what became of it.

        `confined`: its event may only name the workspace of the record. An event that brings no id gets one that names
        the record, so that trying twice stores one event. Raises ConflictError for a record that was not kept whole,
        DecodeError when it still cannot be read, IntakeFullError and StoreUnavailableError as every submission does.
        """
        value: bytes = record["bytes"]
        if len(value) < record["size"]:
            raise ConflictError(f"only the first {len(value)} of the record's {record['size']} bytes were kept")
        event = self._read(record, value, confined=confined)
        if not event.id:
            place = f"kafka:{record['topic']}/{record['partition']}/{record['offset']}"
            _name(event, place if len(place) <= NAME_MAX else format_id(REJECTED, record["id"]))
        (accepted,) = await self._pipeline.submit([event], len(value), SOURCE)
        return accepted

    def _read(self, record: Mapping[str, Any], value: bytes, *, confined: bool) -> Event:
        topic = self._topics().get(record["topic"]) or Topic("auto", record["workspace"])
        ruleset = self._pipeline.ruleset
        workspaces = frozenset(ruleset.workspaces)
        context = Context(topic.workspace, self._clock.now_ms(), workspaces, self._bounds(), confined=False)
        event = decode_kafka(topic.format, headers_of(record["headers"]), value, context)
        if confined and event.workspace != record["workspace"]:
            raise ForbiddenWorkspaceError(f"its event belongs to another workspace than {record['workspace']!r}")
        if event.workspace not in workspaces:
            raise DecodeError(f"unknown workspace {event.workspace!r}")
        problems = refusals(ruleset, (event,), single=True)
        if problems:
            raise DecodeError(problems)
        return event


def headers_of(kept: str) -> list[tuple[str, bytes | None]]:
    """Read the headers of a rejected record as they were (`alertd.store.base.RejectedRecord`)."""
    pairs = orjson.loads(kept) if kept else []
    return [(name, None if value is None else base64.b64decode(value)) for name, value in pairs]


def _name(event: Event, name: str) -> None:
    """Give an event an id as if it had brought it."""
    event.id = event.body["id"] = name
    event.payload = b'{"id":' + orjson.dumps(name) + b"," + event.payload[1:]
