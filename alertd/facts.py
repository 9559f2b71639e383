"""Facts about subscriptions and types, kept up to date in memory and written once a second.

They are a fold over the history. A start after a crash goes on where the last write ended and reads what came after it:
nothing that was accepted is missing and nothing is counted twice, but outcomes of the very last second may be missing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

import structlog

from alertd.clock import DAY_MS
from alertd.errors import StoreError
from alertd.model.delivery import DeliveryState
from alertd.model.fact import SubscriptionFacts, TypeFacts
from alertd.model.ids import milliseconds
from alertd.model.verdict import VerdictCode, decode
from alertd.runtime import wait_event
from alertd.store.facts import KeptFacts
from alertd.undo import OnFailure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prometheus_client import Counter as Counted

    from alertd.clock import Clock
    from alertd.engine.plan import Plan
    from alertd.engine.ruleset import Ruleset
    from alertd.model.delivery import Attempt, Delivery
    from alertd.store.facts import FactStore, PastDelivery, PastEvent, TypeKey

KEEP_SECONDS: Final = 1.0
"""How often what has changed is written."""
UNSEEN_DAYS: Final = 90
"""A type that was not seen for so long is forgotten."""
PAGE: Final = 2000
"""How many rows of the history a start reads at once."""
_log = structlog.get_logger("alertd.facts")


class Facts:
    """The service that keeps facts. `load` before anything is planned; `unlearnt` counts events of types beyond the bound."""

    name = "facts"

    def __init__(self, store: FactStore, clock: Clock, unlearnt: Counted) -> None:
        self._store = store
        self._clock = clock
        self._unlearnt = unlearnt
        self._subscriptions: dict[int, SubscriptionFacts] = {}
        self._types: dict[TypeKey, TypeFacts] = {}
        self._learnt: Counter[int] = Counter()
        self._known: Mapping[int, tuple[int, frozenset[str]]] = {}
        self._through = self._ended = 0
        self._changed: set[int] = set()
        self._changed_types: set[TypeKey] = set()
        self._forgotten: set[TypeKey] = set()
        self._tidied_ms = 0
        self._stopping = asyncio.Event()

    # -- what others read -----------------------------------------------------------------------------------------

    def subscription(self, number: int) -> SubscriptionFacts:
        """Facts about a subscription; all zero when nothing has happened."""
        return self._subscriptions.get(number) or SubscriptionFacts()

    def types(self, workspace_id: int) -> dict[str, TypeFacts]:
        """Every type that was seen in a workspace."""
        return {name: facts for (own, name), facts in self._types.items() if own == workspace_id}

    def type(self, workspace_id: int, name: str) -> TypeFacts | None:
        """How a type was seen in a workspace; None when it never was, or is beyond the bound."""
        return self._types.get((workspace_id, name))

    # -- what others tell -----------------------------------------------------------------------------------------

    def use(self, ruleset: Ruleset) -> None:
        """Learn types within the bounds of a ruleset's workspaces; what their catalogues know is always learnt."""
        rules = ruleset.workspaces.values()
        self._known = {own.id: (own.learnt_types_max, frozenset(own.known)) for own in rules}

    def planned(self, plans: Sequence[Plan], decided: Mapping[tuple[int, VerdictCode], int]) -> None:
        """Take note of committed plans, `decided` counting their verdicts by subscription and code."""
        if not plans:
            return
        self._through = plans[-1].number
        now_ms = milliseconds(self._through)
        self._fire(decided, now_ms)
        for key, count in Counter([(p.workspace_id, p.event.type) for p in plans]).items():
            self._see(key, count, now_ms)

    def finished(self, delivery: Delivery, attempt: Attempt) -> None:
        """Take note of an attempt after which a delivery is delivered or dead."""
        self._ended = max(self._ended, delivery.id)
        if delivery.is_simulated:
            return
        state, at_ms, detail = attempt.state, attempt.started_at_ms, attempt.outcome.detail
        self._end(delivery.subscription_id, state, at_ms, detail)
        for number in delivery.also:
            self._end(number, state, at_ms, detail)

    # -- the service ----------------------------------------------------------------------------------------------

    async def load(self, newest: int) -> None:
        """Read what was kept, then what came after it; `newest` is where a store that never kept any begins."""
        kept = await self._store.facts()
        self._subscriptions, self._types = kept.subscriptions, kept.types
        self._learnt = Counter(own for own, _ in self._types)
        self._through = newest if kept.through is None else kept.through
        self._ended = newest if kept.through is None else kept.ended
        while events := await self._store.events_after(self._through, PAGE):
            self._replay(events)
        while ended := await self._store.ended_after(self._ended, PAGE):
            self._repeat(ended)

    async def run(self) -> None:
        """Write until stopped, and once more then."""
        while not self._stopping.is_set():
            await wait_event(self._stopping, KEEP_SECONDS)
            try:
                await self.keep()
            except StoreError as error:
                _log.warning("facts.put_off", error=str(error))

    def stop(self) -> None:
        """End after a last write."""
        self._stopping.set()

    async def keep(self) -> None:
        """Write what has changed. Raises StoreError; it is then tried again the next time."""
        self._forget()
        if not (self._changed or self._changed_types or self._forgotten):
            return
        numbers, types, forgotten = self._changed, self._changed_types, self._forgotten
        self._changed, self._changed_types, self._forgotten = set(), set(), set()
        changed = KeptFacts(
            self._through,
            self._ended,
            {number: self._subscriptions[number] for number in numbers},
            {key: self._types[key] for key in types if key in self._types},
            list(forgotten),
        )
        with OnFailure(lambda: self._put_off(numbers, types, forgotten)):
            await self._store.keep_facts(changed)

    def _put_off(self, numbers: set[int], types: set[TypeKey], forgotten: set[TypeKey]) -> None:
        self._changed |= numbers
        self._changed_types |= types
        self._forgotten |= forgotten.difference(self._types)

    # -- the fold -------------------------------------------------------------------------------------------------

    def _fire(self, decided: Mapping[tuple[int, VerdictCode], int], now_ms: int) -> None:
        for (number, code), count in decided.items():
            facts = self._about(number)
            facts.fired += count
            facts.last_fired_at_ms = now_ms
            if code is VerdictCode.SENT:
                facts.sent += count

    def _see(self, key: TypeKey, count: int, now_ms: int) -> None:
        facts = self._types.get(key)
        if facts is None:
            most, known = self._known.get(key[0], (0, frozenset[str]()))
            if self._known and self._learnt[key[0]] >= most and key[1] not in known:
                self._unlearnt.inc(count)
                return
            self._learnt[key[0]] += 1
            facts = self._types[key] = TypeFacts(now_ms, now_ms)
            self._forgotten.discard(key)
        facts.events += count
        facts.last_seen_ms = now_ms
        self._changed_types.add(key)

    def _end(self, number: int, state: DeliveryState, at_ms: int, detail: str) -> None:
        facts = self._about(number)
        if state is DeliveryState.DELIVERED:
            facts.delivered += 1
            facts.last_success_at_ms = at_ms
        else:
            facts.failed += 1
            facts.last_error, facts.last_error_at_ms = detail, at_ms

    def _about(self, number: int) -> SubscriptionFacts:
        self._changed.add(number)
        facts = self._subscriptions.get(number)
        if facts is None:
            facts = self._subscriptions[number] = SubscriptionFacts()
        return facts

    def _replay(self, events: Sequence[PastEvent]) -> None:
        for event in events:
            if event.is_simulated:
                continue
            now_ms = milliseconds(event.number)
            self._fire(Counter((v.subscription_id, v.code) for v in decode(event.verdicts)), now_ms)
            self._see((event.workspace_id, event.type), 1, now_ms)
        self._through = events[-1].number

    def _repeat(self, ended: Sequence[PastDelivery]) -> None:
        self._ended = ended[-1].id
        for delivery in ended:
            if delivery.is_simulated:
                continue
            for number in (delivery.subscription_id, *delivery.also):
                self._end(number, delivery.state, delivery.ended_at_ms, delivery.detail)

    def _forget(self) -> None:
        """Forget types that were not seen for long; looked for once a day."""
        now_ms = self._clock.now_ms()
        if now_ms - self._tidied_ms < DAY_MS:
            return
        self._tidied_ms = now_ms
        gone = [key for key, facts in self._types.items() if facts.last_seen_ms < now_ms - UNSEEN_DAYS * DAY_MS]
        for key in gone:
            del self._types[key]
            self._learnt[key[0]] -= 1
        self._forgotten.update(gone)
