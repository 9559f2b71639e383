"""Compiling of workspaces, which may take a second, while everything else goes on."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from alertd.app import compiling
from alertd.app.compiling import Compiling
from alertd.clock import SystemClock
from alertd.destinations.mail_server import MailServer
from alertd.model.workspace import Workspace
from alertd.store.memory import MemoryStore

if TYPE_CHECKING:
    import pytest

    from alertd.engine.ruleset import Ruleset

DEADLINE_SECONDS = 60


async def test_the_loop_goes_on_while_patterns_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats, probes and deliveries share the loop: the compiler waits here for what only a free loop can do."""
    compile_ruleset, loop, free = compiling.compile_ruleset, asyncio.get_running_loop(), threading.Event()
    waited: list[bool] = []

    def slow(*args: Any) -> Ruleset:
        loop.call_soon_threadsafe(free.set)
        waited.append(free.wait(DEADLINE_SECONDS))
        return compile_ruleset(*args)

    monkeypatch.setattr(compiling, "compile_ruleset", slow)
    channel = {"name": "runs", "kind": "regex", "pattern": "run:.*"}
    workspace = Workspace.model_validate({"name": "default", "channels": [channel]})
    compiled = await Compiling(MemoryStore(SystemClock())).compile([workspace], MailServer())

    assert waited == [True]
    assert compiled.workspaces == [workspace]
