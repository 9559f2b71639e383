"""Commands as they are typed, within this process, against the API over a store in memory in another thread."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aiohttp.test_utils import TestClient, TestServer
from typer.testing import CliRunner

from alertd.cli.main import app
from tests.unit.api.bench import DEADLINE, Bench, running

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from aiohttp import web
    from typer.testing import Result

__all__ = ["Stage", "answering", "serving", "typed"]


def typed(*arguments: str, stdin: bytes | None = None, **environ: str) -> Result:
    """Type a command in a bare environment."""
    given = {"ALERTD_URL": None, "ALERTD_TOKEN": None, "ALERTD_CONFIG": None, **environ}
    return CliRunner().invoke(app, list(arguments), input=stdin, env=given, prog_name="alertd")


class Stage:
    """A served API: its address, its parts, and a way to run something on its loop."""

    def __init__(self, url: str, bench: Bench | None, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self.bench = bench
        self._loop = loop

    def on_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something where the server runs."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE)

    def typed(self, *arguments: str, stdin: bytes | None = None, who: str = "root") -> Result:
        """Type a command against this server."""
        return typed(*arguments, "--url", self.url, stdin=stdin, ALERTD_TOKEN=f"secret-{who}")


@contextmanager
def serving(deadline: float = DEADLINE) -> Iterator[Stage]:
    """Serve the whole API."""

    async def serve(ready: Callable[[Stage], None], stop: asyncio.Event) -> None:
        async with running(deadline) as call:
            loop = asyncio.get_running_loop()
            ready(Stage(f"http://127.0.0.1:{call.client.port}", call.bench, loop))
            await stop.wait()

    with _thread(serve) as stage:
        yield stage


@contextmanager
def answering(app: web.Application) -> Iterator[Stage]:
    """Serve something else."""

    async def serve(ready: Callable[[Stage], None], stop: asyncio.Event) -> None:
        async with TestClient(TestServer(app)) as client:
            ready(Stage(f"http://127.0.0.1:{client.port}", None, asyncio.get_running_loop()))
            await stop.wait()

    with _thread(serve) as stage:
        yield stage


@contextmanager
def _thread(serve: Callable[[Callable[[Stage], None], asyncio.Event], Coroutine[Any, Any, None]]) -> Iterator[Stage]:
    found: list[Stage] = []
    stops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    up = threading.Event()

    async def main() -> None:
        stop = asyncio.Event()
        stops.append((asyncio.get_running_loop(), stop))

        def ready(stage: Stage) -> None:
            found.append(stage)
            up.set()

        await serve(ready, stop)

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    try:
        assert up.wait(DEADLINE)
        yield found[0]
    finally:
        for loop, stop in stops:
            loop.call_soon_threadsafe(stop.set)
        thread.join(DEADLINE)
        assert not thread.is_alive()
