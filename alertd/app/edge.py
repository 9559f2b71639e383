"""The edge, wired: all that events and people come in by. The second half of the composition root, and a quarter of its imports.

It is imported when the lanes are at work already, so that what waits at a start goes out without waiting for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from alertd.api.auth import Authenticator, may_send
from alertd.api.context import Context
from alertd.api.server import HttpServer, build
from alertd.app.doors import Outside
from alertd.app.resubmission import resubmission
from alertd.app.tokens import Tokens
from alertd.app.translate import instance_id, kafka_options, rate_limit
from alertd.intake.http import EventIntake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.api.bootstrap import Access
    from alertd.api.listener import Listener
    from alertd.app.rules import Rules
    from alertd.clock import Clock
    from alertd.config.kafka import KafkaIntake as KafkaSettings
    from alertd.config.settings import Config
    from alertd.delivery.dispatcher import Dispatcher
    from alertd.delivery.hub import Hub
    from alertd.delivery.replayer import Replayer
    from alertd.facts import Facts
    from alertd.intake.kafka.service import KafkaIntake
    from alertd.metrics import Metrics
    from alertd.model.ids import IdSource
    from alertd.pipeline import Pipeline
    from alertd.resources.registry import Registry
    from alertd.runtime import Service
    from alertd.store.base import Store

BODY_SLACK: Final = 1024
"""What a request body may hold beyond `max_body_bytes` before the server itself cuts it, so that the intake answers."""


class Core(Protocol):
    """The first half, to which all that comes in leads. `config` is the configuration of the moment."""

    config: Config
    clock: Clock
    dispatcher: Dispatcher
    facts: Facts
    hub: Hub
    ids: IdSource
    listener: Listener
    metrics: Metrics
    pipeline: Pipeline
    registry: Registry
    replayer: Replayer
    rules: Rules
    store: Store

    async def reload(self) -> list[str]:
        """Read the configuration again; return the settings that need a restart. Raises ConfigError."""


class Edge:
    """The HTTP server with its intakes and the API, Kafka where it is read, and the tokens that let people in."""

    access: Access

    def __init__(self, core: Core) -> None:
        self._core = core
        config, clock, metrics = core.config, core.clock, core.metrics
        authenticator = Authenticator(clock)
        self.tokens = Tokens(authenticator, core.store, clock, core.ids, lambda: core.config)
        limiter = rate_limit(config, clock)
        self._intake = EventIntake(core.pipeline, clock, metrics, config.intake.bounds, may_send, limiter)
        self._outside = Outside(core.pipeline, clock, metrics, config.intake, core.registry, core.store)
        most = config.intake.http.max_body_bytes + BODY_SLACK
        doors, envelopes = self._outside.register, self._outside.envelopes
        app = build(self._context(authenticator), self._intake.post, most, doors, self._intake, envelopes)
        self._server = HttpServer(app, core.listener)
        self._kafka: KafkaIntake | None = None

    async def open(self) -> Sequence[Service]:
        """Make all ready to let everybody in, which `serve` does; return what is to be run. Raises OSError, StoreError."""
        await self.tokens.load()
        services: list[Service] = [self._server]
        if (kafka := self._core.config.intake.kafka) is not None:
            self._kafka = await self._kafka_intake(kafka)
            services.append(self._kafka)
        self.access = await self.tokens.begin()
        return services

    async def serve(self) -> None:
        """Take connections."""
        await self._server.start()

    async def reconfigure(self, config: Config) -> None:
        """Use another configuration from the next request on."""
        await self.tokens.reconfigure()
        self._intake.reconfigure(config.intake.bounds, rate_limit(config, self._core.clock))
        self._outside.reconfigure(config.intake)
        if self._kafka is not None:
            self._kafka.reconfigure(config.intake.bounds)

    async def _kafka_intake(self, settings: KafkaSettings) -> KafkaIntake:
        from alertd.intake.kafka.service import KafkaIntake  # noqa: PLC0415 - loaded only for those who read it
        from alertd.intake.kafka.session import Session  # noqa: PLC0415 - the same

        core = self._core
        options = kafka_options(core.config, await instance_id(settings, core.store))

        def session() -> Session:
            bounds = core.config.intake.bounds
            shared = core.pipeline, core.store, core.ids, core.clock, core.metrics
            return Session(options, *shared, bounds, core.dispatcher.headway.give_way)

        return KafkaIntake(session, core.metrics)

    def _context(self, authenticator: Authenticator) -> Context:
        core = self._core
        return Context(
            store=core.store,
            pipeline=core.pipeline,
            dispatcher=core.dispatcher,
            hub=core.hub,
            replayer=core.replayer,
            authenticator=authenticator,
            metrics=core.metrics,
            clock=core.clock,
            ids=core.ids,
            reload=core.reload,
            ready=lambda: {"store": not core.pipeline.failing, "intake": core.pipeline.has_room()},
            know_token=self.tokens.know,
            refile_token=self.tokens.refile,
            registry=core.registry,
            facts=core.facts,
            base_url=lambda: core.rules.base_url,
            links=core.rules.links,
            resubmit=resubmission(core.pipeline, core.clock, lambda: core.config),
            bounds=lambda: core.config.intake.bounds,
        )
