"""From a configuration to what decides and what delivers: the ruleset, and the lanes with their open destinations."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog
from pydantic import ValidationError

from alertd.app.directory import LiveDirectory
from alertd.app.forbidding import warn_of_destination, warn_of_own
from alertd.app.kept_memory import KeptMemory
from alertd.app.pacing import Pace, paced
from alertd.delivery.dispatcher import LaneSpec
from alertd.delivery.naming import Naming
from alertd.destinations.base import ForPeople, Particular, Reaching, World, uncertified
from alertd.destinations.egress import AiohttpSender
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.guarded_connection import GuardedConnector
from alertd.destinations.http1.sender import FastSender
from alertd.destinations.mail_server import MailServer
from alertd.destinations.people import NOBODY, People
from alertd.destinations.ports import Ports
from alertd.destinations.proxy import proxy_of
from alertd.destinations.registry import REGISTRY, TYPE_NAMES, parse_settings
from alertd.destinations.templated import templated
from alertd.destinations.unusable import UnusableDestination
from alertd.destinations.whereto import forbidden
from alertd.engine.document import Documents
from alertd.engine.ruleset import Reach, Ruleset, compile_ruleset, name_keys
from alertd.errors import NotFoundError
from alertd.model.workspace import Workspace

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pydantic import BaseModel

    from alertd.clock import Clock
    from alertd.config.settings import Config, Egress
    from alertd.delivery.acknowledging import AcknowledgeLinks
    from alertd.destinations.base import Sender
    from alertd.model.destination import Destination
    from alertd.model.workspace import Project
    from alertd.store.base import NameStore, RevisionStore
    from alertd.store.recall import RecallStore

    class RuleStore(NameStore, RevisionStore, RecallStore, Protocol):
        """What rules keep: the numbers of names, every ruleset that decided, what destinations remember."""


_SENDERS: Final[Mapping[str, type[FastSender | AiohttpSender]]] = {"fast": FastSender, "aiohttp": AiohttpSender}
_log = structlog.get_logger("alertd.rules")


def _sender_of(egress: Egress) -> Callable[..., Sender]:
    """Say what makes senders."""
    if egress.proxy is None:
        return _SENDERS[egress.sender]
    return partial(AiohttpSender, proxy=proxy_of(egress.proxy.get_secret_value()))


class KnownTypes:
    """The destination types, as those who judge resources see them; `policy` says where may be sent to now."""

    def __init__(self, policy: Callable[[], EgressPolicy] = EgressPolicy) -> None:
        self._policy = policy

    def names(self) -> Iterable[str]:
        """Every type."""
        return REGISTRY.keys()

    def settings_model(self, name: str) -> type[BaseModel]:
        """Return a type's settings. Raises NotFoundError."""
        known = REGISTRY.get(name)
        if known is None:
            raise NotFoundError(f"no destination type {name!r}; there are {TYPE_NAMES}")
        return known.settings_model

    def forbidden(self, settings: BaseModel) -> Iterable[tuple[tuple[str | int, ...], str]]:
        """Say which settings name a place where nothing may be sent, each with the reason."""
        return forbidden(settings, self._policy())


@dataclass(slots=True)
class _Opened:
    """An open destination and what it was opened with."""

    key: tuple[Any, ...] = field(repr=False)
    destination: Any
    pace: Pace | None
    linked: bool


class Rules:
    """Compiles configurations. What did not change from one to the next stays open."""

    def __init__(
        self, store: RuleStore, clock: Clock, write_line: Callable[[str], None], links: AcknowledgeLinks
    ) -> None:
        self._store = store
        self._documents = Documents()
        self._clock = clock
        self._write_line = write_line
        self.links = links
        self._linked: frozenset[int] = frozenset()
        self._senders: list[Sender] = []
        self._connectors: list[GuardedConnector] = []
        self._mail = MailServer()
        self._own: tuple[object, ...] = ()
        self._people: dict[tuple[str, str], People] = {}
        self._directory = LiveDirectory()
        self._egress: Egress | None = None
        self.policy = EgressPolicy()
        self._sender_with: Callable[[ssl.SSLContext], Sender] = uncertified
        self._opened: dict[int, _Opened] = {}
        self.destinations: dict[tuple[str, str], Destination] = {}
        self.base_url = ""

    async def close(self) -> None:
        """Close every sender."""
        for connector in self._connectors:
            connector.close()
        for sender in self._senders:
            await sender.close()

    @property
    def sender(self) -> Sender:
        """The sender that is in use now."""
        return self._senders[-1]

    def issue_url(self, issue_id: str) -> str:
        """Return the address of an issue."""
        return f"{self.base_url}/api/v1/issues/{issue_id}"

    async def compile(self, workspaces: Sequence[Workspace], mail: MailServer, gone: Sequence[str] = ()) -> Ruleset:
        """Compile off the event loop; workspaces that are `gone` stay known, empty, for events under way."""
        workspaces = [*workspaces, *(Workspace(name=name) for name in gone)]
        projects = [
            ("project", workspace.name, project.name) for workspace in workspaces for project in workspace.projects
        ]
        ids = await self._store.intern([*name_keys(workspaces), *projects])
        names = await self._store.names()
        revision = int(await self._store.get_meta("revision") or 0) + 1
        reach = await asyncio.to_thread(reach_of, workspaces, mail)
        ruleset = await asyncio.to_thread(compile_ruleset, workspaces, ids, revision, names, reach)
        await self._store.keep_revision(revision, await asyncio.to_thread(self._documents.write, workspaces))
        await self._store.set_meta("revision", str(revision))
        return ruleset

    def lanes(self, config: Config, workspaces: Sequence[Workspace], ruleset: Ruleset) -> list[LaneSpec]:
        """List the lanes of all destinations, with the defaults of a configuration."""
        self._take_egress(config.egress)
        self._mail = config.mail
        self._take_own(config)
        self._directory.take(workspaces, ruleset.ids)
        self._people = {(w.name, p.name): people_of(w, p) for w in workspaces for p in w.projects}
        self._people |= {(w.name, ""): people_of(w) for w in workspaces}
        self.destinations = {(w.name, d.name): d for w in workspaces for d in w.destinations}
        specs = []
        opened: dict[int, _Opened] = {}
        for (workspace, name), destination in self.destinations.items():
            number = ruleset.ids["destination", workspace, name]
            options = config.delivery.for_destination(destination)
            mail = config.mail if isinstance(REGISTRY[destination.type], Reaching) else None
            key = (destination.type, destination.settings, options.timeout_seconds, mail, destination.templates)
            known = self._opened.get(number)
            if known is None or known.key != key:
                known = self._open(key, number, (workspace, destination), options.timeout_seconds)
            opened[number] = known
            options, burst = paced(options, known.pace, destination, config.delivery)
            specs.append(LaneSpec(number, workspace, name, options, destination.enabled, known.destination, burst))
        self._opened = opened
        self._linked = frozenset(number for number, known in opened.items() if known.linked)
        return specs

    def naming(self, ruleset: Ruleset) -> Naming:
        """Say how deliveries are described."""
        names = {number: key[2] for number, key in ruleset.names.items()}
        return Naming(
            names,
            lambda alert_id: f"{self.base_url}/api/v1/alerts/{alert_id}",
            self.links,
            self._linked,
            lambda workspace, digest: f"{self.base_url}/api/v1/workspaces/{workspace}/deliveries?digest_id={digest}",
        )

    def _take_egress(self, egress: Egress) -> None:
        """Send through another sender when `egress` changed; attempts in flight end on the old one."""
        if egress != self._egress:
            self._egress = egress
            make, policy = _sender_of(egress), EgressPolicy(egress.allow, Ports(egress.ports))
            self.policy = policy
            self._sender_with = lambda context: make(policy, ssl_context=context)
            self._senders.append(make(policy))
            self._connectors.append(GuardedConnector(EgressPolicy(egress.allow)))
            self._opened.clear()

    def _take_own(self, config: Config) -> None:
        """Tell of the platform's own settings that are forbidden, whenever they or the guard changed."""
        own = (config.egress, config.mail, config.heartbeat)
        if own != self._own:
            self._own = own
            warn_of_own(config, self.policy)

    def _open(
        self, key: tuple[Any, ...], number: int, named: tuple[str, Destination], timeout_seconds: float
    ) -> _Opened:
        workspace, destination = named
        kind = REGISTRY[destination.type]
        try:
            settings = parse_settings(destination.type, destination.settings)
        except ValidationError as error:
            unusable = UnusableDestination(destination.type, error)
            _log.error(
                "destination.unusable", workspace=workspace, destination=destination.name, reason=unusable.reason
            )
            return _Opened(key, unusable, None, linked=False)
        warn_of_destination(workspace, destination.name, settings, self.policy)
        world = World(
            self._clock,
            self._senders[-1],
            self._write_line,
            KeptMemory(self._store, self._clock, number),
            mail=self._mail,
            people=self._people_in,
            connect=self._connectors[-1].connect,
            sender_with=self._sender_with,
            permit=self.policy.check_address,
            directory=self._directory,
        )
        opened = templated(kind.open(settings, timeout_seconds, world), destination.templates)
        linked = isinstance(kind, ForPeople) and kind.shows_links(settings)
        return _Opened(key, opened, Pace.of(kind, settings), linked)

    def _people_in(self, workspace: str, project: str) -> People:
        return self._people.get((workspace, project)) or self._people.get((workspace, ""), NOBODY)


def people_of(workspace: Workspace, project: Project | None = None) -> People:
    """Say who belongs to a project (None: to none, or to one that nobody knows); its owner may be the workspace's."""
    if project is None:
        return People(workspace.owner)
    return People(project.owner or workspace.owner, project.collaborators)


def reach_of(workspaces: Sequence[Workspace], mail: MailServer) -> Reach:
    """Say where destinations that depend on settings and people reach anybody, and which take issues only."""
    issues_only: set[tuple[str, str]] = set()
    projects: dict[tuple[str, str], frozenset[str]] = {}
    for workspace in workspaces:
        people = {project.name: people_of(workspace, project) for project in workspace.projects}
        for destination in workspace.destinations:
            kind = REGISTRY[destination.type]
            if not isinstance(kind, (Reaching, Particular)):
                continue
            settings = parse_settings(destination.type, destination.settings)
            if isinstance(kind, Particular) and kind.needs_issue(settings):
                issues_only.add((workspace.name, destination.name))
            if isinstance(kind, Reaching) and not kind.reaches(settings, mail, people_of(workspace)):
                reached = (name for name, own in people.items() if kind.reaches(settings, mail, own))
                projects[workspace.name, destination.name] = frozenset(reached)
    return Reach(projects, frozenset(issues_only))
