"""Which settings a reload cannot change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.config.restart import needs_restart
from alertd.config.settings import Config
from tests.unit.config.files import VALID, load

if TYPE_CHECKING:
    from pathlib import Path


def test_the_same_configuration_needs_no_restart(tmp_path: Path) -> None:
    """Reading the same file again changes nothing."""
    assert needs_restart(load(tmp_path, VALID), load(tmp_path, VALID)) == []


def test_resources_and_most_settings_are_reloaded(tmp_path: Path) -> None:
    """Channels, delivery, egress, tokens, retention and the log level take effect at once."""
    old = load(tmp_path, VALID)
    text = VALID.replace("run:.*", "job:.*").replace("capacity: 1000", "capacity: 7").replace("10.20", "10.30")
    text = text.replace("retention_days: 30", "retention_days: 3").replace("hunter2-token", "hunter3")
    assert needs_restart(old, load(tmp_path, f"{text}\nlog: {{level: debug}}")) == []


def test_what_is_bound_at_the_start_is_named(tmp_path: Path) -> None:
    """Each differing setting is named by its path; a section that comes or goes as a whole."""
    old = load(tmp_path, VALID)
    text = VALID.replace(":8080", ":9090").replace("alertd.db", "other.db").replace("hunter2-kafka", "hunter3")
    new = load(
        tmp_path, text.replace("max_body_bytes: 1048576", "max_body_bytes: 5").replace("name: events", "name: e")
    )
    assert needs_restart(old, new) == [
        "server.listen",
        "store.url",
        "intake.http.max_body_bytes",
        "intake.kafka.security.password",
        "intake.kafka.topics",
    ]
    assert needs_restart(old, Config()) == ["store.url", "intake.kafka"]
