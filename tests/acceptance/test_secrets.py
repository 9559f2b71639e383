"""Acceptance: a secret in each setting that takes one, and none of them anywhere else, whatever happens to the daemon."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from alertd.config.settings import Config
from alertd.destinations.apprise_service import is_installed
from alertd.destinations.registry import REGISTRY
from tests.daemon import BELOW, PROGRAM, Daemon, eventually
from tests.echo_peer import MODES, echoing
from tests.planting import Peers, Planter, planted, secret_places

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE = 180.0
GLOBAL = {
    "store.secrets_key",
    "intake.kafka.security.password",
    "intake.kafka.security.key_password",
    "mail.password",
    "heartbeat.url",
    "egress.proxy",
    "tokens.value",
    "workspaces.intake_endpoints.secret",
}
"""The secrets of the configuration itself, each of which is planted below."""
RETRY = {"max_attempts": 3, "initial_seconds": 0.05, "max_seconds": 0.1, "jitter": "none"}


class Seen:
    """Everything that came out, by where it did."""

    def __init__(self) -> None:
        self.found: list[tuple[str, bytes]] = []

    def add(self, where: str, data: bytes) -> None:
        """Keep it."""
        self.found.append((where, data))

    def check(self, planter: Planter) -> None:
        """Say which secrets were seen, and where."""
        leaks = {(where, place) for where, data in self.found for place in planter.seen_in(data)}
        assert not leaks, sorted(leaks)[:40]


class Life:
    """A daemon, what was planted in it, and what it said."""

    def __init__(self, folder: Path, peers: Peers) -> None:
        self.planter = Planter()
        self.seen = Seen()
        self.sent = 0
        self.peers = peers
        self.environ: dict[str, str] = {}
        self.admin = self.planter.plant("tokens.value")
        self.proxy = f"http://u:{self.planter.plant('egress.proxy')}@127.0.0.1:{peers.nobody}"
        self.in_file = planted(self.planter, peers, "file")
        self.over_api = planted(self.planter, peers, "api")
        config = self.config()
        self.daemon = Daemon(folder, config, **self.environ)
        self.daemon.state.mkdir()
        (self.daemon.state / "admin.token").write_text(self.admin)

    def config(self, **more: Any) -> dict[str, Any]:
        """Write a configuration; every second secret of a destination is a reference to the environment."""
        plant = self.planter.plant
        destinations = list(self._referred(self.in_file).values())
        return {
            "store": {"url": "sqlite:///state/alertd.db", "secrets_key": f"{self._once('store.secrets_key', 42)}A="},
            "log": {"format": "json", "level": "debug"},
            "delivery": {
                "retry": RETRY,
                "timeout_seconds": 1,
                "breaker": {"failures": 10_000},
                "queue": {"rate_per_second": 1000},
            },
            "mail": {
                "host": "127.0.0.1",
                "port": self.peers.mail,
                "tls": "none",
                "username": "u",
                "password": plant("mail.password"),
            },
            "heartbeat": {"url": f"{self.peers.http}/{plant('heartbeat.url')}/mode-headers", "interval_seconds": 0.2},
            "intake": {"kafka": self._kafka()},
            "tokens": [
                {"name": "producers", "role": "intake", "value": plant("tokens.value")},
                {"name": "root", "role": "admin", "workspace": None, "value": self.admin},
            ],
            "workspaces": [
                {"name": "default", **_routes(self.in_file), **self._endpoints(), "destinations": destinations}
            ],
            **more,
        }

    def _once(self, place: str, length: int) -> str:
        known = {where: secret for secret, where in self.planter.places.items()}
        return known.get(place) or self.planter.plant(place, length)

    def _kafka(self) -> dict[str, Any]:
        plant, pem = self.planter.plant, str(self.peers.pem)
        security = {
            "protocol": "SASL_SSL",
            "mechanism": "PLAIN",
            "username": "u",
            "password": plant("intake.kafka.security.password"),
            "cert_file": pem,
            "key_file": pem,
            "key_password": plant("intake.kafka.security.key_password"),
        }
        servers = [f"127.0.0.1:{self.peers.nobody}"]
        return {"bootstrap_servers": servers, "group_id": "g", "topics": [{"name": "events"}], "security": security}

    def _endpoints(self) -> dict[str, Any]:
        place = "workspaces.intake_endpoints.secret"
        sources = ("sentry", "github", "alertmanager", "grafana", "incidents")
        made = [{"name": f"file-{each}", "source": each, "secret": self.planter.plant(place)} for each in sources]
        return {"intake_endpoints": made}

    def _referred(self, destinations: Mapping[str, Any]) -> dict[str, Any]:
        """Put the secrets of every second destination into the environment."""
        made = json.loads(json.dumps(destinations))
        for number, destination in enumerate(made.values()):
            settings = destination["settings"]
            for name, value in list(settings.items()) if number % 2 else ():
                if isinstance(value, str) and self.planter.seen_in(value.encode()):
                    variable = f"PLANTED_{number}_{name.upper()}"
                    self.environ[variable], settings[name] = value, f"${{{variable}}}"
        return made  # type: ignore[no-any-return]  # JSON, as what it was made of

    # -- what is done ---------------------------------------------------------------------------------------------

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Make a request and keep the answer; what is no JSON is given as None."""
        where = path if path.startswith("/") else f"{BELOW}/{path}"
        reply = await self.daemon.call(method, where, body, headers={"If-Match": "*", **headers})
        told = json.dumps(dict(reply.headers)).encode()
        self.seen.add(f"{method} {where} -> {reply.status}", told + reply.body)
        return reply.json if reply.body.startswith((b"{", b"[")) else None

    async def cli(self, *arguments: str) -> None:
        """Run a command and keep what it says."""
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *arguments,
            cwd=self.daemon.folder,
            env={**self.daemon.environ, "ALERTD_URL": self.daemon.base_url},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        self.seen.add(f"alertd {' '.join(arguments)}", said)

    async def make(self) -> None:
        """Make the other half over the API."""
        for destination in self.over_api.values():
            made = await self.call("POST", "destinations", destination)
            assert made["name"] == destination["name"], made
        routes = _routes(self.over_api)
        for collection in ("channels", "subscriptions"):
            for document in routes[collection]:
                assert (await self.call("POST", collection, document))["name"] == document["name"]
        secret = self.planter.plant("workspaces.intake_endpoints.secret")
        await self.call("POST", "intake-endpoints", {"name": "api-github", "source": "github", "secret": secret})

    async def deliver(self, names: Iterable[str], modes: Iterable[str]) -> None:
        """Send an event of each mode to each destination and wait until none is under way."""
        events = [{"type": f"{name}.mode-{mode}", "severity": "critical"} for name in names for mode in modes]
        await self.daemon.send(*events)
        self.sent += len(events)
        await eventually(self._idle, "every delivery to be final", PATIENCE)

    async def _idle(self) -> bool:
        """Whether nothing is under way; destinations that a provider's word has disabled go on."""
        for state in ("pending", "retrying", "in_flight"):
            if (await self.daemon.get(f"deliveries?state={state}&limit=1"))["items"]:
                await self._enable()
                return False
        page = await self.daemon.get("deliveries?limit=200")
        final = sum(each["state"] in {"delivered", "dead"} for each in page["items"])
        while page["next_cursor"] is not None:
            page = await self.daemon.get(f"deliveries?limit=200&cursor={page['next_cursor']}")
            final += sum(each["state"] in {"delivered", "dead"} for each in page["items"])
        return final >= self.sent

    async def _enable(self) -> None:
        """Enable what is disabled."""
        for each in (await self.daemon.get("destinations?limit=200"))["items"]:
            if each["state"] == "disabled":
                await self.call("POST", f"destinations/{each['name']}/enable")

    async def read_everything(self) -> None:
        """Get every path of the API, and of its collections every item."""
        paths = (await self.call("GET", "/api/openapi.json"))["paths"]
        for path, operations in paths.items():
            if "get" in operations and "stream" not in path:
                for filled in await self._filled(path):
                    await self.call("GET", filled)
        for path in ("/", "/metrics", "/api/docs", "/-/ready", "/-/healthy", "/nowhere"):
            await self.call("GET", path)

    async def read_deliveries(self) -> None:
        """Get every delivery, with what was answered to each attempt."""
        cursor = ""
        while cursor is not None:
            page = await self.call("GET", f"deliveries?limit=200{f'&cursor={cursor}' if cursor else ''}")
            for delivery in page["items"]:
                await self.call("GET", f"deliveries/{delivery['id']}")
            cursor = page["next_cursor"]

    async def _filled(self, path: str) -> list[str]:
        path = path.replace("{workspace}", "default")
        collection, brace, rest = path.partition("/{")
        if not brace:
            return [path]
        listed = await self.call("GET", f"{collection}?limit=100")
        names = [str(each.get("id") or each.get("name")) for each in (listed or {}).get("items", ())]
        behind = rest.partition("}")[2]
        return [f"{collection}/{name}{behind}" for name in names] if "{" not in behind else []


def _routes(destinations: Mapping[str, Any]) -> dict[str, Any]:
    """Give each destination a channel of its own and a subscription."""
    return {
        "channels": [{"name": name, "kind": "glob", "pattern": f"{name}.*"} for name in destinations],
        "subscriptions": [{"name": name, "channels": [name], "destinations": [name]} for name in destinations],
    }


@pytest_asyncio.fixture(loop_scope="module")
async def life(tmp_path: Path) -> AsyncIterator[Life]:
    """Run a daemon among peers that tell everything back; afterwards look at all that came out."""
    certificate = trustme.CA().issue_cert("127.0.0.1")
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"another one"))
    pem = tmp_path / "key.pem"
    pem.write_bytes(locked + b"".join(each.bytes() for each in certificate.cert_chain_pems))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        async with echoing() as (http, mail):
            made = Life(tmp_path / "run", Peers(http, mail, closed.getsockname()[1], pem))
            try:
                yield made
            finally:
                await made.daemon.close()


async def test_every_secret_setting_is_planted(tmp_path: Path) -> None:
    """No type and no setting that holds a secret is left out of what follows."""
    planter = Planter()
    planted(planter, Peers(1, 2, 3, tmp_path), "file")
    wanted = {f"{name}.{place}" for name, kind in REGISTRY.items() for place in secret_places(kind.settings_model)}
    assert set(planter.places.values()) == wanted - ({"apprise.url"} if not is_installed() else set())
    assert set(secret_places(Config)) == GLOBAL


@pytest.mark.timeout(600)
async def test_no_secret_is_ever_seen(life: Life) -> None:
    """Through success, every failure, tests, previews, replays, reloads, bad requests, a crash and an end: nothing."""
    daemon = life.daemon
    async with daemon:
        assert set(life.planter.places.values()) >= GLOBAL
        await life.make()
        listening = asyncio.get_running_loop().create_task(_listen(life))
        await life.deliver(life.in_file, MODES)
        await life.deliver(life.over_api, ("400", "cut"))
        await life.read_everything()
        await life.read_deliveries()
        await _act(life)
        await _ask_badly(life)
        await _reload_badly(life)
        await _type(life)
        daemon.configure(life.config(egress={"allow": ["127.0.0.0/8"], "proxy": life.proxy}))
        await life.call("POST", "/-/reload")
        await life.deliver(("file-webhook", "file-slack"), ("400",))
        daemon.configure(life.config())
        await life.call("POST", "/-/reload")
        await life.deliver(life.in_file, ("400", "garbage"))
        _keep_files(life)
        life.seen.add("the log", "\n".join(daemon.lines).encode())
        await daemon.restart()
        await listening
        await daemon.send({"type": "alertd.x"})
        await life.read_everything()
        assert await daemon.stop() == 0
        life.seen.add("the log after a crash", "\n".join(daemon.lines).encode())
        _keep_files(life)
    heard = [data for where, data in life.seen.found if "/deliveries/" in where and b"returned 400" in data]
    assert len(heard) > 40, "the providers told nothing back"
    assert {"stream: delivery", "stream: verdict"} <= {where for where, _ in life.seen.found}
    life.seen.check(life.planter)


async def _listen(life: Life) -> None:
    """Keep what the live stream says, until the daemon is killed."""
    with contextlib.suppress(aiohttp.ClientError):  # which cuts it off in the middle
        async with life.daemon.tail_stream() as entries:
            async for kind, entry in entries:
                life.seen.add(f"stream: {kind}", json.dumps(entry).encode())


async def _act(life: Life) -> None:
    """Do with each destination what can be done, and with some deliveries and events."""
    for name in (*life.in_file, *life.over_api):
        await life.call("POST", f"destinations/{name}/enable")
        await life.call("POST", f"destinations/{name}/test")
        await life.call("POST", f"destinations/{name}/preview", {"type": f"{name}.mode-400"})
        await life.call("POST", f"subscriptions/{name}/test")
        await life.call("POST", "explain", {"type": f"{name}.mode-400"})
    for delivery in (await life.call("GET", "deliveries?state=dead&limit=20"))["items"]:
        await life.call("POST", f"deliveries/{delivery['id']}/replay")
    await life.call("POST", "export")
    await life.call("POST", "diff", {"name": "default", "destinations": list(life.over_api.values())})
    await life.call("PATCH", "destinations/api-slack", {"title": "T"})
    changed = life.planter.plant("webhook.secret")
    await life.call("PATCH", "destinations/api-webhook", {"settings": {"secret": changed}})
    await life.call("DELETE", "destinations/api-discord?cascade=true")
    await life.call("GET", "audit?limit=200")


async def _ask_badly(life: Life) -> None:
    """Put secrets where they are refused: every answer names the place and repeats none."""
    plant = life.planter.plant
    for settings in (
        {"url": f"http://u:{plant('bad')}@example.com/"},
        {"url": f"http://10.0.0.1/{plant('bad')}"},
        {"url": "http://example.com/", "secret": [plant("bad")]},
        {"url": "http://example.com/", "secret": f"whsec_{plant('bad')}!"},
        {"url": "http://example.com/", "private_key": plant("bad")},
        {"url": "http://example.com/", "headers": {"X-Key": f"{plant('bad')}\r\n"}},
        {"url": "http://example.com/", "headers": {"X-Key": {"a": plant("bad")}}},
        {"url": "http://example.com/", "sekret": plant("bad")},
        plant("bad"),
        [plant("bad")],
    ):
        await life.call("POST", "destinations", {"name": "bad", "type": "webhook", "settings": settings})
    for kind in ("slack", "telegram", "pagerduty", "ntfy", "email", "kafka", "nowhere"):
        secrets = dict.fromkeys(("url", "token", "password", "routing_key", "api_key", "secret"), plant("bad") + "\n")
        await life.call("POST", "destinations", {"name": "bad", "type": kind, "settings": secrets})
        await life.call("PATCH", "destinations/api-webhook", {"type": kind, "settings": secrets})
    await life.call("POST", "destinations", f'{{"name": "x", "settings": {{"secret": "{plant("bad")}"'.encode())
    await life.call("GET", "destinations", Authorization=f"Bearer {plant('bad')}")
    await life.call("POST", "intake-endpoints", {"name": "x", "source": "github", "secret": {"a": plant("bad")}})


async def _reload_badly(life: Life) -> None:
    """Reload configurations that are wrong near secrets."""
    plant = life.planter.plant
    broken = [
        {"name": "x", "type": "slack", "settings": {"url": plant("bad")}},
        {"name": "y", "type": "webhook", "settings": {"sekret": plant("bad")}},
        {"name": "z", "type": "telegram", "settings": {"token": plant("bad"), "chat_id": {"a": plant("bad")}}},
    ]
    values: list[Any] = [{"value": f"{plant('bad')} x"}, {"valeu": plant("bad")}, {"value": [plant("bad")]}]
    wrongs: list[dict[str, Any]] = [
        {
            "tokens": [{"name": f"x{number}", "role": "intake", **value} for number, value in enumerate(values)],
            "heartbeat": {"url": f"ftp://{plant('bad')}/"},
            "mail": {"host": "a b", "password": f"{plant('bad')}\n"},
            "store": {"secrets_key": plant("bad")},
            "egress": {"proxy": f"socks5://u:{plant('bad')}@127.0.0.1"},
            "workspaces": [{"name": "default", "destinations": broken}],
        },
        {"heartbeat": {"url": [plant("bad")]}, "mail": plant("bad"), "tokens": [plant("bad")]},
    ]
    for wrong in wrongs:
        life.daemon.configure({**life.config(), **wrong})
        await life.call("POST", "/-/reload")
        await life.cli("check", str(life.daemon.config_file))


async def _type(life: Life) -> None:
    """Run the commands that read or write what has secrets in it."""
    life.daemon.configure(life.config())
    file = str(life.daemon.config_file)
    for arguments in (
        ("export",),
        ("diff", file),
        ("check", file),
        ("destination", "test", "file-slack"),
        ("destination", "test", "api-webhook"),
        ("destination", "preview", "file-pagerduty"),
        ("destination", "list"),
        ("explain", "file-slack.mode-400"),
        ("token", "list"),
        ("backup", str(life.daemon.state / "copy.db")),
    ):
        await life.cli(*arguments)


def _keep_files(life: Life) -> None:
    """Keep what is on the disk: the store, its log, what was written before an end. The configuration itself is no leak."""
    for file in sorted(life.daemon.state.rglob("*")):
        if file.is_file() and file.name != "admin.token":  # where the command line finds it
            life.seen.add(f"file {file.name}", file.read_bytes())
