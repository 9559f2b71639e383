"""Kafka records to submissions: events where they can be read, rejected records where not. Pure but for ids."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.errors import DecodeError, Problem
from alertd.intake.kafka.unpacking import Unreadable
from alertd.sources.base import Context, NoEventError
from alertd.sources.detect import decode_kafka
from alertd.store.base import RejectedRecord
from alertd.submission import Submission

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alertd.intake.kafka.options import Topic
    from alertd.model.event import Bounds, Event
    from alertd.model.ids import IdSource

REJECTED_BYTES_MAX: Final = 65_536
"""How much of an unreadable record's value is kept."""
REJECTED_HEADERS_MAX: Final = 16_384
"""How much of its headers is kept, in bytes as they are written; what is beyond is left out."""


def read(
    partition: tuple[str, int],
    records: Sequence[Any],
    topic: Topic,
    *,
    now_ms: int,
    workspaces: frozenset[str],
    bounds: Bounds,
    ids: IdSource,
    refuse: Callable[[Event], Sequence[Problem]] | None = None,
) -> Submission:
    """Turn one fetch of one partition into a submission; never raises for what the records hold.

    `refuse` says what is wrong with an event that could be read.
    """
    context = Context(topic.workspace, now_ms, workspaces, bounds, confined=False)
    events: list[Event] = []
    offsets: list[int] = []
    rejected: list[RejectedRecord] = []
    size = skipped = 0
    for record in records:
        value = b"" if record.value is None else record.value
        size += len(value)
        if isinstance(value, Unreadable):
            rejected.append(_rejected(ids.take(), topic.workspace, record, value, value.reason))
            continue
        try:
            event = decode_kafka(topic.format, record.headers, record.value, context)
            if event.workspace not in workspaces:  # the topic's own, which its events need not name
                raise _unknown(event.workspace)
            if refuse is not None and (problems := refuse(event)):
                raise DecodeError(problems)  # noqa: TRY301 - told like any record that cannot be read
        except NoEventError:
            skipped += 1
        except DecodeError as error:
            rejected.append(_rejected(ids.take(), topic.workspace, record, value, str(error)))
        else:
            events.append(event)
            offsets.append(record.offset)
    done = asyncio.get_running_loop().create_future()
    return Submission("kafka", events, size, done, partition, offsets, records[-1].offset + 1, rejected, skipped)


def _unknown(workspace: str) -> DecodeError:
    return DecodeError([Problem("/workspace", f"unknown workspace {workspace!r}")])


def _rejected(number: int, workspace: str, record: Any, value: bytes, reason: str) -> RejectedRecord:
    return RejectedRecord(
        id=number,
        workspace=workspace,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason,
        bytes=value[:REJECTED_BYTES_MAX],
        size=len(value),
        headers=_written(record.headers),
    )


def _written(headers: Sequence[tuple[str, bytes | None]]) -> str:
    """Write headers as a rejected record keeps them."""
    kept, size = [], len("[]")
    for name, value in headers:
        pair = orjson.dumps((name, None if value is None else base64.b64encode(value).decode())).decode()
        size += len(pair.encode()) + 1
        if size > REJECTED_HEADERS_MAX:
            break
        kept.append(pair)
    return f"[{','.join(kept)}]" if kept else ""
