"""What the rest of alertd asks of a store: small protocols, one for each consumer.

Every method that writes is atomic: when it raises, nothing of it was stored. `StoreUnavailableError` means that the
store cannot write now and that the call may be repeated. A write that has been awaited is durable against power loss.
No protocol assumes that only this process writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from alertd.model.ids import END, first_of
from alertd.model.selection import Selection
from alertd.store.digests import DigestStore
from alertd.store.facts import FactStore
from alertd.store.following import FollowStore
from alertd.store.issues import IssueStore
from alertd.store.recall import RecallStore
from alertd.store.replaying import ReplayStore
from alertd.store.resource import ResourceStore

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from alertd.engine.plan import Plan
    from alertd.engine.state import CooldownKey, Count, RuleKey, Series
    from alertd.model.delivery import Attempt, Delivery, DeliveryState
    from alertd.model.ids import NameKey
    from alertd.model.token import Token
    from alertd.store.issues import IssueWrites
    from alertd.store.resource import AuditEntry, RulesetDocument

RUN: Final = "run"
"""The small fact that names the run which was ready last; a backup does not hold it, because no run ended on a copy."""

Partition = tuple[str, int]
"""(topic, partition)"""


@dataclass(slots=True)
class RejectedRecord:
    """A Kafka record that could not be read; `bytes` is its value up to a bound, `size` its true length.

    `headers` are the record's own as JSON, `[[name, value in base64 or null], …]`, up to a bound; empty: none.
    """

    id: int
    workspace: str
    topic: str
    partition: int
    offset: int
    reason: str
    bytes: bytes
    size: int
    headers: str = ""


@dataclass(slots=True)
class Batch:
    """What one pipeline commit stores, all of it or nothing.

    Shapes: `revision` numbers the ruleset that planned it; `positions` maps partitions to the offset of the next
    record to read; `cooldowns`, `counts` and `series` are the merged changes of all plans (a series that is None is
    forgotten).
    """

    revision: int = 0
    plans: list[Plan] = field(default_factory=list)
    positions: dict[Partition, int] = field(default_factory=dict)
    rejected: list[RejectedRecord] = field(default_factory=list)
    cooldowns: dict[CooldownKey, int] = field(default_factory=dict)
    counts: dict[RuleKey, Count] = field(default_factory=dict)
    series: dict[RuleKey, Series | None] = field(default_factory=dict)
    issues: IssueWrites | None = None


class PipelineStore(IssueStore, Protocol):
    """What the pipeline needs."""

    async def commit(self, batch: Batch) -> None:
        """Store a batch in one transaction.

        Raises DuplicateEventsError when ids of its events (those not made by us, or made by us and stored) are known,
        StoreUnavailableError when the store cannot write.
        """

    async def positions(self) -> dict[Partition, int]:
        """All stored Kafka positions: the offset of the next record to read."""

    async def set_position(self, partition: Partition, offset: int) -> None:
        """Move a position outside a commit (a topic made anew)."""

    async def cooldowns(self, now_ms: int) -> dict[CooldownKey, int]:
        """All cooldowns that still rest at `now_ms`."""

    async def counts(self, now_ms: int) -> dict[RuleKey, Count]:
        """All counts that go on at `now_ms`."""

    async def series(self) -> dict[RuleKey, Series]:
        """All series that metric alerts follow."""


@dataclass(slots=True)
class Due:
    """A page of the outbox: deliveries that are due, oldest due first; when the next one will be; whether more are due."""

    deliveries: list[Delivery]
    next_at_ms: int | None
    more: bool


@dataclass(frozen=True, slots=True)
class DestinationState:
    """What outlives a restart about a destination: why it is disabled, since when; until when its lane rests."""

    disabled_reason: str = ""
    disabled_at_ms: int | None = None
    paused_until_ms: int | None = None


class OutboxStore(DigestStore, Protocol):
    """What delivery needs."""

    async def due(self, destination_id: int, now_ms: int, limit: int, held: Collection[int]) -> Due:
        """Up to `limit` deliveries of a destination that are due and not among `held`. Writes nothing."""

    async def destinations_with_work(self) -> list[int]:
        """Ids of all destinations that have deliveries which are not final."""

    async def names(self) -> Mapping[int, NameKey]:
        """Every name ever given, by number: also of destinations that are no more."""

    async def record(self, attempts: Sequence[Attempt]) -> None:
        """Store finished attempts and their deliveries' new states, in one transaction.

        A delivery that retention or a cancel removed meanwhile stays as it is.
        """

    async def cancel_destination(self, destination_id: int, reason: str, held: Collection[int]) -> int:
        """Cancel all pending and retrying deliveries of a destination but `held`, in slices; return how many."""

    async def cancel(self, delivery_id: int, reason: str, audit: AuditEntry | None = None) -> DeliveryState:
        """Cancel one delivery if it is pending or retrying, and only then keep that in the log of changes.

        Return the state that it was in. Raises NotFoundError.
        """

    async def expire(self, destination_id: int, created_before_ms: int, reason: str, held: Collection[int]) -> int:
        """Make dead all pending and retrying deliveries made before a time, but `held`; return how many."""

    async def hasten(self, destination_id: int, held: Collection[int]) -> int:
        """Make due now what waits of a destination for a later attempt, but `held`, in slices; return how many."""

    async def destination_states(self) -> dict[int, DestinationState]:
        """Everything kept about destinations, by destination id."""

    async def set_destination_state(
        self, destination_id: int, state: DestinationState, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Keep a destination's state, and in the log of changes how it came about; lines that are there already are fine."""

    async def outbox_counts(self) -> dict[tuple[int, DeliveryState], int]:
        """How many deliveries are pending and retrying, by (destination id, state)."""


@dataclass(frozen=True, slots=True)
class Page:
    """Items, newest first, and the number to continue below (None: this was the last page).

    A store may end a page of large items before it has as many as were asked for. `complete` False: the look stopped at its
    bound before the page was full; everything down to `next_below` was looked at, and the search goes on there.
    """

    items: list[dict[str, Any]]
    next_below: int | None
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Filter(Selection):
    """Which rows of the history: a page of what is selected. `workspace` None: of all; `below` continues a page.

    `in_flight` holds the deliveries that are being attempted: the state `in_flight` means these, and no other state does.
    """

    workspace: str | None = None
    below: int | None = None
    limit: int = 50
    in_flight: frozenset[int] = frozenset()

    @property
    def bounds(self) -> tuple[int, int]:
        """The least number that is meant, and one that all of them are below."""
        low = 0 if self.since_ms is None else first_of(self.since_ms)
        until = END if self.until_ms is None else first_of(self.until_ms)
        return low, until if self.below is None else min(self.below, until)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Who took note of an alert, and when."""

    actor: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Reached:
    """Whom a delivery of an event is for, by the store's numbers, and where it stands."""

    delivery_id: int
    destination_id: int
    subscription_id: int
    state: DeliveryState


class HistoryStore(Protocol):
    """What the API reads. Rows are plain dicts with the store's own numbers:

    event: `number, workspace_id, type, matched, payload (bytes), verdicts (bytes), revision`
    delivery: `id, event_number, event_id, event_type, workspace_id, destination_id, subscription_id, channel_id, state
    (DeliveryState), attempts, next_at_ms, started_at_ms, duration_us, outcome, status, detail, answer, replay_of, digest_count
    (of a digest: how many deliveries it stands for), digest_id (the digest that a delivery came together in), replayed_by (who
    asked for a replay), replay_id (the replay of many that it is part of); None: it is, or has, none`, and `also`, the further
    subscriptions that it serves; one that is asked for by its id brings its event's `payload` as well
    attempt: `number, started_at_ms, duration_us, outcome (OutcomeKind), status, detail, answer`
    rejected: `id, workspace_id, workspace, topic, partition, offset, reason, bytes, size, headers`
    """  # noqa: D400 - the table belongs together

    async def events(self, which: Filter, *, matched: bool | None = None) -> Page:
        """Accepted events, newest first; `matched` True gives the alerts alone."""

    async def event(self, workspace: str, event_id: str) -> dict[str, Any] | None:
        """One event by its own id."""

    async def event_by_number(self, number: int) -> dict[str, Any] | None:
        """One event by its number (an alert's id)."""

    async def numbers_of(self, workspace: str, event_ids: Collection[str]) -> dict[str, int]:
        """The numbers of those of these ids that events have brought, by id."""

    async def deliveries(self, which: Filter) -> Page:
        """Deliveries, newest first."""

    async def delivery_ids(self, which: Filter) -> tuple[list[int], int | None]:
        """What `deliveries` would show, as ids alone, and where to continue below (None: this was the last page)."""

    async def deliveries_of(self, numbers: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
        """All deliveries of some events, in the order in which they were made; events without any are left out."""

    async def reached(self, numbers: Sequence[int]) -> dict[int, list[Reached]]:
        """The same deliveries, as little as a summary needs of them."""

    async def delivery(self, delivery_id: int) -> dict[str, Any] | None:
        """One delivery."""

    async def attempts(self, delivery_id: int) -> list[dict[str, Any]]:
        """All attempts of a delivery, first to last."""

    async def attempts_of(self, delivery_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
        """All attempts of some deliveries; deliveries without any are left out."""

    async def acknowledge(
        self, number: int, acknowledgement: Acknowledgement, audit: Sequence[AuditEntry] = ()
    ) -> bool:
        """Keep that somebody took note of an alert, and that in the log of changes; the first one stays.

        Return whether this is it. Raises NotFoundError.
        """

    async def acknowledgements(self, numbers: Sequence[int]) -> dict[int, Acknowledgement]:
        """Those of some events that were acknowledged."""

    async def rejected(self, which: Filter) -> Page:
        """Rejected records, newest first (only `workspace`, `below` and `limit` are looked at)."""

    async def rejected_record(self, record_id: int) -> dict[str, Any] | None:
        """One rejected record."""

    async def forget_rejected(self, record_id: int, audit: AuditEntry | None = None) -> None:
        """Forget a rejected record that could be read after all, and keep that in the log of changes.

        One that is gone already is fine.
        """


class TokenStore(Protocol):
    """What authentication needs. Lines for the log of changes are kept together with what they tell of."""

    async def tokens(self) -> list[Token]:
        """All kept tokens."""

    async def add_token(self, token: Token, audit: Sequence[AuditEntry] = ()) -> None:
        """Keep a token. Raises ConflictError when the name is taken in its workspace."""

    async def change_token(self, token: Token, audit: Sequence[AuditEntry] = ()) -> None:
        """Keep another state of a token: its role, expiry and secrets. Raises NotFoundError."""

    async def remove_token(self, token_id: int, audit: Sequence[AuditEntry] = ()) -> None:
        """Forget a token. Raises NotFoundError."""

    async def touch_tokens(self, used: Mapping[int, int]) -> None:
        """Keep when tokens were last used, in milliseconds by token id; one that is gone is left out."""


class RevisionStore(Protocol):
    """What explains old decisions: the rulesets that made them."""

    async def keep_revision(self, document: RulesetDocument) -> None:
        """Keep a ruleset's document; revisions come in ascending order, and the last is the fact `revision`."""

    async def revision(self, revision: int) -> bytes | None:
        """The document of a revision; None when it is not kept (any more)."""

    async def forget_revisions(self) -> int:
        """Delete those that decided about nothing that is still there, but the newest; return how many."""


class NameStore(Protocol):
    """What gives named resources their lasting numbers."""

    async def intern(self, keys: Sequence[NameKey]) -> dict[NameKey, int]:
        """The numbers of all these names, making those that are new; a name keeps its number for ever.

        A new one is as durable as whatever is stored next, and nothing is stored before it.
        """

    async def names(self) -> Mapping[int, NameKey]:
        """Every name ever given, by number; what is given later appears in it."""

    async def get_meta(self, key: str) -> str | None:
        """A small fact kept in the store (`kafka_instance_id`, …)."""

    async def set_meta(self, key: str, value: str) -> None:
        """Keep a small fact."""


class MaintenanceStore(Protocol):
    """What housekeeping needs."""

    @property
    def salt(self) -> int:
        """The store's 54-bit constant in the ids that it makes for events."""

    async def newest_number(self) -> int:
        """The greatest number ever given to an event, a delivery, a rejected record or a replay; 0 in an empty store."""

    async def bring_back(self, now_ms: int) -> int:
        """Bring back what a clock that was ahead put off: a delivery made or last attempted after `now_ms` is due as
        long from now as it then was; return how many were brought back. For the start, before anything is due.
        """  # noqa: D205 - one thought, two lines

    async def retain(self, before_ms: int, limit: int) -> int:
        """Delete up to `limit` events received before a time whose deliveries are all final, with all that hangs on
        them, and rejected records as old; return how many events went. Call again until it returns 0.
        """  # noqa: D205 - one thought, two lines

    async def forget(self, now_ms: int) -> int:
        """Delete cooldowns, counts and series that are over at `now_ms`; return how many."""

    async def backup(self, path: str) -> None:
        """Write a consistent copy to a new file while everything goes on."""

    async def healthy(self) -> bool:
        """Whether the store can write now."""


class Store(
    PipelineStore,
    OutboxStore,
    HistoryStore,
    FollowStore,
    FactStore,
    RecallStore,
    ReplayStore,
    RevisionStore,
    TokenStore,
    NameStore,
    ResourceStore,
    MaintenanceStore,
    Protocol,
):
    """All of it, as the composition root holds it. Open with the adapter's own factory, close when all is done."""

    async def close(self) -> None:
        """Finish what was asked, then close."""
