"""The HTTP interface over a store in memory: real pipeline, dispatcher and hub, scripted destinations, no files."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp.test_utils import TestClient, TestServer
from cryptography.fernet import Fernet

from alertd.api.auth import Authenticator, may_send
from alertd.api.context import Context
from alertd.api.server import LINGER_SECONDS, build
from alertd.app.known_types import KnownTypes
from alertd.clock import SystemClock
from alertd.config.settings import Config
from alertd.delivery.acknowledging import AcknowledgeLinks
from alertd.delivery.dispatcher import Dispatcher, LaneSpec
from alertd.delivery.hub import Hub
from alertd.delivery.naming import Naming
from alertd.delivery.replayer import Replayer
from alertd.engine.ruleset import compile_ruleset, name_keys
from alertd.facts import Facts
from alertd.intake.http import EventIntake
from alertd.intake.rejected import RejectedIntake
from alertd.metrics import Metrics
from alertd.model.delivery import DELIVERED
from alertd.model.ids import IdSource
from alertd.model.token import Role, Token, digest_of
from alertd.model.workspace import Workspace
from alertd.pipeline import Pipeline
from alertd.resources.registry import Registry
from alertd.resources.secrecy import Secrecy
from alertd.resources.snapshot import provisioned_entries
from alertd.resources.vault import Vault
from alertd.store.memory import MemoryStore
from alertd.store.resource import RulesetDocument

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from aiohttp.web import AppRunner

    from alertd.destinations.base import Message
    from alertd.engine.plan import Plan
    from alertd.intake.kafka.options import Topic
    from alertd.model.delivery import Outcome
    from alertd.resources.snapshot import Snapshot

DEADLINE = 60
HOME = "/api/v1/workspaces/default"
ROLES = ("intake", "viewer", "operator", "admin")


def workspace(name: str) -> Workspace:
    """Make a workspace that sends everything to two destinations, but what is below a warning only to the first."""
    return Workspace.model_validate(
        {
            "name": name,
            "channels": [{"name": "all", "kind": "glob", "pattern": "*"}],
            "destinations": [{"name": "hook", "type": "null"}, {"name": "page", "type": "null"}],
            "subscriptions": [
                {"name": "everything", "channels": ["all"], "destinations": ["hook"]},
                {"name": "serious", "channels": ["all"], "destinations": ["page"], "min_severity": "warning"},
                {"name": "elsewhere", "channels": ["all"], "destinations": ["page"], "environments": ["mars"]},
            ],
        }
    )


class Scripted:
    """A destination that answers what the test put in `outcome`, and waits while `gate` is closed."""

    def __init__(self) -> None:
        self.outcome: Outcome = DELIVERED
        self.gate = asyncio.Event()
        self.gate.set()
        self.messages: list[Message] = []

    async def attempt(self, message: Message) -> Outcome:
        """Answer as told."""
        self.messages.append(message)
        await self.gate.wait()
        return self.outcome

    async def close(self) -> None:
        """Nothing is open."""


class Bench:
    """The parts, for tests to look at and to steer."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.store = MemoryStore(self.clock)
        self.metrics = Metrics()
        self.hub = Hub()
        self.ids = IdSource(self.clock)
        self.authenticator = Authenticator(self.clock)
        self.workspaces = [workspace("default"), workspace("other")]
        self.doors = {(w.name, d.name): Scripted() for w in self.workspaces for d in w.destinations}
        self.provisioned: list[Token] = []
        self.refiled: list[tuple[str, str | None]] = []
        self.topics: dict[str, Topic] = {}
        self.reloads = 0
        self.reload_error: Exception | None = None

    async def start(self) -> None:
        """Build the parts."""
        secrecy = Secrecy(KnownTypes(), Vault(Fernet.generate_key()))
        self.registry = Registry(self.store, self.clock, self.ids, KnownTypes(), secrecy, self)
        given = provisioned_entries(self.workspaces, lambda workspace, collection, name: f"alertd.yml:{len(name)}")
        self.ruleset = (await self.prepare(await self.registry.load(given)))[1]
        self.facts = Facts(self.store, self.clock, self.metrics.types_unlearnt)
        self.dispatcher = Dispatcher(
            self.store, self.clock, self.metrics, self.hub, drain_seconds=1, on_ended=self.facts.finished
        )
        self.pipeline = Pipeline(
            self.store,
            self.ids,
            self.store.salt,
            self.clock,
            self.metrics,
            self.ruleset,
            self.dispatcher.offer,
            on_committed=self._publish,
            facts=self.facts,
        )
        config = Config()
        await self.apply((self.registry.snapshot.workspaces(), self.ruleset))
        for number, (role, where) in enumerate([*((r, "default") for r in ROLES), ("admin", "other")], 1):
            name = role if where == "default" else f"{where}-{role}"
            place: dict[str, Any] = {"provisioned": True, "origin": f"alertd.yml:{number}"}
            digest = digest_of(f"secret-{name}")
            self.provisioned.append(Token(number, name, Role[role.upper()], where, digest, 0, **place))
        await self.store.add_token(Token(self.ids.take(), "root", Role.ADMIN, None, digest_of("secret-root"), 1))
        await self.reload_tokens()
        intake = EventIntake(self.pipeline, self.clock, self.metrics, config.intake.bounds, may_send)
        self.replayer = Replayer(
            self.store, self.clock, self.ids, self.dispatcher.offer, self.dispatcher.present, self.metrics
        )
        self.context = Context(
            store=self.store,
            pipeline=self.pipeline,
            dispatcher=self.dispatcher,
            hub=self.hub,
            replayer=self.replayer,
            authenticator=self.authenticator,
            metrics=self.metrics,
            clock=self.clock,
            ids=self.ids,
            reload=self._reload,
            ready=lambda: {"store": not self.pipeline.failing, "intake": True},
            know_token=self.know_token,
            refile_token=lambda before, secret: self.refiled.append((before.name, secret)),
            registry=self.registry,
            facts=self.facts,
            base_url=lambda: "https://alerts.example.com/base",
            links=AcknowledgeLinks("secret", self.clock),
            resubmit=RejectedIntake(
                self.pipeline, self.clock, lambda: config.intake.bounds, lambda: self.topics
            ).submit,
            bounds=lambda: config.intake.bounds,
        )
        self.app = build(self.context, intake.post, config.intake.http.max_body_bytes + 1024)

    async def prepare(self, snapshot: Snapshot) -> Any:
        """Compile, as the registry asks."""
        workspaces = snapshot.workspaces()
        projects = [("project", w.name, p.name) for w in workspaces for p in w.projects]
        keys = await self.store.intern([*name_keys(workspaces), *projects])
        return workspaces, compile_ruleset(workspaces, keys, 1, await self.store.names())

    def document(self, prepared: Any) -> RulesetDocument:
        """Explain nothing."""
        return RulesetDocument(1, ())

    async def give_way(self, took_seconds: float) -> None:
        """Never rest."""

    async def apply(self, prepared: Any) -> None:
        """Make live, every destination with a scripted door."""
        workspaces, self.ruleset = prepared
        places = {(w.name, d.name): d for w in workspaces for d in w.destinations}
        options = Config().delivery
        specs = [
            LaneSpec(
                self.ruleset.ids["destination", *place],
                *place,
                options.for_destination(destination),
                destination.enabled,
                self.doors.setdefault(place, Scripted()),
            )
            for place, destination in places.items()
        ]
        names = {number: key[2] for number, key in self.ruleset.names.items()}
        await self.dispatcher.apply(specs, Naming(names, lambda alert: f"http://here/{alert}"))
        await self.pipeline.swap(self.ruleset)

    async def reload_tokens(self) -> None:
        """Read the tokens again."""
        self.authenticator.replace([*await self.store.tokens(), *self.provisioned])

    async def know_token(self, before: Token | None, after: Token | None) -> None:
        """Know what became of one token."""
        others = [token for token in self.authenticator.tokens() if before is None or token.id != before.id]
        self.authenticator.replace(others if after is None else [*others, after])

    async def _reload(self) -> None:
        self.reloads += 1
        if self.reload_error is not None:
            raise self.reload_error

    def _publish(self, plans: Sequence[Plan]) -> None:
        self.hub.ring()


class Caller:
    """Calls the interface with one token after another."""

    def __init__(self, bench: Bench, client: TestClient[Any, Any]) -> None:
        self.bench = bench
        self.client = client

    async def __call__(self, method: str, path: str, who: str | None = "root", **options: Any) -> tuple[int, Any]:
        """Make a call; give the status and the JSON, or the text of what is none."""
        status, body, _ = await self.full(method, path, who, **options)
        return status, body

    async def full(self, method: str, path: str, who: str | None = "root", **options: Any) -> tuple[int, Any, Any]:
        """Make a call; give the status, the body and the headers."""
        headers = {**({"Authorization": f"Bearer secret-{who}"} if who else {}), **options.pop("headers", {})}
        async with self.client.request(method, path, headers=headers, allow_redirects=False, **options) as answer:
            is_json = answer.content_type.endswith("json") and method != "HEAD"
            return (
                answer.status,
                await answer.json(content_type=None) if is_json else await answer.text(),
                answer.headers,
            )

    async def late_for(self, workspace: str, *pieces: bytes) -> AsyncIterator[bytes]:
        """Give a body; when its first piece is there, the workspace goes."""
        yield pieces[0]
        assert (await self("DELETE", f"/api/v1/workspaces/{workspace}"))[0] == 204
        for piece in pieces[1:]:
            yield piece

    async def sent(self, *events: dict[str, Any]) -> list[str]:
        """Send events and return their ids."""
        status, answer = await self("POST", "/api/v1/events", json=list(events))
        assert status == 202
        ids: list[str] = answer["ids"]
        return ids

    async def settled(self, path: str, wanted: str = "delivered") -> list[dict[str, Any]]:
        """Wait until every delivery of a list is in a state, and return them."""
        while True:
            status, page = await self("GET", path)
            assert status == 200
            if page["items"] and all(item["state"] == wanted for item in page["items"]):
                items: list[dict[str, Any]] = page["items"]
                return items
            await asyncio.sleep(0)


class Server(TestServer):
    """A server that, as the daemon's, lets a request go on whose client has gone, and one that was answered send on for a while."""

    async def _make_runner(self, **kwargs: Any) -> AppRunner:
        return await super()._make_runner(**kwargs | {"handler_cancellation": False, "lingering_time": LINGER_SECONDS})


@asynccontextmanager
async def running(deadline: float = DEADLINE) -> AsyncIterator[Caller]:
    """Run everything within a deadline."""
    bench = Bench()
    await bench.start()
    services = (bench.pipeline, bench.dispatcher, bench.replayer)
    tasks = [asyncio.create_task(service.run()) for service in services]
    try:
        async with asyncio.timeout(deadline), TestClient(Server(bench.app)) as client:
            yield Caller(bench, client)
    finally:
        bench.hub.close()
        for door in bench.doors.values():
            door.gate.set()
        for service in services:
            service.stop()
        await asyncio.wait(tasks, timeout=DEADLINE)
