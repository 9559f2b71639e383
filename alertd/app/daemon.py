"""The daemon, built in one straight line, each part with its end in the next statement. Nothing here decides."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import structlog

from alertd.api.listener import Listener
from alertd.app.about import About, beat_of, make_known, open_last_words
from alertd.app.inode import inode_of
from alertd.app.known_types import KnownTypes
from alertd.app.live import LiveRules
from alertd.app.reloader import Reloader
from alertd.app.rules import Rules
from alertd.app.sealing import recognise_key
from alertd.app.showing import is_printed
from alertd.app.translate import refuse_dangling, secrets_key, unfitting
from alertd.app.untangling import load
from alertd.clock import SystemClock
from alertd.config.load import reload_config
from alertd.config.restart import needs_restart
from alertd.delivery.acknowledging import AcknowledgeLinks
from alertd.delivery.dispatcher import Dispatcher
from alertd.delivery.hub import Hub
from alertd.delivery.recollection import Recollection
from alertd.delivery.replayer import Replayer
from alertd.destinations.own_thread import in_own_thread
from alertd.destinations.registry import load_all
from alertd.destinations.system_trust import load_aiohttp
from alertd.errors import CannotListenError, ConfigError
from alertd.facts import Facts
from alertd.forgetting import Forgetting
from alertd.housekeeping import Housekeeping
from alertd.log import configure_logging, tapped
from alertd.metrics import Metrics
from alertd.model.ids import IdSource, milliseconds
from alertd.pipeline import Pipeline
from alertd.resources.gone import GoneLog
from alertd.resources.learning import Learner
from alertd.resources.registry import Registry
from alertd.resources.secrecy import Secrecy
from alertd.resources.snapshot import provisioned_entries
from alertd.resources.vault import Vault
from alertd.runtime import LoopLag, Signals, Stage, StopLimits, StopRequest, calm_collector, run_services
from alertd.store.sqlite.store import open_sqlite
from alertd.submission import QueueBounds
from alertd.systemd import Notifier, Watchdog, watchdog_seconds
from alertd.weighing import Issues

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from alertd.about.last_words import Crash, LastWords
    from alertd.api.bootstrap import Access
    from alertd.app.edge import Edge
    from alertd.clock import Clock
    from alertd.config.settings import Config
    from alertd.engine.plan import Plan
    from alertd.runtime import Service
    from alertd.store.base import Store

    Foresight = Callable[[Mapping[str, Any]], bool]

STOP_MARGIN_SECONDS: Final = 10.0
"""What the whole stop may take beyond `shutdown.drain_seconds`: requests in the air, the last commit, the last outcomes."""

_log = structlog.get_logger("alertd.app")


@dataclass(frozen=True, slots=True)
class Launch:
    """How the daemon is started.

    `on_ready` hears the base URL, what one can get in with, and what answers whether an event would be printed here.
    """

    config_path: Path | None
    environ: Mapping[str, str]
    on_ready: Callable[[str, Access, Foresight], None] = lambda url, access, prints: None
    write_line: Callable[[str], None] = lambda line: None


async def serve(launch: Launch, config: Config) -> None:
    """Run the daemon until it is asked to stop.

    Raises StoreError when the store cannot be opened, OSError when the address cannot be listened on,
    ServiceFailedError when an essential service died.
    """
    async with AsyncExitStack() as stack:
        stop, hangups = StopRequest(), asyncio.Event()
        stack.enter_context(Signals(stop, hangups.set))
        daemon = await Daemon.build(launch, config, stop, stack)
        with daemon.words:
            await daemon.run(hangups)


class Daemon:
    """All parts, wired."""

    pipeline: Pipeline
    dispatcher: Dispatcher
    replayer: Replayer
    edge: Edge
    forgetting: Forgetting
    housekeeping: Housekeeping
    facts: Facts
    about: About
    words: LastWords
    crash: Crash | None

    def __init__(
        self, launch: Launch, config: Config, stop: StopRequest, store: Store, clock: SystemClock, ids: IdSource
    ) -> None:
        self.launch = launch
        self.config = self.started_with = config
        self.store = store
        self.clock: Clock = clock
        self.ids = ids
        self.run_id = str(ids.take())
        self.metrics = Metrics(version("alertd"))
        self.hub = Hub()
        self.stop = stop
        self.notifier = Notifier.from_environment(launch.environ, clock)
        self.listener = Listener(config.server.host, config.server.port)
        self.vault = vault = Vault(secrets_key(config))
        self.rules = Rules(store, clock, launch.write_line, AcknowledgeLinks(vault.derive("acknowledge"), clock))
        self.live = LiveRules(self.rules, lambda: self.config)
        types = KnownTypes(lambda: self.rules.policy, lambda: self.config.mail)
        self.registry = Registry(store, clock, ids, types, Secrecy(types, vault), self.live)
        self.gone = GoneLog(self.registry.note)
        self.learner = Learner(self.registry.learn, lambda: self.registry.places_changed)
        self.rules.directory.learnt = self.learner.caught_up
        self._file, self._inode = config.store.path, inode_of(config.store.path)
        self._reloading = asyncio.Lock()

    @classmethod
    async def build(cls, launch: Launch, config: Config, stop: StopRequest, stack: AsyncExitStack) -> Daemon:
        """Open everything, in order; `stack` closes it in the reverse order."""
        clock = SystemClock()
        config.store.path.parent.mkdir(parents=True, exist_ok=True)
        store = await open_sqlite(config.store.path, clock)
        stack.push_async_callback(store.close)
        self = cls(launch, config, stop, store, clock, IdSource(clock, await store.newest_number()))
        self.words, self.crash = await open_last_words(config.store.path, store)
        stack.callback(self.words.close)
        stack.enter_context(tapped(self.words.add))
        stack.push_async_callback(self.rules.close)
        stack.push_async_callback(self.registry.close)
        await self._wire()
        stack.callback(self.listener.close)
        try:
            await self.listener.bind()
        except (OSError, UnicodeError) as error:  # a name that can be none is the second
            raise CannotListenError(config.server.listen) from error
        self._set_links()
        return self

    async def _wire(self) -> None:
        config, store, clock = self.config, self.store, self.clock
        entries = provisioned_entries(config.workspaces, config.origin)
        compiled = await load(self.registry, entries, self.live.prepare_alone, self.metrics.switched_off)
        await recognise_key(self.vault, store)
        ruleset = compiled.ruleset
        self.facts = Facts(store, clock, self.metrics.types_unlearnt)
        await self.facts.load(await store.newest_number())
        self.dispatcher = Dispatcher(
            store,
            clock,
            self.metrics,
            self.hub,
            drain_seconds=config.shutdown.drain_seconds,
            on_disabled=self._set_disabled,
            on_ended=self.facts.finished,
            ids=self.ids,
            on_gone=lambda spec, reason: self.gone.tell(spec.workspace, spec.name, reason),
        )
        self.pipeline = Pipeline(
            store,
            self.ids,
            store.salt,
            clock,
            self.metrics,
            ruleset,
            self.dispatcher.offer,
            bounds=QueueBounds(config.intake.queue.max_events, config.intake.queue.max_bytes),
            on_committed=self._publish,
            facts=self.facts,
            issues=Issues(store, self.rules.issue_url),
        )
        await self.pipeline.load()
        await self._mend_clock()
        self.live.connect(self.dispatcher, self.pipeline)
        await self.live.apply(compiled)
        beat = beat_of(config)
        self.about = About(self.pipeline, self.dispatcher, self.registry, store, clock, lambda: self.rules.sender, beat)
        self.metrics.reload_success.set(1)
        self.metrics.ruleset_channels.set(ruleset.channel_count)

    def _wire_side(self, edge: type[Edge]) -> None:
        config, store, clock = self.config, self.store, self.clock
        self.replayer = Replayer(store, clock, self.ids, self.dispatcher.offer, self.dispatcher.present, self.metrics)
        self.edge = edge(self)
        kept_days = config.store.issue_retention_days
        self.forgetting = Forgetting(store, self.pipeline.issues, clock, self.metrics, kept_days)
        self.housekeeping = Housekeeping(
            store,
            clock,
            self.metrics,
            self.pipeline.memory,
            self._place,
            config.store.retention_days,
            [self.edge.tokens.keep_used, self._settle, self.forgetting],
        )

    async def _mend_clock(self) -> None:
        """When the store knows of times to come, the clock was ahead: what it put off is brought back."""
        ahead_ms = milliseconds(await self.store.newest_number()) - self.clock.now_ms()
        if ahead_ms > 0:
            moved = await self.store.bring_back(self.clock.now_ms())
            _log.warning("clock.was_ahead", seconds=ahead_ms / 1000, deliveries_brought_back=moved)

    # -- running --------------------------------------------------------------------------------------------------

    async def run(self, hangups: asyncio.Event) -> None:
        """Serve until asked to stop; each hang-up reads the configuration again."""
        drain = self.config.shutdown.drain_seconds + STOP_MARGIN_SECONDS
        stages = [
            Stage("facts", [self.facts, self.gone], grace_seconds=STOP_MARGIN_SECONDS),
            Stage("delivery", [self.dispatcher], grace_seconds=drain),
            Stage("side", self._side),
            Stage("pipeline", [self.pipeline], grace_seconds=STOP_MARGIN_SECONDS),
            Stage("edge", partial(self._edge, Reloader(hangups, self._reload_quietly))),
        ]
        await run_services(
            stages,
            self.stop,
            limits=StopLimits(drain_seconds=drain),
            on_started=self._tell_ready,
            on_stopping=self._tell_stopping,
        )

    async def _side(self) -> Sequence[Service]:
        with_kafka = self.config.intake.kafka is not None
        self._wire_side(await in_own_thread(partial(_load_rest, with_kafka=with_kafka), "load-rest"))
        lag = LoopLag(self.metrics.loop_lag_seconds.set, self.clock)
        past = Recollection(self.store, self.clock, lambda: self.dispatcher.lanes, self._made_at)
        side: list[Service] = [lag, self.housekeeping, self.learner, self.replayer, past, *self.about.services]
        if (seconds := watchdog_seconds(self.launch.environ)) is not None:
            side.append(Watchdog(self.notifier, self._alive, seconds))
        return side

    async def _edge(self, reloader: Reloader) -> Sequence[Service]:
        services = await self.edge.open()
        await make_known(self.store, self.run_id, self.crash)
        await self.edge.serve()  # last: who gets an answer finds all at work
        return [*services, self.about.heartbeat, reloader]

    async def _alive(self) -> bool:
        """Whether there is life: the store answers. A restart makes no room on a full disk, but finds a replaced file."""
        return await self.store.healthy() or inode_of(self._file) == self._inode

    def _tell_ready(self) -> None:
        calm_collector()
        url = self.base_url
        loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]  # uvloop, or asyncio
        store, revision = str(self.config.store.path), self.pipeline.ruleset.revision
        _log.info("daemon.ready", url=url, store=store, revision=revision, loop=loop)
        self.about.started(version("alertd"), url, self.crash)
        self.words.begin(self.run_id)
        self.launch.on_ready(url, self.edge.access, self._prints)
        self.notifier.ready(f"listening on {url}")

    def _tell_stopping(self, reason: str) -> None:
        self.listener.close()  # the server closes it too, but of a start that failed there is none yet
        self.hub.close()
        self.notifier.stopping(f"stopping: {reason}")

    @property
    def base_url(self) -> str:
        """Where this daemon listens: what a reload says of that waits for the next start."""
        host = self.started_with.server.host
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.listener.port}"

    def _set_links(self) -> None:
        self.rules.base_url = self.config.server.public_url or self.base_url

    # -- reload ---------------------------------------------------------------------------------------------------

    async def _reload_quietly(self) -> None:
        try:
            await self.reload()
        except ConfigError:
            _log.warning("config.kept", revision=self.pipeline.ruleset.revision)
        except Exception:  # noqa: BLE001 - the boundary of a task; logged once here
            _log.exception("config.reload_failed")

    async def reload(self) -> list[str]:
        """Read the configuration again and swap the rules in one step; return the settings that need a restart.

        Raises ConfigError, having changed nothing.
        """
        async with self._reloading:
            self.notifier.reloading()
            try:
                return await self._reload()
            except BaseException as error:  # raised again: it is told whatever it is, a stop in the middle as well
                self._tell_refused(error)
                raise
            finally:
                self.notifier.ready()

    def _tell_refused(self, error: BaseException) -> None:
        self.metrics.reload_success.set(0)
        for problem in error.problems if isinstance(error, ConfigError) else ():
            where = {"file": problem.file, "line": problem.line, "path": problem.path}
            _log.error("config.refused", **where, problem=str(problem))
        self.about.reload_failed(error)

    async def _reload(self) -> list[str]:
        config = await asyncio.to_thread(reload_config, self.launch.config_path, self.launch.environ)
        restart = needs_restart(self.started_with, config)
        async with self.registry.rebased(provisioned_entries(config.workspaces, config.origin)) as snapshot:
            before, file = self.registry.snapshot, str(self.launch.config_path)
            await asyncio.to_thread(refuse_dangling, snapshot, before, file)
            with unfitting(file):
                compiled = await self.live.prepare_alone(snapshot, config)
            if config.log != self.config.log:
                configure_logging(config.log.format, config.log.level)
            self.config = config
            self._set_links()
            await self.live.apply(compiled)
        ruleset = compiled.ruleset
        await self.edge.reconfigure(config)
        self.about.heartbeat.beat = beat_of(config)
        self.housekeeping.retention_days = config.store.retention_days
        self.forgetting.retention_days = config.store.issue_retention_days
        self.metrics.reload_success.set(1)
        if restart:
            _log.warning("config.restart_needed", settings=restart)
        _log.info("config.reloaded", revision=ruleset.revision, channels=ruleset.channel_count)
        return restart

    # -- what others see ------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        await self.pipeline.settle(self.clock.now_ms())

    def _set_disabled(self, disabled: frozenset[int]) -> None:
        self.pipeline.disabled = disabled

    def _place(self, number: int) -> tuple[str, str] | None:
        key = self.pipeline.ruleset.names.get(number)
        return (key[1], key[2]) if key else None

    def _made_at(self, workspace: str, destination: str) -> int | None:
        entry = self.registry.snapshot.get(("destination", workspace, destination))
        return None if entry is None else entry.created_at_ms

    def _prints(self, event: Mapping[str, Any]) -> bool:
        pipeline = self.pipeline
        return is_printed(event, pipeline.ruleset, pipeline.state(), self.registry.snapshot, self.clock.now_ms())

    def _publish(self, plans: Sequence[Plan]) -> None:
        self.learner.see(plans)
        self.hub.ring()


def _load_rest(*, with_kafka: bool) -> type[Edge]:
    """Load what the lanes have no use for, the edge among it, and what another configuration may want later."""
    load_aiohttp()
    from alertd.app.edge import Edge  # noqa: PLC0415 - see there

    load_all()
    import_module("alertd.destinations.egress")
    if with_kafka:  # who reads none needs no 4 MB of it
        import_module("alertd.intake.kafka.service")
        import_module("alertd.intake.kafka.session")
    return Edge
