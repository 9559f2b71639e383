"""From a configuration to what decides and what delivers: the ruleset, and the lanes with their open destinations."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from alertd.delivery.dispatcher import LaneSpec
from alertd.delivery.naming import Naming
from alertd.destinations.base import World
from alertd.destinations.egress import AiohttpSender
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.http1.sender import FastSender
from alertd.destinations.registry import REGISTRY, TYPE_NAMES, parse_settings
from alertd.engine.document import Documents
from alertd.engine.ruleset import Ruleset, compile_ruleset, name_keys
from alertd.errors import NotFoundError
from alertd.model.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pydantic import BaseModel

    from alertd.clock import Clock
    from alertd.config.settings import Config, Egress
    from alertd.destinations.base import Sender
    from alertd.model.destination import Destination
    from alertd.store.base import NameStore, RevisionStore

    class RuleStore(NameStore, RevisionStore, Protocol):
        """What rules keep: the numbers of names, and every ruleset that decided."""


class KnownTypes:
    """The destination types, as those who judge resources see them."""

    def names(self) -> Iterable[str]:
        """Every type."""
        return REGISTRY.keys()

    def settings_model(self, name: str) -> type[BaseModel]:
        """Return a type's settings. Raises NotFoundError."""
        known = REGISTRY.get(name)
        if known is None:
            raise NotFoundError(f"no destination type {name!r}; there are {TYPE_NAMES}")
        return known.settings_model


@dataclass(slots=True)
class _Opened:
    """An open destination and what it was opened with."""

    key: tuple[Any, ...] = field(repr=False)
    destination: Any


class Rules:
    """Compiles configurations. What did not change from one to the next stays open."""

    def __init__(self, store: RuleStore, clock: Clock, write_line: Callable[[str], None]) -> None:
        self._store = store
        self._documents = Documents()
        self._clock = clock
        self._write_line = write_line
        self._senders: list[Sender] = []
        self._egress: Egress | None = None
        self._opened: dict[int, _Opened] = {}
        self.destinations: dict[tuple[str, str], Destination] = {}
        self.alerts_url = ""

    async def close(self) -> None:
        """Close every sender."""
        for sender in self._senders:
            await sender.close()

    @property
    def sender(self) -> Sender:
        """The sender that is in use now."""
        return self._senders[-1]

    async def compile(self, workspaces: Sequence[Workspace], gone: Sequence[str] = ()) -> Ruleset:
        """Compile off the event loop; workspaces that are `gone` stay known, empty, for events under way."""
        workspaces = [*workspaces, *(Workspace(name=name) for name in gone)]
        projects = [
            ("project", workspace.name, project.name) for workspace in workspaces for project in workspace.projects
        ]
        ids = await self._store.intern([*name_keys(workspaces), *projects])
        names = await self._store.names()
        revision = int(await self._store.get_meta("revision") or 0) + 1
        ruleset = await asyncio.to_thread(compile_ruleset, workspaces, ids, revision, names)
        await self._store.keep_revision(revision, await asyncio.to_thread(self._documents.write, workspaces))
        await self._store.set_meta("revision", str(revision))
        return ruleset

    def lanes(self, config: Config, workspaces: Sequence[Workspace], ruleset: Ruleset) -> list[LaneSpec]:
        """List the lanes of all destinations, with the defaults of a configuration."""
        self._take_egress(config.egress)
        self.destinations = {(w.name, d.name): d for w in workspaces for d in w.destinations}
        specs = []
        opened: dict[int, _Opened] = {}
        for (workspace, name), destination in self.destinations.items():
            number = ruleset.ids["destination", workspace, name]
            options = config.delivery.for_destination(destination)
            key = (destination.type, destination.settings, options.timeout_seconds)
            known = self._opened.get(number)
            if known is None or known.key != key:
                known = _Opened(key, self._open(destination, options.timeout_seconds))
            opened[number] = known
            specs.append(LaneSpec(number, workspace, name, options, destination.enabled, known.destination))
        self._opened = opened
        return specs

    def naming(self, ruleset: Ruleset) -> Naming:
        """Say how deliveries are described."""
        names = {number: key[2] for number, key in ruleset.names.items()}
        return Naming(names, lambda alert_id: self.alerts_url + alert_id)

    def _take_egress(self, egress: Egress) -> None:
        """Send through another sender when `egress` changed; attempts in flight end on the old one."""
        if egress != self._egress:
            self._egress = egress
            make = FastSender if egress.sender == "fast" else AiohttpSender
            self._senders.append(make(EgressPolicy(egress.allow)))
            self._opened.clear()

    def _open(self, destination: Destination, timeout_seconds: float) -> Any:
        settings = parse_settings(destination.type, destination.settings)
        world = World(self._clock, self._senders[-1], self._write_line)
        return REGISTRY[destination.type].open(settings, timeout_seconds, world)
