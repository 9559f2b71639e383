"""Which destinations are written acknowledge links: those that people read."""

from __future__ import annotations

from alertd.app.rules import Rules
from alertd.clock import SystemClock
from alertd.config.settings import Config
from alertd.delivery.acknowledging import AcknowledgeLinks
from alertd.destinations.mail_server import MailServer
from alertd.model.workspace import Workspace
from alertd.store.memory import MemoryStore

DESTINATIONS = [
    {"name": "chat", "type": "slack", "settings": {"url": "https://hooks.slack.com/services/T0/B0/X"}},
    {"name": "mail", "type": "email", "settings": {"to": ["ann@example.com"]}},
    {"name": "hook", "type": "webhook", "settings": {"url": "https://example.com/"}},
    {"name": "log", "type": "console"},
]


async def test_people_get_links_and_programs_none() -> None:
    """Chat and e-mail, but no webhook."""
    clock = SystemClock()
    rules = Rules(MemoryStore(clock), clock, print, AcknowledgeLinks("secret", clock))
    workspace = Workspace.model_validate({"name": "default", "destinations": DESTINATIONS})
    compiled = await rules.compiling.compile([workspace], MailServer())
    try:
        rules.lanes(Config(), compiled)
    finally:
        await rules.close()
    assert {compiled.ruleset.names[number][2] for number in rules.naming(compiled.ruleset).linked} == {"chat", "mail"}
