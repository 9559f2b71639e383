"""The start with what does not fit together: derived types of the API that, with those of the configuration, feed themselves.

Each was fine when it was made; then the configuration changed. The configuration counts, and the daemon starts: the youngest
of the stored ones among them is switched off until nothing feeds itself any more. It stays off until somebody mends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from alertd.engine.derivation import DerivationError
from alertd.engine.ruleset import compile_ruleset, name_keys
from alertd.errors import InvalidError
from alertd.resources.kinds import DERIVED_TYPE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from prometheus_client import Gauge

    from alertd.model.derived_type import DerivedType
    from alertd.model.workspace import Workspace
    from alertd.resources.entry import Entry
    from alertd.resources.snapshot import Snapshot
    from alertd.store.resource import ResourceKey

    class Loading(Protocol):
        """The registry, as it is at the start."""

        snapshot: Snapshot

        async def load(self, provisioned: Mapping[ResourceKey, Entry]) -> Snapshot:
            """Read what is stored, and lay the configuration over it."""

        async def switch_off(self, entry: Entry, reason: str) -> Snapshot:
            """Switch a resource off and return the snapshot without it."""


P = TypeVar("P")


async def load(
    registry: Loading,
    provisioned: Mapping[ResourceKey, Entry],
    prepare: Callable[[Snapshot], Awaitable[P]],
    switched_off: Gauge,
) -> P:
    """Load what is stored, lay the configuration over it and prepare that, with as little switched off as it takes, counted.

    Raises InvalidError when what the configuration holds feeds itself all alone, StoreError for what is unreadable.
    """
    await registry.load(provisioned)
    while True:
        try:
            return await prepare(registry.snapshot)
        except InvalidError as error:
            found = None if not isinstance(error.__cause__, DerivationError) else tangled(registry.snapshot)
            if found is None:
                raise
            entry, reason = found
            await registry.switch_off(entry, reason)
            switched_off.inc()


def tangled(snapshot: Snapshot) -> tuple[Entry, str] | None:
    """Return the youngest stored derived type of a chain that comes back or is too long, and why; None: there is none."""
    for workspace in snapshot.workspaces():
        error = _error_of(workspace)
        own = [] if error is None else [e for e in _stored(snapshot, workspace.name) if e.name in error.names]
        if own:
            return max(own, key=lambda entry: (entry.created_at_ms or 0, entry.name)), str(error)
    return None


def _stored(snapshot: Snapshot, workspace: str) -> list[Entry]:
    entries = snapshot.entries(DERIVED_TYPE.word, workspace)
    return [entry for entry in entries if entry.origin is None and _is_on(entry)]


def _is_on(entry: Entry) -> bool:
    return cast("DerivedType", entry.model).enabled


def _error_of(workspace: Workspace) -> DerivationError | None:
    """Compile a workspace alone; what else may be wrong with it would have kept it from being stored."""
    ids = {key: number for number, key in enumerate(name_keys([workspace]), 1)}
    try:
        compile_ruleset([workspace], ids, 0)
    except DerivationError as error:
        return error
    return None
