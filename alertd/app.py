"""The composition root: the daemon built in one straight line, each part with its end in the next statement.

The only module besides the configuration that names adapters. Nothing here decides anything about events.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import structlog

from alertd.api.auth import SENDERS, Authenticator, ForbiddenError, caller
from alertd.api.bootstrap import FILE_NAME, admin_token
from alertd.api.context import Context
from alertd.api.server import HttpServer, build
from alertd.clock import SystemClock
from alertd.config.load import load_config
from alertd.config.restart import needs_restart
from alertd.delivery.dispatcher import Dispatcher, LaneSpec
from alertd.delivery.hub import Hub
from alertd.delivery.naming import Naming
from alertd.destinations.base import World
from alertd.destinations.egress import AiohttpSender
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.engine.ruleset import Ruleset, compile_ruleset, name_keys
from alertd.errors import ConfigError
from alertd.housekeeping import Housekeeping
from alertd.intake.http import EventIntake
from alertd.intake.kafka.options import KafkaOptions, Security, Topic
from alertd.intake.kafka.service import KafkaIntake
from alertd.intake.kafka.session import Session
from alertd.intake.rate import RateLimit
from alertd.log import configure_logging
from alertd.metrics import Metrics
from alertd.model.ids import IdSource, format_id
from alertd.model.token import ROLES, Token, digest_of
from alertd.model.verdict import VerdictCode
from alertd.model.workspace import Workspace
from alertd.pipeline import Pipeline, QueueBounds
from alertd.runtime import LoopLag, Signals, Stage, StopLimits, StopRequest, run_services
from alertd.store.sqlite.store import open_sqlite
from alertd.systemd import Notifier, Watchdog, watchdog_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from aiohttp import web

    from alertd.config.settings import Config
    from alertd.delivery.naming import Naming as _Naming
    from alertd.engine.plan import Plan
    from alertd.intake.http import Limiter
    from alertd.model.destination import Destination
    from alertd.runtime import Service
    from alertd.store.base import Store

BODY_SLACK: Final = 1024
"""What a request body may hold beyond `max_body_bytes` before the server itself cuts it, so that the intake answers."""
STOP_MARGIN_SECONDS: Final = 10.0
"""What the whole stop may take beyond `shutdown.drain_seconds`: requests in the air, the last commit, the last outcomes."""

_log = structlog.get_logger("alertd.app")


@dataclass(frozen=True, slots=True)
class Launch:
    """How the daemon is started. `on_ready` hears the base URL and the first token, if one was just made."""

    config_path: Path | None
    environ: Mapping[str, str]
    on_ready: Callable[[str, str | None], None] = lambda url, token: None
    write_line: Callable[[str], None] = lambda line: None


async def serve(launch: Launch, config: Config) -> None:
    """Run the daemon until it is asked to stop.

    Raises StoreError when the store cannot be opened, OSError when the address cannot be listened on,
    ServiceFailedError when an essential service died.
    """
    async with AsyncExitStack() as stack:
        daemon = await Daemon.build(launch, config, stack)
        await daemon.run()


class Daemon:
    """All parts, wired."""

    ids: IdSource
    sender: AiohttpSender
    dispatcher: Dispatcher
    pipeline: Pipeline
    intake: EventIntake
    server: HttpServer
    housekeeping: Housekeeping

    def __init__(self, launch: Launch, config: Config, store: Store, stack: AsyncExitStack) -> None:
        self.launch = launch
        self.config = config
        self.store = store
        self.stack = stack
        self.clock = SystemClock()
        self.metrics = Metrics(version("alertd"))
        self.hub = Hub()
        self.stop = StopRequest()
        self.notifier = Notifier.from_environment(launch.environ, self.clock)
        self.authenticator = Authenticator()
        self.reloading = asyncio.Lock()
        self.first_token: str | None = None
        self.reloads: set[asyncio.Task[None]] = set()
        self.destinations: dict[tuple[str, str], Destination] = {}
        self._opened: dict[int, _Opened] = {}
        self._alerts_url = ""

    @classmethod
    async def build(cls, launch: Launch, config: Config, stack: AsyncExitStack) -> Daemon:
        """Open everything, in order."""
        clock = SystemClock()
        config.store.path.parent.mkdir(parents=True, exist_ok=True)
        store = await open_sqlite(config.store.path, clock)
        stack.push_async_callback(store.close)
        self = cls(launch, config, store, stack)
        self.ids = IdSource(clock, await store.newest_number())
        self.sender = self._make_sender(config)
        await self._load_tokens(bootstrap=True)

        ruleset = await self._compile(config)
        self.dispatcher = Dispatcher(
            store,
            clock,
            self.metrics,
            self.hub,
            drain_seconds=config.shutdown.drain_seconds,
            on_disabled=self._set_disabled,
            debug=config.log.level == "debug",
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
        )
        self.pipeline.positions.update(await store.positions())
        self.pipeline.cooldowns.update(await store.cooldowns(clock.now_ms()))
        await self.dispatcher.apply(self._specs(config, ruleset), self._naming(ruleset))

        self.intake = EventIntake(
            self.pipeline, clock, self.metrics, config.intake.bounds, may_send, self._limiter(config)
        )
        app = build(self._context(), self.intake.post, config.intake.http.max_body_bytes + BODY_SLACK)
        self.server = HttpServer(app, config.server.host, config.server.port)
        self.housekeeping = Housekeeping(
            store, clock, self.metrics, self.pipeline.cooldowns, self._place, config.store.retention_days
        )
        self.metrics.reload_success.set(1)
        self.metrics.ruleset_channels.set(ruleset.channel_count)
        return self

    # -- running --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until asked to stop."""
        edge: list[Service] = [self.server]
        if self.config.intake.kafka is not None:
            edge.append(await self._kafka())
        side: list[Service] = [LoopLag(self.metrics.loop_lag_seconds.set, self.clock), self.housekeeping]
        seconds = watchdog_seconds(self.launch.environ)
        if seconds is not None:
            side.append(Watchdog(self.notifier, self._alive, seconds))
        stages = [
            Stage(
                "delivery", [self.dispatcher], grace_seconds=self.config.shutdown.drain_seconds + STOP_MARGIN_SECONDS
            ),
            Stage("side", side),
            Stage("pipeline", [self.pipeline], grace_seconds=STOP_MARGIN_SECONDS),
            Stage("edge", edge),
        ]
        with Signals(self.stop, self._reload_soon):
            await self.server.start()
            self._set_links()
            self._tell_ready()
            limits = StopLimits(drain_seconds=self.config.shutdown.drain_seconds + STOP_MARGIN_SECONDS)
            await run_services(stages, self.stop, limits=limits, on_stopping=self._tell_stopping)

    def _set_links(self) -> None:
        self._alerts_url = f"{self.config.server.public_url or self.base_url}/api/v1/alerts/"

    def _tell_ready(self) -> None:
        url = self.base_url
        _log.info("daemon.ready", url=url, store=str(self.config.store.path), revision=self.pipeline.ruleset.revision)
        self.launch.on_ready(url, self.first_token)
        self.notifier.ready(f"listening on {url}")

    def _tell_stopping(self, reason: str) -> None:
        self.hub.close()
        self.notifier.stopping(f"stopping: {reason}")

    async def _alive(self) -> bool:
        return await self.store.healthy()

    @property
    def base_url(self) -> str:
        """Where this daemon listens."""
        host = self.config.server.host
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.server.port}"

    # -- Kafka ----------------------------------------------------------------------------------------------------

    async def _kafka(self) -> KafkaIntake:
        options = kafka_options(self.config, await self._instance_id())
        return KafkaIntake(
            lambda: Session(
                options, self.pipeline, self.store, self.ids, self.clock, self.metrics, self.config.intake.bounds
            ),
            self.metrics,
        )

    async def _instance_id(self) -> str | None:
        """Return the id that makes a restart keep its partitions: made once, kept in the store."""
        kafka = self.config.intake.kafka
        if kafka is None or not kafka.static_membership:
            return None
        if kafka.instance_id is not None:
            return kafka.instance_id
        known = await self.store.get_meta("kafka_instance_id")
        if known is None:
            known = f"alertd-{uuid.uuid4()}"
            await self.store.set_meta("kafka_instance_id", known)
        return known

    # -- tokens ---------------------------------------------------------------------------------------------------

    async def _load_tokens(self, *, bootstrap: bool = False) -> None:
        kept = await self.store.tokens()
        provisioned = provisioned_tokens(self.config)
        if bootstrap and not kept and not provisioned:
            file = self.config.store.path.with_name(FILE_NAME)
            self.first_token = await admin_token(self.store, file, self.ids, self.clock)
            kept = await self.store.tokens()
        self.authenticator.replace([*kept, *provisioned])

    # -- rules and reload -----------------------------------------------------------------------------------------

    async def _compile(self, config: Config, gone: Sequence[str] = ()) -> Ruleset:
        workspaces = [*config.workspaces, *(Workspace(name=name) for name in gone)]
        ids = await self.store.intern(name_keys(workspaces))
        names = await self.store.names()
        revision = int(await self.store.get_meta("revision") or 0) + 1
        ruleset = await asyncio.to_thread(compile_ruleset, workspaces, ids, revision, names)
        await self.store.set_meta("revision", str(revision))
        return ruleset

    def _reload_soon(self) -> None:
        task = asyncio.create_task(self._reload_quietly())
        self.reloads.add(task)
        task.add_done_callback(self.reloads.discard)

    async def _reload_quietly(self) -> None:
        try:
            await self.reload()
        except ConfigError:
            _log.warning("config.kept", revision=self.pipeline.ruleset.revision)
        except Exception:  # noqa: BLE001 - the boundary of a task; logged once here
            _log.exception("config.reload_failed")

    async def reload(self) -> None:
        """Read the configuration again and swap the rules in one step. Raises ConfigError, having changed nothing."""
        async with self.reloading:
            self.notifier.reloading()
            try:
                await self._reload()
            except ConfigError as error:
                self.metrics.reload_success.set(0)
                for problem in error.problems:
                    _log.error(
                        "config.refused", file=problem.file, line=problem.line, path=problem.path, problem=str(problem)
                    )
                raise
            except BaseException:
                self.metrics.reload_success.set(0)
                raise
            finally:
                self.notifier.ready()

    async def _reload(self) -> None:
        config = await asyncio.to_thread(load_config, self.launch.config_path, self.launch.environ)
        restart = needs_restart(self.config, config)
        current = self.pipeline.ruleset
        wanted = {workspace.name for workspace in config.workspaces}
        ruleset = await self._compile(config, [name for name in current.workspaces if name not in wanted])
        if config.log != self.config.log:
            configure_logging(config.log.format, config.log.level)
        if config.egress.allow != self.config.egress.allow:
            self.sender = self._make_sender(config)
        self.config = config
        self._set_links()
        await self.pipeline.swap(ruleset)
        await self.dispatcher.apply(self._specs(config, ruleset), self._naming(ruleset))
        await self._load_tokens()
        self.intake.reconfigure(config.intake.bounds, self._limiter(config))
        self.housekeeping.retention_days = config.store.retention_days
        self.metrics.reload_success.set(1)
        if restart:
            _log.warning("config.restart_needed", settings=restart)
        _log.info("config.reloaded", revision=ruleset.revision, channels=ruleset.channel_count)

    def _make_sender(self, config: Config) -> AiohttpSender:
        sender = AiohttpSender(EgressPolicy(config.egress.allow))
        self.stack.push_async_callback(sender.close)
        self._opened.clear()
        return sender

    def _specs(self, config: Config, ruleset: Ruleset) -> list[LaneSpec]:
        """List the lanes of a configuration; a destination that did not change keeps what it has open."""
        self.destinations = {(w.name, d.name): d for w in config.workspaces for d in w.destinations}
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

    def _open(self, destination: Destination, timeout_seconds: float) -> Any:
        settings = parse_settings(destination.type, destination.settings)
        world = World(self.clock, self.sender, self.launch.write_line)
        return REGISTRY[destination.type].open(settings, timeout_seconds, world)

    def _naming(self, ruleset: Ruleset) -> _Naming:
        names = {number: key[2] for number, key in ruleset.names.items()}
        return Naming(names, lambda alert_id: self._alerts_url + alert_id)


    def _set_disabled(self, disabled: frozenset[int]) -> None:
        self.pipeline.disabled = disabled

    def _place(self, number: int) -> tuple[str, str] | None:
        key = self.pipeline.ruleset.names.get(number)
        return (key[1], key[2]) if key else None

    def _limiter(self, config: Config) -> Limiter | None:
        rate = config.intake.http.rate_per_second
        return RateLimit(rate, self.clock) if rate is not None else None

    # -- what the API sees ----------------------------------------------------------------------------------------

    def _context(self) -> Context:
        return Context(
            store=self.store,
            pipeline=self.pipeline,
            dispatcher=self.dispatcher,
            hub=self.hub,
            authenticator=self.authenticator,
            metrics=self.metrics,
            clock=self.clock,
            ids=self.ids,
            reload=self.reload,
            ready=lambda: {"store": not self.pipeline.failing, "intake": self.pipeline.has_room()},
            destinations=lambda: self.destinations,
            reload_tokens=self._load_tokens,
        )

    def _publish(self, plans: Sequence[Plan]) -> None:
        """Tell those who watch live what was decided."""
        if not self.hub.listening:
            return
        names = self.pipeline.ruleset.names
        for decided in plans:
            for verdict in decided.verdicts:
                word = verdict.code.word
                self.hub.publish(
                    "verdict",
                    {
                        "workspace": decided.event.workspace,
                        "event_id": decided.event.id,
                        "alert_id": format_id("alt", decided.number),
                        "type": decided.event.type,
                        "subscription": names[verdict.subscription_id][2],
                        "verdict": word,
                        "reason": None if verdict.code is VerdictCode.SENT else word,
                    },
                )


@dataclass(slots=True)
class _Opened:
    """An open destination and what it was opened with."""

    key: tuple[Any, ...] = field(repr=False)
    destination: Any


def may_send(request: web.Request) -> Token:
    """Return the caller's token if it may send events. Raises ForbiddenError."""
    token = caller(request)
    if token.role not in SENDERS:
        raise ForbiddenError(f"the role {token.role.word} may not send events")
    return token


def provisioned_tokens(config: Config) -> list[Token]:
    """Turn the configuration's tokens into those that requests are compared with."""
    return [
        Token(
            number,
            token.name,
            ROLES[token.role],
            token.workspace,
            digest_of(token.value.get_secret_value()),
            0,
            provisioned=True,
        )
        for number, token in enumerate(config.tokens, 1)
    ]


def kafka_options(config: Config, instance_id: str | None) -> KafkaOptions:
    """Turn the configuration's Kafka settings into what the intake takes."""
    kafka = config.intake.kafka
    if kafka is None:
        raise ValueError("there is no Kafka in the configuration")
    own = kafka.security
    return KafkaOptions(
        bootstrap_servers=kafka.bootstrap_servers,
        topics={topic.name: Topic(topic.format, topic.workspace) for topic in kafka.topics},
        group_id=kafka.group_id,
        instance_id=instance_id,
        security=Security(
            protocol=own.protocol,
            mechanism=own.mechanism,
            username=own.username,
            password=own.password.get_secret_value() if own.password else None,
            ca_file=own.ca_file,
            cert_file=own.cert_file,
            key_file=own.key_file,
            key_password=own.key_password.get_secret_value() if own.key_password else None,
        ),
        session_timeout_seconds=kafka.session_timeout_seconds,
        heartbeat_seconds=kafka.heartbeat_seconds,
        rebalance_timeout_seconds=kafka.rebalance_timeout_seconds,
        request_timeout_seconds=kafka.request_timeout_seconds,
        max_poll_records=kafka.max_poll_records,
        stall_seconds=kafka.stall_seconds,
        offset_reset=kafka.offset_reset,
    )
