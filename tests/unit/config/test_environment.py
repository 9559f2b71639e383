"""Settings from the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alertd.config.load import load_config
from alertd.errors import ConfigError
from tests.unit.config.files import VALID, load, problem

if TYPE_CHECKING:
    from pathlib import Path


def test_variables_override_the_file(tmp_path: Path) -> None:
    """Two underscores go one level down; what is not set stays as the file has it."""
    config = load(
        tmp_path,
        VALID,
        {
            "ALERTD_SERVER__LISTEN": "0.0.0.0:80",
            "ALERTD_DELIVERY__QUEUE__CAPACITY": "17",
            "ALERTD_STORE__RETENTION_DAYS": "null",
            "ALERTD_EGRESS__ALLOW": "[a.example, 10.0.0.0/8]",
            "ALERTD_INTAKE__KAFKA__GROUP_ID": "0123",
            "ALERTD_SHUTDOWN": "{drain_seconds: 0.5}",
        },
    )
    assert config.server.listen == "0.0.0.0:80"
    assert config.server.public_url == "https://alerts.example.com"
    assert config.delivery.queue.capacity == 17
    assert config.delivery.queue.concurrency == 8
    assert config.store.retention_days is None
    assert config.egress.allow == ("a.example", "10.0.0.0/8")
    assert config.intake.kafka is not None
    assert config.intake.kafka.group_id == "0123"
    assert config.shutdown.drain_seconds == 0.5


def test_a_section_that_is_null_is_made() -> None:
    """Kafka can be set up from the environment alone."""
    environ = {
        "ALERTD_INTAKE__KAFKA__BOOTSTRAP_SERVERS": "[kafka-1:9092]",
        "ALERTD_INTAKE__KAFKA__TOPICS": "[{name: events}]",
    }
    kafka = load_config(None, environ).intake.kafka
    assert kafka is not None
    assert kafka.bootstrap_servers == ("kafka-1:9092",)


def test_texts_are_taken_as_they_are(tmp_path: Path) -> None:
    """A password is no YAML and no reference, but a secret may still name a file."""
    (tmp_path / "kafka").write_text("from a file\n")
    name = "ALERTD_INTAKE__KAFKA__SECURITY__PASSWORD"
    for text, read in [("[a: $$ ${B} #", "[a: $$ ${B} #"), ("12345", "12345"), ("file:kafka", "from a file")]:
        kafka = load(tmp_path, VALID, {name: text}).intake.kafka
        assert kafka is not None
        assert kafka.security.password is not None
        assert kafka.security.password.get_secret_value() == read


@pytest.mark.parametrize("text", ["", "null", "~"])
def test_an_empty_text_is_null(tmp_path: Path, text: str) -> None:
    """A setting of the file can be taken away again."""
    assert load(tmp_path, VALID, {"ALERTD_SERVER__PUBLIC_URL": text}).server.public_url is None


@pytest.mark.parametrize("name", ["ALERTD_TOKEN", "ALERTD_URL", "ALERTD_CONFIG", "ALERTD_TEST_ANY", "ALERT", "HOME"])
def test_variables_with_other_uses_are_left_alone(tmp_path: Path, name: str) -> None:
    """Those of the command line, of the tests and of everybody else are no settings."""
    load(tmp_path, "", {name: "x"})


@pytest.mark.parametrize(
    ("name", "text", "path", "found", "expected"),
    [
        ("ALERTD_SERVER__LISTN", "x", "server.listn", "ALERTD_SERVER__LISTN", "did you mean 'ALERTD_SERVER__LISTEN'?"),
        ("ALERTD_SERVER_LISTEN", "x", "server_listen", "unknown variable", "ALERTD_SERVER__LISTEN"),
        ("ALERTD_", "x", "(file)", "unknown variable ALERTD_", "ALERTD_SECTION__SETTING"),
        ("ALERTD_SERVER__LISTEN__X", "x", "server.listen.x", "unknown variable", "ALERTD_SECTION__SETTING"),
        ("ALERTD_EGRESS__ALLOW__0", "x", "egress.allow.0", "unknown variable", "did you mean"),
        ("ALERTD_WORKSPACES", "[]", "workspaces", "ALERTD_WORKSPACES", "in a configuration file"),
        ("ALERTD_LOG__LEVEL", "loud", "log.level", "'loud'", "one of debug"),
        ("ALERTD_SERVER__LISTEN", "", "server.listen", "nothing", "a text"),
        ("ALERTD_DELIVERY__TIMEOUT_SECONDS", "soon", "delivery.timeout_seconds", "'soon'", "a number"),
        ("ALERTD_DELIVERY__TIMEOUT_SECONDS", "[", "delivery.timeout_seconds", "malformed YAML", "such as 10"),
        ("ALERTD_EGRESS__ALLOW", "[10.0.0.1/8]", "egress.allow[0]", "'10.0.0.1/8'", "without host bits"),
    ],
)
def test_a_bad_variable_is_named(tmp_path: Path, name: str, text: str, path: str, found: str, expected: str) -> None:
    """In place of file and line stands the variable."""
    said = problem(tmp_path, "server: {}", {name: text})
    assert (said.file, said.line, said.path) == (name, None, path)
    assert found in said.found
    assert expected in said.expected


def test_a_bad_variable_hides_nothing_in_the_file(tmp_path: Path) -> None:
    """Both are said; the environment comes last."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "log: {level: loud}\nstore: {url: x}", {"ALERTD_X": "y", "ALERTD_SERVER__LISTEN": "z"})
    assert [p.path for p in caught.value.problems] == ["log.level", "store.url", "x", "server.listen"]


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """A variable that is not UTF-8 is a problem, not a crash."""
    assert problem(tmp_path, "", {"ALERTD_DELIVERY__TIMEOUT_SECONDS": "\udcff"}).found
