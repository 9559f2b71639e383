"""Every statement of the SQLite store may fail: what was asked for is then not done at all, and done when it is asked again.

A life of a store is played once as it is, and once with a failure at each statement of each of its steps, one after the
other. After every failure the file holds what it held before; in the end both files hold the same, also when opened anew.
"""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from alertd.clock import DAY_MS
from alertd.engine.issues.forgetting import Age
from alertd.engine.issues.incidents import open_for_deploy
from alertd.engine.issues.merging import merge
from alertd.engine.state import Count, Series
from alertd.errors import DuplicateEventsError, StoreUnavailableError
from alertd.model.change import Change, ChangeKind
from alertd.model.delivery import DeliveryState
from alertd.model.fact import SubscriptionFacts, TypeFacts
from alertd.model.ids import first_of
from alertd.model.token import Role, Token
from alertd.store.base import Acknowledgement, Batch, DestinationState, RejectedRecord
from alertd.store.digests import Spill
from alertd.store.facts import KeptFacts
from alertd.store.issues import IssueEvent, IssueWrites, Reshaped
from alertd.store.replaying import Replay, ReplayRule, ReplayState
from alertd.store.resource import AuditEntry, RulesetDocument, StoredResource
from alertd.store.sqlite import recent_keys, shapes
from alertd.store.sqlite.connection import SqliteOptions
from alertd.store.sqlite.store import SqliteStore, open_sqlite
from tests.conformance.issue_suite import batch, writes
from tests.conformance.resource_suite import entry
from tests.conformance.store_maker import NAMES, START_MS, Maker, StillClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from alertd.engine.plan import Plan

FULL, BROKEN = sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR
"""After the one the connection goes on, after the other it is opened anew."""
KEPT_MS = 30 * DAY_MS
RUNS = StoredResource("channel", "default", "runs", 1, b'{"name":"runs"}', START_MS, START_MS)
CI = Token(7, "ci", Role.VIEWER, "default", b"a" * 32, START_MS)


@dataclass
class Fuse:
    """Lets the `left`-th statement from now fail, of whatever connection; `code` says how."""

    left: int = 0
    code: int = FULL

    def pass_on(self) -> None:
        """Count a statement. Raises OperationalError when it is the one."""
        self.left -= 1
        if self.left == 0:
            error = sqlite3.OperationalError("the disk")
            error.sqlite_errorcode = self.code
            raise error


@pytest.fixture
def fuse(monkeypatch: pytest.MonkeyPatch) -> Fuse:
    """Put a fuse into every connection that is opened from now on; few keys are merged at once, few events outlined."""
    made, connect = Fuse(), sqlite3.connect

    class Fused(sqlite3.Connection):
        @override
        def execute(self, *given: Any) -> sqlite3.Cursor:
            made.pass_on()
            return super().execute(*given)

        @override
        def executemany(self, *given: Any) -> sqlite3.Cursor:
            made.pass_on()
            return super().executemany(*given)

    monkeypatch.setattr(sqlite3, "connect", lambda *given, **named: connect(*given, **{"factory": Fused, **named}))
    for module, name, value in (
        (shapes, "OUTLINE_EVENTS", 3),
        (recent_keys, "BUCKETS", 16),
        (recent_keys, "_BUCKET_SHIFT", 28),
        (recent_keys, "_BIT_SHIFT", 14),
    ):
        monkeypatch.setattr(module, name, value)
    return made


def held(path: Path) -> dict[str, list[str]]:
    """Say what a file holds, table by table; not what only saves looking (`key_filter`), which an opening makes anew."""
    with closing(sqlite3.connect(path, factory=sqlite3.Connection)) as conn:
        tables = [row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables.remove("key_filter")
        return {table: sorted(map(repr, conn.execute(f"SELECT * FROM {table}"))) for table in tables}  # noqa: S608 - our own


@dataclass
class Life:
    """What happens to a store, step by step; `parted` are the steps that are several transactions."""

    store: SqliteStore
    make: Maker
    plans: list[Plan] = field(default_factory=list)
    parted: frozenset[str] = frozenset({"retain", "forget", "cancel_destination", "expire", "digest"})

    def steps(self) -> Iterator[tuple[str, Callable[[], Awaitable[object]]]]:
        """Give each step with its name, made ready so that it may be done again."""
        for part in (self._events, self._deliveries, self._resources, self._issues, self._replays, self._end):
            yield from part()

    def _one(self, name: str, *given: Any) -> tuple[str, Callable[[], Awaitable[object]]]:
        return name, lambda: getattr(self.store, name)(*given)

    def _commit(self, plans: Sequence[Plan], **more: Any) -> tuple[str, Callable[[], Awaitable[object]]]:
        self.plans += plans
        return self._one("commit", Batch(1, [*plans], **more))

    def _ids(self) -> list[int]:
        return [plan.deliveries[0].id for plan in self.plans if plan.deliveries]

    def _events(self) -> Iterator[Any]:
        make, key = self.make, (7, "shop", "prod", "k")
        record = RejectedRecord(make.ids.take(), "default", "t", 0, 5, "no", b"x", 1, "")
        shared = make.plan("shared", to=(3, 4))
        shared.deliveries[0].also = (8,)
        yield self._commit(
            [make.plan("a"), make.plan(), shared], positions={("t", 0): 7}, rejected=[record],
            cooldowns={key: START_MS + 9}, counts={key: Count(2, START_MS + 9)}, series={key: Series(1.5, START_MS, START_MS)},
        )  # fmt: skip
        for name in ("b", "c"):
            yield self._commit([make.plan(name, project=name), make.plan(f"{name}{name}", to=())], series={key: None})
        yield self._commit([make.plan(f"many-{n}", to=(4,)) for n in range(9)])
        yield self._one("set_position", ("t", 1), 3)
        yield self._one("acknowledge", self.plans[0].number, Acknowledgement("ann", START_MS), [entry(101)])
        yield self._one("forget_rejected", record.id, entry(105))
        yield self._one("fold", 1)

    def _deliveries(self) -> Iterator[Any]:
        make, (one, two, three, waiting, *_) = self.make, self._ids()
        yield self._one("record", [make.attempt(one), make.attempt(two, 1, DeliveryState.RETRYING)])
        again = [make.attempt(two, 2, DeliveryState.RETRYING), make.attempt(two, 3, DeliveryState.DEAD)]
        yield self._one("record", [make.attempt(one), *again, make.attempt(three)])
        yield self._one("set_destination_state", 3, DestinationState("gone", START_MS, START_MS + 5), [entry(108)])
        yield self._one("cancel", waiting, "cancelled", entry(104))
        spill = Spill(4, 2, frozenset(), frozenset(), make.ids.take(), 0, START_MS)
        yield self._one("digest", spill)
        facts = KeptFacts(
            self.plans[-1].number, one, {7: SubscriptionFacts(3, 2)}, {(1, "x"): TypeFacts(1, 2, 3)}, [(1, "y")]
        )
        yield self._one("keep_facts", facts)
        yield self._one("remember", 3, "thread", "t1", START_MS)
        yield self._one("set_meta", "a", "b")

    def _resources(self) -> Iterator[Any]:
        def line(action: str) -> AuditEntry:
            return AuditEntry(self.make.ids.take(), "default", "ann", action, "channel", "runs", None, b"{}")

        lines = tuple(b"line %d" % n for n in range(200))
        yield self._one("change_resources", [RUNS], [], [line("created")], RulesetDocument(1, lines))
        yield self._one(
            "change_resources", [replace(RUNS, version=2)], [], [line("updated")], RulesetDocument(2, lines[:-1])
        )
        yield self._one("keep_revision", RulesetDocument(3, (*lines, b"more")))
        yield self._one("add_token", CI, [line("token")])
        yield self._one("change_token", replace(CI, role=Role.ADMIN), [line("token")])
        yield self._one("touch_tokens", {7: START_MS + 1})
        yield self._one("remove_token", 7, [line("token")])
        yield self._one("change_resources", [], [RUNS.key, ("workspace", "other", "other")], [line("deleted")])

    def _issues(self) -> Iterator[Any]:
        made = batch("a", "b")
        one, two = made.issues.values()
        push = Change(ChangeKind.PUSH, "shop", START_MS, revision="a" * 40)
        plan = self.make.plan("error")
        kept = writes(made, IssueEvent(plan.number, one.id, b"{}", "a"), IssueEvent(plan.number + 1, two.id))
        kept.incidents, kept.changes = [open_for_deploy(1, 1, push, START_MS)], [(10, 1, push)]
        yield self._commit([plan], issues=kept)
        joined, transition = merge(one, [two], START_MS + 9, "ann")
        keys = {(1, "shop", key): one.id for key in joined.keys}
        reshaped = Reshaped(merged=[(two, one.id)])
        told = [entry(102)]
        whole = IssueWrites([joined], keys, transitions=[(99, transition)], reshaped=reshaped, audit=told)
        yield self._one("write_issues", whole)
        back = Reshaped(revived=[two.id], moved=[(one.id, two.id, frozenset({"b"}))])
        yield self._one("write_issues", IssueWrites([one, two], {(1, "shop", "b"): two.id}, reshaped=back))

    def _replays(self) -> Iterator[Any]:
        make, (one, two, *_) = self.make, self._ids()
        yield self._one("replay", one, make.ids.take(), START_MS, ReplayRule(3, actor="ann"), [entry(103)])
        ended = self._ids()[-10:-2]
        many = Replay(make.ids.take(), "default", "ann", b"{}", 5, 0, 1.0, len(ended) + 1)
        yield self._one("begin_replay", many, [two, *ended], [entry(106)])
        for _ in range(2):
            yield self._one("step_replay", many.id, make.ids.take(2), 2, START_MS, frozenset({3}))
        yield self._one("end_replay", many.id, ReplayState.CANCELLED, "enough", START_MS, lambda _: entry(107))

    def _end(self) -> Iterator[Any]:
        yield self._one("expire", 4, START_MS + 1, "gave_up", ())
        for destination in (3, 5):
            yield self._one("cancel_destination", destination, "destination_removed", ())
        far = START_MS + KEPT_MS + DAY_MS
        yield self._one("forget_issues", Age(far, KEPT_MS), 0, 10)
        yield self._one("forget_incidents", Age(far + KEPT_MS, KEPT_MS), 0, 10)
        yield self._one("forget_changes", far, 10)
        yield self._one("forget", far)
        for _ in range(2):
            yield self._one("retain", first_of(far) >> 20, 5)
        yield self._one("forget_samples", 10)
        yield self._one("forget_revisions")
        yield self._commit([self.make.plan("last")])


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteStore]:
    """Open a store in whose memory three keys wait."""
    store = await open_sqlite(path, StillClock(), SqliteOptions(recent_keys=3))
    try:
        yield store
    finally:
        await store.close()


async def _done(life: Life, path: Path, fuse: Fuse, name: str, step: Callable[[], Awaitable[object]]) -> int:
    """Do a step after a failure at each of its statements; return how many these were."""
    for number in count(1):
        before = held(path)
        fuse.left = number
        try:
            await step()
        except StoreUnavailableError:
            assert name in life.parted or held(path) == before, (name, number)
            continue
        left, fuse.left = fuse.left, 0
        assert left > 0, f"statement {number} of {name} failed, and nobody was told"
        return number - 1
    raise AssertionError


@pytest.mark.parametrize("code", [FULL, BROKEN])
async def test_a_life_of_failures_is_a_life(tmp_path: Path, fuse: Fuse, code: int) -> None:
    """Step by step, statement by statement: nothing of what failed is there, all of what was done is, now and later."""
    base, smooth, rough = (tmp_path / name for name in ("base.db", "smooth.db", "rough.db"))
    async with opened(base) as store:
        await store.intern(NAMES)
        await store.set_meta("made", "1")
    failures: dict[str, int] = {}
    for path in (smooth, rough):
        path.write_bytes(base.read_bytes())
        async with opened(path) as store:
            life = Life(store, Maker(StillClock(), store.salt))
            fuse.code = code
            for name, step in life.steps():
                if path is smooth:
                    await step()
                else:
                    failures[name] = failures.get(name, 0) + await _done(life, path, fuse, name, step)
        fuse.left = 0
    assert min(failures.values()) > 2, failures  # each begins and commits
    assert held(rough) == held(smooth)
    async with opened(rough) as store:
        plans = [(plan.event.id, plan.number) for plan in life.plans]
        there = {name: number for name, number in plans if await store.event("default", name)}
        assert 1 < len(there) < len(plans)
        make = Maker(StillClock(), store.salt, await store.newest_number())
        with pytest.raises(DuplicateEventsError) as caught:
            await store.commit(Batch(1, [make.plan(name) for name in there]))
        assert caught.value.known == {("default", name): number for name, number in there.items()}


@pytest.mark.parametrize("code", [FULL, BROKEN])
async def test_an_opening_and_a_closing_may_fail_anywhere(tmp_path: Path, fuse: Fuse, code: int) -> None:
    """What is there stays there, and the file is free for the next try; a closing that fails still lets go of it."""
    path, fuse.code = tmp_path / "alertd.db", code
    async with opened(path) as store:
        await store.intern(NAMES)
        make = Maker(StillClock(), store.salt)
        for number in range(8):
            await make.stored(store, f"e{number}")
    before = held(path)["event"]
    failed = 0
    for number in count(1):
        fuse.left = number
        try:
            store = await open_sqlite(path, StillClock(), SqliteOptions(recent_keys=3))
        except StoreUnavailableError:
            failed += 1
            continue
        opening, fuse.left = fuse.left, 0
        await make.stored(store, f"open-{number}")
        fuse.left = number
        await store.close()
        closing, fuse.left = fuse.left, 0
        if opening > 0 and closing > 0:
            break
    assert failed > 15
    assert set(before) < set(held(path)["event"])
    async with opened(path) as store:
        assert len([number for number in range(8) if await store.event("default", f"e{number}")]) == 8
        with pytest.raises(DuplicateEventsError):
            await make.stored(store, "e0")
