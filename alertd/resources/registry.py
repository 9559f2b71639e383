"""The registry: the one place where resources change. A change is judged, compiled, stored with its line in the log, made
live, and only then answered; what waits while one is under way is done together.
"""  # noqa: D205 - one thought, two lines

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson
import structlog

from alertd.errors import AlertdError, StoreError
from alertd.resources import learning
from alertd.resources.change import Change, Changes, Noted, Precondition, as_json
from alertd.resources.dangling import dangling
from alertd.resources.difference import difference
from alertd.resources.documents import document_of
from alertd.resources.entry import Entry
from alertd.resources.export import export
from alertd.resources.judge import Findings, read_model
from alertd.resources.kinds import BY_WORD
from alertd.resources.snapshot import Snapshot
from alertd.store.resource import AuditEntry, StoredResource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

    from alertd.clock import Clock
    from alertd.model.fields import Resource
    from alertd.model.ids import IdSource
    from alertd.model.workspace import Workspace
    from alertd.resources.documents import Document
    from alertd.resources.judge import DestinationTypes
    from alertd.resources.kinds import Kind
    from alertd.resources.secrecy import Secrecy
    from alertd.store.resource import ResourceKey, ResourceStore, RulesetDocument

    Decide = Callable[[Snapshot], Change]

SECRET: Final = "secret"  # noqa: S105 - a kind
"""The kind of a kept secret: one of the configuration that an export refers to, by the name of its place."""
BATCH_MAX: Final = 500
"""How many changes are made live together at most."""

_log = structlog.get_logger("alertd.resources")


class Live(Protocol):
    """What makes a snapshot decide: compiled first, which may fail, then swapped in, which may not."""

    async def prepare(self, snapshot: Snapshot) -> Any:
        """Compile. Raises AlertdError when it cannot be used; nothing has changed then."""

    def document(self, prepared: Any) -> RulesetDocument:
        """Give what explains later what it decided: kept together with the change."""

    async def apply(self, prepared: Any) -> None:
        """Let what was prepared decide from the next event on."""

    async def give_way(self, took_seconds: float) -> None:
        """Rest when events wait, by how long the last changes took; what is asked for meanwhile is made live together."""


class _Asked:
    """One call that waits."""

    def __init__(self, decide: Decide, actor: str, also: Sequence[Noted]) -> None:
        self.decide = decide
        self.actor = actor
        self.also = also
        self.done: asyncio.Future[Entry | None] = asyncio.get_running_loop().create_future()


class Registry:
    """Holds the snapshot that is live and changes it."""

    def __init__(
        self, store: ResourceStore, clock: Clock, ids: IdSource, types: DestinationTypes, secrecy: Secrecy, live: Live
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._secrecy = secrecy
        self._live = live
        self.types = types
        self._changes = Changes(types, secrecy)
        self._lock = asyncio.Lock()
        self._waiting: deque[_Asked] = deque()
        self._worker: asyncio.Task[None] | None = None
        self.snapshot = Snapshot({}, {})
        self.places_changed = 0
        """How often projects and environments may have gone: who remembers them as known looks again."""

    # -- what operators do ----------------------------------------------------------------------------------------

    async def create(
        self, kind: Kind, workspace: str, document: Document, actor: str, *, also: Sequence[Noted] = ()
    ) -> Entry:
        """Make a resource; `also` is logged before it. Raises ConflictError, InvalidError, StoreUnavailableError."""
        return await self._ask(lambda s: self._changes.create(s, kind, workspace, document), actor, also)

    async def replace(self, key: ResourceKey, document: Document, given: Precondition, actor: str) -> Entry:
        """Replace a resource. Raises as `create`, and NotFoundError, StaleError, UnconditionalError."""
        return await self._ask(lambda s: self._changes.replace(s, key, document, given), actor)

    async def patch(self, key: ResourceKey, patch: Document, given: Precondition, actor: str) -> Entry:
        """Patch a resource. Raises as `replace`."""
        return await self._ask(lambda s: self._changes.patch(s, key, patch, given), actor)

    async def remove(
        self,
        key: ResourceKey,
        given: Precondition,
        actor: str,
        *,
        cascade: bool = False,
        also: Sequence[Noted] = (),
    ) -> None:
        """Remove a resource; `also` is logged before it. Raises NotFoundError, StaleError, ConflictError when it is in use."""
        await self._queue(lambda s: self._changes.remove(s, key, given, cascade=cascade), actor, also).done

    async def note(self, actor: str, noted: Noted) -> None:
        """Write a line into the log about something that is no resource of this registry."""
        await self._store.change_resources([], [], [self.line(actor, noted)])

    def line(self, actor: str, noted: Noted) -> AuditEntry:
        """Make a line of the log, for whoever keeps it together with what it tells of."""
        kind, workspace, _ = noted.key
        before, after = (None if d is None else as_json(d) for d in (noted.before, noted.after))
        return AuditEntry(self._ids.take(), workspace, actor, noted.action, kind, _told(noted.key), before, after)

    def shown(self, entry: Entry) -> Document:
        """Return a resource's document without its secrets."""
        return self._secrecy.shown(entry)

    async def export(self, workspace: str) -> str:
        """Write a workspace as YAML that the configuration takes back.

        Its secrets stay in the store, those of the configuration too: sealed copies of them are kept for it.
        """
        snapshot, now = self.snapshot, self._clock.now_ms()
        text, secrets = export(snapshot, workspace, self._secrecy)
        kept = [
            StoredResource(SECRET, workspace, name, 1, as_json({"value": self._secrecy.seal(secret)}), now, now)
            for name, secret in secrets.items()
        ]
        await self._store.change_resources(kept, [], [])
        return text

    def difference(self, workspace: Workspace) -> list[dict[str, Any]]:
        """Say what would change if the configuration held this workspace, without secrets."""
        return difference(self.snapshot, workspace, self._secrecy)

    def url_token(self, entry: Entry) -> str:
        """Return the token in the URL of an intake endpoint."""
        return self._secrecy.url_token(entry)

    # -- the daemon's own -----------------------------------------------------------------------------------------

    async def load(self, provisioned: Mapping[ResourceKey, Entry]) -> Snapshot:
        """Read what is stored, lay the configuration over it and return it. Raises StoreError for what is unreadable."""
        owned = [self._entry(stored) for stored in await self._store.resources() if stored.kind != SECRET]
        self.snapshot = Snapshot(provisioned, {entry.key: entry for entry in owned})
        for entry, field, name in dangling(self.snapshot):
            _log.warning(
                "resource.dangling",
                kind=entry.kind,
                workspace=entry.workspace,
                name=_told(entry.key),
                field=field,
                missing=name,
            )
        for entry in self.snapshot.hidden():
            _log.warning("resource.hidden", kind=entry.kind, workspace=entry.workspace, name=entry.name)
        return self.snapshot

    async def switch_off(self, entry: Entry, reason: str) -> Snapshot:
        """Switch a resource of the API off that keeps the daemon from starting, for good; for before anything is live."""
        after = replace(entry, model=entry.model.model_copy(update={"enabled": False}), version=entry.version + 1)
        after = replace(after, updated_at_ms=self._clock.now_ms())
        noted = Noted("switched_off", entry.key, self.shown(entry), self.shown(after) | {"reason": reason})
        await self._store.change_resources([self._stored(after)], [], [self.line("alertd", noted)])
        self.snapshot = self.snapshot.changed([after], [])
        _log.error(f"{entry.kind}.switched_off", workspace=entry.workspace, name=entry.name, reason=reason)
        return self.snapshot

    @asynccontextmanager
    async def rebased(self, provisioned: Mapping[ResourceKey, Entry]) -> AsyncIterator[Snapshot]:
        """Hold all changes while another configuration is laid over what the API made; it is live when the block ends."""
        async with self._lock:
            snapshot = Snapshot(provisioned, self.snapshot.owned)
            yield snapshot
            self.snapshot = snapshot
            self.places_changed += 1

    async def close(self) -> None:
        """Finish what was asked."""
        if self._worker is not None:
            await asyncio.wait([self._worker])

    async def learn(self, seen: Collection[learning.Place]) -> None:
        """Take note of projects and environments that events named. Raises StoreUnavailableError."""
        await self._queue(lambda snapshot: learning.learnt(snapshot, seen), "intake").done

    # -- the worker -----------------------------------------------------------------------------------------------

    async def _ask(self, decide: Decide, actor: str, also: Sequence[Noted] = ()) -> Entry:
        entry = await self._queue(decide, actor, also).done
        if entry is None:
            raise AssertionError("a change that is answered with nothing")
        return entry

    def _queue(self, decide: Decide, actor: str, also: Sequence[Noted] = ()) -> _Asked:
        asked = _Asked(decide, actor, also)
        self._waiting.append(asked)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._work())
        return asked

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            async with self._lock:
                begun = loop.time()
                taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
                try:
                    await self._make(taken)
                except Exception as error:  # noqa: BLE001 - the boundary of a task: whoever waits is told
                    _log.exception("resource.failed")
                    _fail(taken, error)
            await self._live.give_way(loop.time() - begun)

    async def _make(self, taken: Sequence[_Asked]) -> None:
        """Make changes together; when together they cannot be compiled, each on its own."""
        snapshot, done = self.snapshot, []
        for asked in taken:
            try:
                change = asked.decide(snapshot)
            except AlertdError as error:
                _fail([asked], error)
                continue
            change.noted[:0] = asked.also
            self._stamp(change)
            snapshot = snapshot.changed(change.kept, change.removed)
            done.append((asked, change))
        if not done:
            return
        try:
            prepared = await self._live.prepare(snapshot)
        except AlertdError as error:
            if len(done) == 1:
                _fail([asked for asked, _ in done], error)
                return
            for asked, _ in done:
                await self._make([asked])
            return
        await self._keep(snapshot, done, prepared)

    async def _keep(self, snapshot: Snapshot, done: Sequence[tuple[_Asked, Change]], prepared: Any) -> None:
        removed = [key for _, change in done for key in change.removed]
        keys = dict.fromkeys(entry.key for _, change in done for entry in change.kept)
        kept = [self._stored(snapshot.owned[key]) for key in keys if key in snapshot.owned]
        lines = [self.line(asked.actor, noted) for asked, change in done for noted in change.noted]
        try:
            await self._store.change_resources(kept, removed, lines, self._live.document(prepared))
        except StoreError as error:
            _fail([asked for asked, _ in done], error)
            return
        self.snapshot = snapshot
        self.places_changed += any(learning.takes_places(change) for _, change in done)
        await self._live.apply(prepared)
        for asked, change in done:
            if not asked.done.done():
                asked.done.set_result(change.entry)
        for asked, change in done:
            for noted in change.noted:
                _log.info(
                    f"{noted.key[0]}.{noted.action}", workspace=noted.key[1], name=_told(noted.key), by=asked.actor
                )

    # -- in and out of the store ----------------------------------------------------------------------------------

    def _stamp(self, change: Change) -> None:
        now = self._clock.now_ms()
        stamped = {e.key: replace(e, created_at_ms=e.created_at_ms or now, updated_at_ms=now) for e in change.kept}
        change.kept = list(stamped.values())
        if change.entry is not None:
            change.entry = stamped[change.entry.key]

    def _stored(self, entry: Entry) -> StoredResource:
        kind = BY_WORD[entry.kind]
        document = self._secrecy.sealed(kind, document_of(entry.model))
        created, updated = entry.created_at_ms or 0, entry.updated_at_ms or 0
        return StoredResource(*entry.key, entry.version, as_json(document), created, updated)

    def _entry(self, stored: StoredResource) -> Entry:
        kind, findings = BY_WORD.get(stored.kind), Findings()
        if kind is None:
            raise StoreError(f"the store holds a {stored.kind}, which this alertd does not know")
        document = self._secrecy.opened(kind, orjson.loads(stored.document))
        model: Resource | None = read_model(kind.stored or kind.kept, document, findings)
        if model is None:
            raise StoreError(
                f"the stored {kind.noun} {stored.name!r} of {stored.workspace!r} is not readable: {findings}"
            )
        return Entry(*stored.key, model, stored.version, None, stored.created_at_ms, stored.updated_at_ms)


def _told(key: ResourceKey) -> str:
    """Return a name for the log, which holds also what is no resource of the registry."""
    kind = BY_WORD.get(key[0])
    return key[2] if kind is None else kind.told(key[2])


def _fail(waiting: Sequence[_Asked], error: Exception) -> None:
    for asked in waiting:
        if not asked.done.done():
            asked.done.set_exception(error)
