"""Rules: from a configuration to lanes, opened once and kept open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from alertd.app.rules import Rules
from alertd.clock import SystemClock
from alertd.config.settings import Config
from alertd.delivery.acknowledging import AcknowledgeLinks
from alertd.destinations.mail_server import MailServer
from alertd.destinations.registry import REGISTRY
from alertd.model.workspace import Workspace
from alertd.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WORKSPACE = Workspace.model_validate({"name": "default", "destinations": [{"name": "ops", "type": "null"}]})


@pytest.fixture
async def rules() -> AsyncIterator[Rules]:
    """Make rules over an empty store."""
    clock = SystemClock()
    rules = Rules(MemoryStore(clock), clock, print, AcknowledgeLinks("secret", clock))
    yield rules
    await rules.close()


async def test_lanes_that_are_as_they_were_are_not_listed_again(rules: Rules) -> None:
    """The second time nothing has changed."""
    compiled, config = await rules.compiling.compile([WORKSPACE], MailServer()), Config()
    assert [spec.name for spec in rules.lanes(config, compiled) or ()] == ["ops"]
    assert rules.lanes(config, compiled) is None


async def test_what_could_not_be_opened_is_tried_again(rules: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    """A destination that failed to open is not taken for one that has not changed."""
    compiled, config = await rules.compiling.compile([WORKSPACE], MailServer()), Config()

    def fail(*args: Any, **options: Any) -> Any:
        raise RuntimeError("no")

    with monkeypatch.context() as broken:
        broken.setattr(type(REGISTRY["null"]), "open", fail)
        with pytest.raises(RuntimeError):
            rules.lanes(config, compiled)
    assert [spec.name for spec in rules.lanes(config, compiled) or ()] == ["ops"]
