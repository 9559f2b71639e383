"""Encryption and authentication of the Kafka intake, through the daemon's own settings, and the true reason when it fails."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from alertd.app.translate import kafka_options
from alertd.config.load import load_config
from alertd.intake.kafka import service
from tests.broker import free_ports, require
from tests.kafka_lab import FAST, Feeder, Member, fresh_group, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.broker import Broker

WAYS = [
    ("sasl_plaintext", "PLAIN"),
    ("sasl_plaintext", "SCRAM-SHA-256"),
    ("sasl_plaintext", "SCRAM-SHA-512"),
    ("sasl_ssl", "PLAIN"),
    ("sasl_ssl", "SCRAM-SHA-256"),
    ("sasl_ssl", "SCRAM-SHA-512"),
    ("tls", ""),
    ("mtls", ""),
]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again soon."""
    monkeypatch.setattr(service, "RETRY_SECONDS", (0.1,))


def member(folder: Path, address: str, topic: str, secured: dict[str, Any]) -> Member:
    """Build a member from a configuration file."""
    import yaml  # noqa: PLC0415 - only here

    file = folder / "alertd.yml"
    kafka = {"bootstrap_servers": [address], "topics": [{"name": topic}], "security": secured}
    file.write_text(yaml.safe_dump({"intake": {"kafka": kafka}}))
    options = kafka_options(load_config(file, {}), None)
    return Member(address, topic, group=fresh_group(), security=options.security, **FAST)


@contextlib.asynccontextmanager
async def failing(made: Member) -> AsyncIterator[Callable[[], str]]:
    """Run a member that cannot connect; give what it says."""
    with capture_logs() as logs:

        def said() -> str:
            return "\n".join(line["error"] for line in logs if line["event"] == "kafka.cannot_connect")

        await made.start()
        try:
            await until(said, say=lambda: logs)
            yield said
        finally:
            await made.stop()


@pytest.mark.parametrize(("listener", "mechanism"), WAYS)
async def test_every_way_in(kafka_secure: Broker, tmp_path: Path, listener: str, mechanism: str) -> None:
    """SASL PLAIN and SCRAM, with and without TLS, TLS alone, and mutual TLS, as an operator configures them."""
    require(kafka_secure, "sasl", "tls")
    topic = fresh_group()
    async with Feeder(kafka_secure) as feeder:
        await feeder.send(topic, range(5))
    made = member(tmp_path, kafka_secure.listeners[listener], topic, kafka_secure.security(listener, mechanism))
    async with made:
        await until(lambda: made.has(range(5)))


@pytest.mark.parametrize(("listener", "mechanism"), [way for way in WAYS if way[1]])
async def test_a_wrong_password_is_named(kafka_secure: Broker, tmp_path: Path, listener: str, mechanism: str) -> None:
    """The log says that the credentials are wrong, never what they are, and it is tried again."""
    require(kafka_secure, "sasl", "tls")
    wrong = kafka_secure.security(listener, mechanism) | {"password": "wr0ng-s3cret"}
    made = member(tmp_path, kafka_secure.listeners[listener], "t", wrong)
    async with failing(made) as said:
        assert "SaslAuthenticationFailed" in said()
        assert "redentials" in said() or "Invalid username or password" in said()
        assert "wr0ng" not in said()
        await until(lambda: len(made.sessions) > 2)


@pytest.mark.parametrize("listener", ["tls", "mtls", "sasl_ssl"])
async def test_a_wrong_authority_is_named(kafka_secure: Broker, tmp_path: Path, listener: str) -> None:
    """The log says that the certificate could not be verified."""
    require(kafka_secure, "tls")
    assert kafka_secure.tls
    wrong = kafka_secure.security(listener, "PLAIN" if listener == "sasl_ssl" else "")
    wrong["ca_file"] = str(kafka_secure.tls.other_ca)
    async with failing(member(tmp_path, kafka_secure.listeners[listener], "t", wrong)) as said:
        assert "CERTIFICATE_VERIFY_FAILED" in said()


@pytest.mark.parametrize(
    ("listener", "protocol"),
    [("mtls", "SSL"), ("plaintext", "SSL"), ("tls", "PLAINTEXT"), ("sasl_plaintext", "PLAINTEXT")],
)
async def test_a_wrong_protocol_is_guessed(kafka_secure: Broker, tmp_path: Path, listener: str, protocol: str) -> None:
    """Brokers just close the connection; the log says what to check then."""
    require(kafka_secure, "sasl", "tls")
    assert kafka_secure.tls
    wrong = {"protocol": protocol} | ({"ca_file": str(kafka_secure.tls.ca)} if protocol == "SSL" else {})
    async with failing(member(tmp_path, kafka_secure.listeners[listener], "t", wrong)) as said:
        assert "check security.protocol" in said() or "WRONG_VERSION_NUMBER" in said()


async def test_a_wrong_port_is_named(tmp_path: Path) -> None:
    """Nobody listens there: the log gives the address and that it refused."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    async with failing(member(tmp_path, address, "t", {})) as said:
        assert address in said()
        assert "Connect call failed" in said()


async def test_an_unknown_host_is_named(tmp_path: Path) -> None:
    """The log says that the name could not be resolved."""
    async with failing(member(tmp_path, "no-such-host.invalid:9092", "t", {})) as said:
        assert "no-such-host.invalid:9092" in said()
        assert "Name or service not known" in said() or "name resolution" in said()


@pytest.mark.parametrize("setting", ["ca_file", "cert_file"])
async def test_a_missing_file_is_named_and_found_when_it_comes(
    kafka_secure: Broker, tmp_path: Path, setting: str
) -> None:
    """A certificate that is not there yet is named in the log, and used as soon as it is."""
    require(kafka_secure, "tls")
    good = kafka_secure.security("mtls", "")
    late = tmp_path / "late.pem"
    topic = fresh_group()
    made = member(tmp_path, kafka_secure.listeners["mtls"], topic, good | {setting: str(late)})
    async with Feeder(kafka_secure) as feeder:
        await feeder.send(topic, range(5))
        async with failing(made) as said:
            assert f"security.{setting}" in said()
            assert str(late) in said()
            shutil.copy(good[setting], late)
            await until(lambda: made.has(range(5)))
