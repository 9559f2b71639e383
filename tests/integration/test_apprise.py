"""The destination type `apprise` against a real receiver over HTTP, with the real library."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
import logging
import socket
import threading
import tomllib
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import apprise as library
import pytest
from aiohttp import web
from apprise.decorators import notify
from apprise.manager_plugins import NotificationManager
from pydantic import ValidationError

from alertd.destinations import apprise, apprise_service
from alertd.destinations.apprise_service import INSTALL, MISSING
from alertd.destinations.base import World
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.destinations.unusable import reason_of
from alertd.model.delivery import OutcomeKind
from tests.conformance.destination_suite import FixedClock, ScriptedSender, make_message
from tests.conformance.messages import make_digest, make_event, make_issue
from tests.daemon import eventually
from tests.loopback import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.destinations.base import OpenDestination
    from alertd.model.delivery import Outcome

DEADLINE = 60.0
LOOPBACK = ("127.0.0.1",)


class Receiver:
    """Keeps bodies, and answers as told."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.status = 200
        self.location = ""
        self.gate = asyncio.Event()
        self.gate.set()
        self.port = 0

    async def take(self, request: web.Request) -> web.Response:
        """Keep and answer."""
        self.bodies.append(await request.read())
        await self.gate.wait()
        headers = {"Location": self.location} if self.location else None
        return web.Response(status=self.status, headers=headers)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Run a receiver on loopback."""
    made = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.take)
    async with serving(app, shutdown_timeout=1) as made.port:
        yield made
        made.gate.set()


@asynccontextmanager
async def opened(
    url: str, *, allow: tuple[str, ...] = LOOPBACK, seconds: float = 10.0, **settings: Any
) -> AsyncIterator[OpenDestination]:
    """Open a destination, and close it in the end."""
    world = World(FixedClock(), ScriptedSender(), print, permit=EgressPolicy(allow).check_address)
    valid = await asyncio.to_thread(parse_settings, "apprise", {"url": url, **settings})
    made = REGISTRY["apprise"].open(valid, seconds, world)
    try:
        yield made
    finally:
        await made.close()


async def attempt(destination: OpenDestination, **changes: Any) -> Outcome:
    """Attempt within the deadline."""
    async with asyncio.timeout(DEADLINE):
        return await destination.attempt(make_message(**changes))


async def test_json_arrives(receiver: Receiver) -> None:
    """Title, text and kind arrive; what an event says mentions nobody."""
    event = make_event(message="@everyone look", severity="critical")
    async with opened(f"json://127.0.0.1:{receiver.port}/tok-en-123456") as destination:
        outcome = await attempt(destination, event=event, event_type="run:failed", url="https://a.example/alerts/1")
    assert outcome.kind is OutcomeKind.DELIVERED, outcome
    body = json.loads(receiver.bodies[0])
    assert body["type"] == "failure"
    assert "look" in body["title"]
    assert "https://a.example/alerts/1" in body["message"]
    assert "@everyone" not in body["title"] + body["message"]


async def test_form_arrives(receiver: Receiver) -> None:
    """A resolved issue is a success, a digest lists what it holds."""
    async with opened(f"form://127.0.0.1:{receiver.port}/x") as destination:
        assert (await attempt(destination, issue=make_issue(state="resolved"))).kind is OutcomeKind.DELIVERED
        assert (await attempt(destination, digest=make_digest(500))).kind is OutcomeKind.DELIVERED
    first, second = (parse_qs(body.decode()) for body in receiver.bodies)
    assert first["type"] == ["success"]
    assert "and 480 more" in second["message"][0]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (204, OutcomeKind.DELIVERED),
        (400, OutcomeKind.REJECTED),
        (404, OutcomeKind.REJECTED),
        (410, OutcomeKind.GONE),
        (408, OutcomeKind.RETRY_LATER),
        (429, OutcomeKind.RETRY_LATER),
        (500, OutcomeKind.RETRY_LATER),
        (503, OutcomeKind.RETRY_LATER),
    ],
)
async def test_a_status_means(receiver: Receiver, status: int, kind: OutcomeKind) -> None:
    """Where the library's log names the status, it decides; the secret in the path is not in the words."""
    receiver.status = status
    async with opened(f"json://127.0.0.1:{receiver.port}/tok-en-123456") as destination:
        outcome = await attempt(destination)
    assert outcome.kind is kind, outcome
    assert (f"apprise: returned {status}" in outcome.detail) == (kind is not OutcomeKind.DELIVERED)
    assert "tok-en" not in repr(outcome)


async def test_nobody_there_is_tried_again() -> None:
    """A connection that is refused was not used: not ambiguous, even where a repeat is unwanted."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with opened(f"json://127.0.0.1:{port}/x", on_ambiguous="dead") as destination:
        outcome = await attempt(destination)
    assert outcome.kind is OutcomeKind.RETRY_LATER, outcome
    assert outcome.detail.startswith("apprise: ")


@pytest.mark.parametrize(("choice", "kind"), [("retry", OutcomeKind.AMBIGUOUS), ("dead", OutcomeKind.REJECTED)])
async def test_no_answer_is_ambiguous(receiver: Receiver, choice: str, kind: OutcomeKind) -> None:
    """A receiver that took the message and fell silent may have it: the destination's choice decides."""
    receiver.gate.clear()
    async with opened(f"json://127.0.0.1:{receiver.port}/x", seconds=1.0, on_ambiguous=choice) as destination:
        outcome = await attempt(destination)
    assert outcome.kind is kind, outcome


async def test_threads_are_bounded(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """While as many threads wait as there may be, nothing more is begun; when they end, it goes on."""
    monkeypatch.setattr(apprise, "THREADS_MAX", 2)
    receiver.gate.clear()
    async with opened(f"json://127.0.0.1:{receiver.port}/x") as destination:
        waiting = [asyncio.create_task(attempt(destination)) for _ in range(2)]
        await eventually(lambda: asyncio.sleep(0, len(receiver.bodies) == 2), "both alerts")
        outcome = await attempt(destination)
        assert (outcome.kind, len(receiver.bodies)) == (OutcomeKind.RETRY_LATER, 2)
        assert outcome.detail == "apprise: 2 earlier attempts have not ended yet"
        receiver.gate.set()
        assert {each.kind for each in await asyncio.gather(*waiting)} == {OutcomeKind.DELIVERED}
        assert (await attempt(destination)).kind is OutcomeKind.DELIVERED


async def test_an_attempt_that_is_cancelled_waits_for_nothing(receiver: Receiver) -> None:
    """A hard stop ends the attempt at once; its thread keeps no process alive."""
    receiver.gate.clear()
    async with opened(f"json://127.0.0.1:{receiver.port}/x") as destination:
        task = asyncio.create_task(attempt(destination))
        await eventually(lambda: asyncio.sleep(0, receiver.bodies), "the alert")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert all(thread.daemon for thread in threading.enumerate() if thread.name == "apprise")


async def test_the_guard_refuses_what_is_private(receiver: Receiver) -> None:
    """An address that nobody permitted is not connected to, by number or by name."""
    for host in ("127.0.0.1", "localhost"):
        async with opened(f"json://{host}:{receiver.port}/x", allow=()) as destination:
            outcome = await attempt(destination)
        assert outcome.kind is OutcomeKind.REJECTED, outcome
        assert "egress refused: " in outcome.detail
        assert "is loopback" in outcome.detail
    assert not receiver.bodies


async def test_a_name_that_is_permitted_may_be_anywhere(receiver: Receiver) -> None:
    """`egress.allow` with a host name permits that name alone."""
    async with opened(f"json://localhost:{receiver.port}/x", allow=("localhost",)) as destination:
        assert (await attempt(destination)).kind is OutcomeKind.DELIVERED
    async with opened(f"json://127.0.0.1:{receiver.port}/x", allow=("localhost",)) as destination:
        assert (await attempt(destination)).kind is OutcomeKind.REJECTED


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves its socket open
async def test_a_datagram_is_refused() -> None:
    """Also where the service's code does not know that sending may fail."""
    async with opened("rsyslog://127.0.0.1:514", allow=()) as destination:
        outcome = await attempt(destination)
    assert outcome.kind is OutcomeKind.REJECTED, outcome
    assert "is loopback" in outcome.detail


@pytest.mark.parametrize("own", ["", "?redirect=yes"])
async def test_redirects_are_not_followed(receiver: Receiver, own: str) -> None:
    """Not even where the URL asks for it."""
    receiver.status, receiver.location = 307, f"http://127.0.0.1:{receiver.port}/elsewhere"
    async with opened(f"json://127.0.0.1:{receiver.port}/x{own}") as destination:
        outcome = await attempt(destination)
    assert outcome.kind is OutcomeKind.REJECTED, outcome
    assert len(receiver.bodies) == 1


async def test_nothing_of_it_is_logged(receiver: Receiver) -> None:
    """What the library logs may hold secrets, so it stays with us, whatever the level."""
    receiver.status = 500
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(f"{record.name} {record.getMessage()}")  # type: ignore[method-assign]  # a handler of one line
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        async with opened(f"json://user:hunter2-hunter2@127.0.0.1:{receiver.port}/tok-en-123456") as destination:
            outcome = await attempt(destination)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert outcome.status == 500
    assert not [line for line in lines if "hunter2" in line or "tok-en" in line]


@pytest.fixture
async def threaded() -> AsyncIterator[str]:
    """A service of the library that connects in a thread of its own, as those of XMPP and MQTT do; give its scheme."""
    await asyncio.to_thread(apprise_service.service_of, "json://127.0.0.1")

    @notify(on="ownthread")
    def deliver(body: str, title: str, *args: Any, meta: dict[str, Any], **kwargs: Any) -> bool:
        said: list[bytes] = []

        def run() -> None:
            with contextlib.suppress(OSError), socket.create_connection((meta["host"], meta["port"]), 10) as sock:
                sock.sendall(b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                said.append(sock.recv(100))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join(DEADLINE)
        return bool(said)

    yield "ownthread"
    NotificationManager().remove("ownthread")


async def test_the_guard_follows_a_service_into_its_threads(receiver: Receiver, threaded: str) -> None:
    """What a service does in a thread of its own is judged, too: refused where it is private, done where it is permitted."""
    for host in ("127.0.0.1", "localhost"):
        async with opened(f"{threaded}://{host}:{receiver.port}/x", allow=()) as destination:
            outcome = await attempt(destination)
        assert outcome.kind is OutcomeKind.REJECTED, outcome
        assert "egress refused: " in outcome.detail
        assert "is loopback" in outcome.detail
    assert not receiver.bodies
    async with opened(f"{threaded}://localhost:{receiver.port}/x", allow=("localhost",)) as destination:
        assert (await attempt(destination)).kind is OutcomeKind.DELIVERED
    assert len(receiver.bodies) == 1


@pytest.fixture
async def quitting() -> AsyncIterator[str]:
    """A service of the library whose code ends its thread; give its scheme."""
    await asyncio.to_thread(apprise_service.service_of, "json://127.0.0.1")

    @notify(on="quitting")
    def deliver(body: str, title: str, *args: Any, meta: dict[str, Any], **kwargs: Any) -> bool:
        raise SystemExit(1)

    yield "quitting"
    NotificationManager().remove("quitting")


async def test_a_service_that_ends_its_thread_has_failed(quitting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and as often as it does so: it takes no thread's place, and the daemon goes on."""
    monkeypatch.setattr(apprise, "THREADS_MAX", 1)
    async with opened(f"{quitting}://127.0.0.1/x") as destination:
        for _ in range(2):
            outcome = await attempt(destination)
            assert (outcome.kind, outcome.detail) == (
                OutcomeKind.RETRY_LATER,
                "apprise: the service's code failed: SystemExit",
            )


def test_reading_a_url_connects_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that would connect as soon as its URL is read is refused when it is set, and has not connected."""
    apprise_service.service_of("json://127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def eager(*args: Any, **options: Any) -> Any:
            with contextlib.suppress(OSError):
                socket.create_connection(server.getsockname(), 10)
            return object()

        monkeypatch.setattr(library.Apprise, "instantiate", eager)
        with pytest.raises(ValidationError, match="can be read without connecting"):
            parse_settings("apprise", {"url": "json://127.0.0.1/x"})
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


LOOKED_AT = {
    "pools that alertd's calls do not reach": {"apprise", "plugins.base"},
    "look-ups in a pool, and connections in the attempt's own thread": {"utils.http"},
    "connections in the attempt's own thread": {"plugins.aprs", "plugins.rsyslog", "utils.socket"},
    "a thread with an event loop, which the guard follows": {"plugins.xmpp.adapter"},
    "locks": {"attachment.http", "logger", "manager", "plugins.matrix.base", "template"},
    "a look at the system's language": {"locale"},
    "of this machine, refused by its scheme": {"plugins.macosx"},
}
"""Modules of the library that could do more than to send requests by `requests`, and why they may."""


def test_nothing_else_of_the_library_starts_anything() -> None:
    """A version of the library in which another module starts threads, programs or loops is looked at by a person first."""
    folder = Path(library.__file__).parent
    found = set()
    for path in folder.rglob("*.py"):
        tree = ast.walk(ast.parse(path.read_text("utf-8")))
        names = {name.partition(".")[0] for node in tree for name in _imported(node)}
        if names & STARTERS:
            found.add(".".join(path.relative_to(folder).with_suffix("").parts))
    assert found == set().union(*LOOKED_AT.values())


STARTERS = {
    "_thread",
    "asyncio",
    "concurrent",
    "ctypes",
    "multiprocessing",
    "socket",
    "subprocess",
    "threading",
    "uvloop",
}


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []


def test_without_the_library_the_setting_and_the_library_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the library is not installed, configuring the type is an error at `url` that says what to install."""
    monkeypatch.setattr(apprise_service, "find_spec", lambda name: None)
    with pytest.raises(ValidationError) as caught:
        parse_settings("apprise", {"url": "json://hooks.example.com/tok-en-123456"})
    (error,) = caught.value.errors(include_input=False)
    assert error["loc"] == ("url",)
    assert MISSING in error["msg"]
    assert reason_of(caught.value) == (
        "url: expected the library apprise beside alertd, which is not installed: pip install 'apprise>=2.2'"
    )
    assert "tok-en" not in str(caught.value)


def test_what_to_install_is_what_the_project_asks_for() -> None:
    """The command that people are given has the bounds of the extra; nothing of the index has our name."""
    root = Path(__file__).resolve().parents[2]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert f"pip install '{extras['apprise'][0]}'" == INSTALL
    texts = [(root / name).read_text() for name in ("docs/destinations.md", "config/alertd.full.yml")]
    assert all(INSTALL in text and "alertd[" not in text for text in (*texts, apprise.AppriseType.about))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "json://",
        "nosuchservice://hooks.example.com/x",
        "json://a b",
        "syslog://",
        "dbus://x",
        "blink1://",
    ],
)
def test_what_no_service_reads_is_refused(url: str) -> None:
    """A URL without a service behind it, or of a service on this machine, is an error at `url`."""
    with pytest.raises(ValidationError) as caught:
        parse_settings("apprise", {"url": url})
    assert [error["loc"] for error in caught.value.errors(include_input=False)] == [("url",)]


@pytest.mark.parametrize(
    "service", [f"discord://{'1' * 18}/{'a' * 68}/", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"]
)
async def test_no_file_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    """A URL that names a template, a file that would be sent in place of the message, is refused: at once, or when used."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"password": "hunter2", "blocks": [{"type": "divider"}]}))
    url = f"{service}?template={file}"
    await asyncio.to_thread(parse_settings, "apprise", {"url": service})
    with pytest.raises(ValidationError, match="without a template"):
        await asyncio.to_thread(parse_settings, "apprise", {"url": url})
    monkeypatch.setattr(apprise, "is_loaded", lambda: False)
    unread = parse_settings("apprise", {"url": url})
    monkeypatch.undo()
    destination = REGISTRY["apprise"].open(unread, DEADLINE, World(FixedClock(), ScriptedSender(), print))
    outcome = await attempt(destination)
    assert (outcome.kind, outcome.detail) == (OutcomeKind.REJECTED, f"apprise: {apprise_service.TEMPLATE}")
