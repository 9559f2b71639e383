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


@pytest.mark.parametrize(
    ("config", "changed", "same"),
    [
        ({"egress": {"allow": ["127.0.0.0/8"]}}, {}, True),
        ({"delivery": {"timeout_seconds": 3}}, {}, True),
        ({}, {"templates": {"title": "{{ message }}"}}, True),
        ({}, {"settings": {"url": "https://b.example.com/"}}, False),
        ({}, {"settings": {"url": "https://a.example.com/", "secret": "whsec_" + "B" * 32}}, False),
    ],
)
async def test_a_receiver_is_another_when_its_address_or_secret_is(
    rules: Rules, config: dict[str, Any], changed: dict[str, Any], *, same: bool
) -> None:
    """What it said holds through a reload that opens it anew for any other reason."""
    settings = {"url": "https://a.example.com/", "secret": "whsec_" + "A" * 32}
    hook = {"name": "hook", "type": "webhook", "settings": settings}
    specs = []
    for given, more in (({}, {}), (config, changed)):
        workspace = Workspace.model_validate({"name": "default", "destinations": [hook | more]})
        compiled = await rules.compiling.compile([workspace], MailServer())
        specs += rules.lanes(Config.model_validate(given), compiled) or []
    first, second = specs
    assert second.open is not first.open
    assert second.is_same_receiver(first) is same
