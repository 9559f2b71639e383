"""Configuration files for tests: written to a folder, loaded, and what is wrong with them."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from alertd.config.load import load_config
from alertd.errors import ConfigError, ConfigProblem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from alertd.config.settings import Config

VALID = """\
server:
  listen: 127.0.0.1:8080
  public_url: https://alerts.example.com
store: {url: "sqlite:////var/lib/alertd/alertd.db", retention_days: 30}
shutdown: {drain_seconds: 5}
intake:
  http: {max_body_bytes: 1048576, rate_per_second: null}
  kafka:
    bootstrap_servers: ["kafka-1:9092"]
    security: {protocol: SASL_SSL, mechanism: SCRAM-SHA-512, username: alertd, password: hunter2-kafka, ca_file: ca.pem}
    topics:
      - {name: events, format: native, workspace: default}
delivery:
  queue: {capacity: 1000, concurrency: 8}
  retry: {max_attempts: 12, jitter: full}
  timeout_seconds: 10
egress:
  allow: [10.20.0.0/16, hooks.internal]
tokens:
  - {name: producers, role: intake, value: hunter2-token}
workspaces:
  - name: default
    projects:
      - {name: shop, environments: [prod], owner: {name: Ann, email: ann@example.com}}
    channels:
      - {name: runs, kind: regex, pattern: "run:.*"}
      - {name: budget, kind: glob, pattern: "agent.*", environments: [prod]}
    destinations:
      - name: ops-hook
        type: webhook
        settings: {url: "https://hooks.example.com/x", secret: hunter2-hook, headers: {X-Team: ops}}
        queue: {concurrency: 4}
      - {name: shell, type: console}
    subscriptions:
      - name: production-runs
        channels: [runs, "run:failed"]
        destinations: [ops-hook, shell]
        min_severity: error
        matchers: ['team="payments"']
        cooldown_seconds: 300
"""
"""A file with something of everything."""


def write(folder: Path, text: str) -> Path:
    """Write a configuration file; returns its path."""
    path = folder / "alertd.yml"
    path.write_text(dedent(text), encoding="utf-8")
    return path


def load(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Config:
    """Load a configuration that is expected to be good."""
    return load_config(write(folder, text), environ or {})


def problems(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> tuple[ConfigProblem, ...]:
    """Load a configuration that is expected to be bad; returns what is wrong with it."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text, environ)
    return caught.value.problems


def problem(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> ConfigProblem:
    """Return the only thing that is wrong with a configuration."""
    found = problems(folder, text, environ)
    assert len(found) == 1, "\n".join(map(str, found))
    return found[0]
