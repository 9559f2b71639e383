"""Alerts that would come back as events: a destination that writes to a topic which alertd reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alertd.config.load import load_config
from alertd.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
intake:
  kafka:
    bootstrap_servers: [kafka-1:9092, kafka-2:9092]
    topics: [{{name: events, format: cloudevents}}]
workspaces:
  - name: default
    destinations:
      - name: log
        type: kafka
        settings:
          bootstrap_servers: {servers}
          topic: {topic}
"""


def load(folder: Path, servers: str, topic: str) -> None:
    """Load a configuration with such a destination."""
    path = folder / "alertd.yml"
    path.write_text(CONFIG.format(servers=servers, topic=topic))
    load_config(path, {})


@pytest.mark.parametrize("servers", ["[kafka-1:9092]", "[other:9092, KAFKA-2:9092]"])
def test_a_topic_that_is_read_is_not_written_to(tmp_path: Path, servers: str) -> None:
    """It is an error at the topic's line, which says where it is read."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, servers, "events")
    (problem,) = caught.value.problems
    assert (problem.line, problem.path) == (12, "workspaces[0].destinations[0].settings.topic")
    assert "alertd.yml:4" in problem.expected


@pytest.mark.parametrize(("servers", "topic"), [("[kafka-1:9092]", "alerts"), ("[other:9092]", "events")])
def test_another_topic_or_cluster_is_fine(tmp_path: Path, servers: str, topic: str) -> None:
    """Only the same topic of the same brokers leads in a circle."""
    load(tmp_path, servers, topic)
