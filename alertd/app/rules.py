"""From a configuration to what decides and what delivers: the ruleset, and the lanes with their open destinations."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import structlog
from pydantic import ValidationError

from alertd.app.compiling import Compiling, same
from alertd.app.directory import LiveDirectory
from alertd.app.forbidding import warn_of_destination, warn_of_own
from alertd.app.kept_memory import KeptMemory
from alertd.app.pacing import Pace, paced
from alertd.app.reach import people_of
from alertd.delivery.dispatcher import LaneSpec
from alertd.delivery.naming import Naming
from alertd.destinations.base import ForPeople, Reaching, World, uncertified
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.guarded_connection import GuardedConnector
from alertd.destinations.http1.sender import FastSender
from alertd.destinations.mail_server import MailServer
from alertd.destinations.people import NOBODY, People
from alertd.destinations.ports import Ports
from alertd.destinations.proxy import proxy_of
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.destinations.system_trust import load_aiohttp
from alertd.destinations.templated import templated
from alertd.destinations.unusable import UnusableDestination

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from alertd.app.compiling import Compiled, CompilingStore
    from alertd.clock import Clock
    from alertd.config.settings import Config, Egress
    from alertd.delivery.acknowledging import AcknowledgeLinks
    from alertd.destinations.base import Sender
    from alertd.engine.ruleset import NameKey, Ruleset
    from alertd.model.destination import Destination
    from alertd.model.workspace import Workspace
    from alertd.store.recall import RecallStore

    class RuleStore(CompilingStore, RecallStore, Protocol):
        """What rules keep: that of compiling, and what destinations remember."""


_log = structlog.get_logger("alertd.rules")


def _sender_of(egress: Egress) -> Callable[..., Sender]:
    """Say what makes senders; aiohttp is loaded for those who send through it."""
    if egress.proxy is None and egress.sender == "fast":
        return FastSender
    load_aiohttp()
    from alertd.destinations.egress import AiohttpSender  # noqa: PLC0415 - as the line before

    proxy = None if egress.proxy is None else proxy_of(egress.proxy.get_secret_value())
    return partial(AiohttpSender, proxy=proxy)


@dataclass(frozen=True, slots=True)
class _Opened:
    """An open destination and what it was opened with; `spec` is its lane, made `of` a resource and a configuration."""

    key: tuple[Any, ...] = field(repr=False)
    destination: Any
    pace: Pace | None
    linked: bool
    of: tuple[object, ...] = ()
    spec: LaneSpec | None = None


class Rules:
    """Compiles configurations. What did not change from one to the next stays open."""

    def __init__(
        self, store: RuleStore, clock: Clock, write_line: Callable[[str], None], links: AcknowledgeLinks
    ) -> None:
        self._store = store
        self.compiling = Compiling(store)
        self._clock = clock
        self._write_line = write_line
        self.links = links
        self._linked: frozenset[int] = frozenset()
        self._senders: list[Sender] = []
        self._connectors: list[GuardedConnector] = []
        self._mail = MailServer()
        self._own: tuple[object, ...] = ()
        self._people: dict[tuple[str, str], People] = {}
        self._peopled: Sequence[object] = ()
        self._seen: Sequence[object] = ()
        self._names: dict[int, str] = {}
        self.directory = LiveDirectory()
        self._egress: Egress | None = None
        self.policy = EgressPolicy()
        self._sender_with: Callable[[ssl.SSLContext], Sender] = uncertified
        self._opened: dict[int, _Opened] = {}
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

    def lanes(self, config: Config, compiled: Compiled) -> list[LaneSpec] | None:
        """List the lanes of all destinations, with the defaults of a configuration; None: all are as they were."""
        workspaces, ruleset = compiled.workspaces, compiled.ruleset
        self.directory.take(workspaces, ruleset.ids)
        self._take_people(workspaces)
        seen = [config, *(workspace.destinations for workspace in workspaces), *(w.name for w in workspaces)]
        if same(self._seen, seen):
            return None
        self._take_egress(config.egress)
        self._mail = config.mail
        self._take_own(config)
        opened = {}
        for workspace in workspaces:
            for destination in workspace.destinations:
                number = ruleset.ids["destination", workspace.name, destination.name]
                opened[number] = self._lane(number, workspace.name, destination, config)
        self._opened = opened
        self._linked = frozenset(number for number, known in opened.items() if known.linked)
        self._seen = seen  # last: what could not be opened is tried again with the next change
        return [known.spec for known in opened.values() if known.spec is not None]

    def _lane(self, number: int, workspace: str, destination: Destination, config: Config) -> _Opened:
        """Give a destination with its lane; what did not change stays open, and stays the same."""
        known = self._opened.get(number)
        if known is not None and same(known.of, (destination, config)):
            return known
        options = config.delivery.for_destination(destination)
        mail = config.mail if isinstance(REGISTRY[destination.type], Reaching) else None
        receiver = (destination.type, destination.settings, mail)
        key = (*receiver, options.timeout_seconds, destination.templates)
        if known is None or known.key != key:
            known = self._open(key, number, (workspace, destination), options.timeout_seconds)
        options, burst = paced(options, known.pace, destination, config.delivery)
        enabled, opened = destination.enabled, known.destination
        spec = LaneSpec(number, workspace, destination.name, options, enabled, opened, burst, receiver)
        return replace(known, of=(destination, config), spec=spec)

    def _take_people(self, workspaces: Sequence[Workspace]) -> None:
        """Know who belongs where, if that has changed."""
        seen = [part for each in workspaces for part in (each.name, each.projects, each.owner)]
        if not same(self._peopled, seen):
            self._peopled = seen
            self._people = {(w.name, p.name): people_of(w, p) for w in workspaces for p in w.projects}
            self._people |= {(w.name, ""): people_of(w) for w in workspaces}

    def naming(self, ruleset: Ruleset) -> Naming:
        """Say how deliveries are described."""
        for number in reversed(cast("dict[int, NameKey]", ruleset.names)):  # the last are the new ones
            if number in self._names:
                break
            self._names[number] = ruleset.names[number][2]
        return Naming(
            self._names,
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
        warn_of_destination(workspace, destination.name, settings, self.policy, self._mail)
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
            directory=self.directory,
        )
        opened = templated(kind.open(settings, timeout_seconds, world), destination.templates)
        linked = isinstance(kind, ForPeople) and kind.shows_links(settings)
        return _Opened(key, opened, Pace.of(kind, settings), linked)

    def _people_in(self, workspace: str, project: str) -> People:
        return self._people.get((workspace, project)) or self._people.get((workspace, ""), NOBODY)
