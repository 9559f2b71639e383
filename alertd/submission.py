"""What arrives together is stored together: a submission; and the batch that is being made of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from alertd.errors import StoreUnavailableError
from alertd.store.base import Batch

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Container, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from alertd.engine.plan import Plan
    from alertd.model.event import Event
    from alertd.store.base import Partition, RejectedRecord
    from alertd.weighing import Deed, IssuesUnderWay

_RESULTS = ("duplicate", "accepted", "rejected")


@dataclass(frozen=True, slots=True)
class QueueBounds:
    """What may wait between arrival and commit. Units: events, bytes."""

    max_events: int = 10_000
    max_bytes: int = 64 * 1024 * 1024


class PlannedHook(Protocol):
    """Hears of every plan that was committed (for a live view)."""

    def __call__(self, plans: Sequence[Plan]) -> None:
        """Take committed plans."""


class Accepted(NamedTuple):
    """What became of one event of a submission."""

    id: str
    duplicate: bool


@dataclass(slots=True)
class Submission:
    """What one body, or one fetch of one partition, brought. All of it is stored together, or nothing.

    Shapes: `size` in bytes; for Kafka: `offsets` parallel to `events`, `next_offset` the record after the last one,
    `skipped` how many records become no event; `deed` is what is to be done to issues and incidents after the events of its
    batch.
    """

    source: str
    events: list[Event]
    size: int
    done: asyncio.Future[list[Accepted]]
    partition: Partition | None = None
    offsets: Sequence[int] = ()
    next_offset: int = 0
    rejected: Sequence[RejectedRecord] = ()
    skipped: int = 0
    deed: Deed | None = None

    def refuse(self, reason: str) -> None:
        """Say to whoever waits for an answer that it was not stored; Kafka's, which nobody waits for, is given up."""
        if self.partition is not None:
            self.done.cancel()
        elif not self.done.done():
            self.done.set_exception(StoreUnavailableError(reason))


def turn_away(submissions: list[Submission], workspaces: AbstractSet[str]) -> list[Submission]:
    """Take out what has waited for a workspace that is no more, and say so to whoever waits for an answer.

    Returns what was taken out; Kafka's stay, for their positions, and the events concerned are passed over.
    """
    gone_workspaces = {event.workspace for each in submissions for event in each.events} - workspaces
    if not gone_workspaces:
        return []
    gone = [
        each
        for each in submissions
        if each.partition is None and any(event.workspace in gone_workspaces for event in each.events)
    ]
    numbers = {id(each) for each in gone}
    submissions[:] = [each for each in submissions if id(each) not in numbers]
    for each in gone:
        each.refuse("the workspace was removed before this was stored")
    return gone


class BatchUnderWay:
    """One batch under way: its submissions, what of them is new, and the commit that is being made of it.

    Shapes: `seen` are (workspace, id) of the events that are stored already or in this batch; `made` counts the events
    that alertd has made itself.
    """

    def __init__(self, submissions: list[Submission], positions: Mapping[Partition, int]) -> None:
        self.submissions = submissions
        self.known: dict[tuple[str, str], int] = {}
        self.batch = Batch()
        self.issues: IssuesUnderWay | None = None
        self.seen: set[tuple[str, str]] = set()
        self.made = 0
        self._positions = positions
        self._starts: list[int] = []
        self._repeated: set[int] = set()

    def begin(self, revision: int) -> None:
        """Start the commit anew: positions and rejected records, no plans yet."""
        self.batch = Batch(revision)
        self.seen = set(self.known)
        self.made = 0
        self._repeated.clear()
        self._starts = [self._start(submission) for submission in self.submissions]

    def _start(self, submission: Submission) -> int:
        """Take note of a submission's position and rejected records; return where what is new in it begins."""
        if submission.partition is None:
            return 0
        reached = self.batch.positions.get(submission.partition)
        start = self._positions.get(submission.partition, 0) if reached is None else reached
        if submission.next_offset > start:
            self.batch.positions[submission.partition] = submission.next_offset
        self.batch.rejected += [r for r in submission.rejected if r.offset >= start]
        return start

    def fresh(self, workspaces: Container[str]) -> Iterator[Event]:
        """Every event of known workspaces that is neither stored already nor earlier in this batch."""
        seen = self.seen
        for event in self._unread():
            if event.workspace not in workspaces:
                self._repeated.add(id(event))
                continue
            if event.id and not event.made:
                name = (event.workspace, event.id)
                if name in seen:
                    self._repeated.add(id(event))
                    continue
                seen.add(name)
            yield event

    def _unread(self) -> Iterator[Event]:
        for submission, start in zip(self.submissions, self._starts, strict=True):
            if not submission.offsets or submission.offsets[0] >= start:
                yield from submission.events
                continue
            for event, offset in zip(submission.events, submission.offsets, strict=True):
                if offset >= start:
                    yield event
                else:
                    self._repeated.add(id(event))

    def results(self, submission: Submission) -> list[Accepted]:
        """What became of each event of a submission; for Kafka, to whom nobody answers, nothing."""
        if submission.partition is not None:
            return []
        repeated = self._repeated
        return [Accepted(event.id, id(event) in repeated) for event in submission.events]

    def tally(self) -> dict[tuple[str, str], int]:
        """How many events came, by source and result."""
        by_source: dict[str, list[int]] = {}
        skipped: dict[tuple[str, str], int] = {}
        for submission in self.submissions:
            repeated = sum(id(event) in self._repeated for event in submission.events) if self._repeated else 0
            counts = by_source.get(submission.source) or by_source.setdefault(submission.source, [0, 0, 0])
            counts[0] += repeated
            counts[1] += len(submission.events) - repeated
            counts[2] += len(submission.rejected)
            if submission.skipped:
                own = (submission.source, "skipped")
                skipped[own] = skipped.get(own, 0) + submission.skipped
        counted = skipped | {
            (source, result): count
            for source, counts in by_source.items()
            for result, count in zip(_RESULTS, counts, strict=True)
        }
        if self.made:
            own = ("alertd", "accepted")
            counted[own] = counted.get(own, 0) + self.made
        return counted
