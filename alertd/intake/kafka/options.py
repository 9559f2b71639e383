"""What the Kafka intake is told: where the brokers are, who it is to them, and what it reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from alertd.destinations.tls_files import TlsFiles
from alertd.model.kafka_security import KafkaSecurity

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Topic:
    """How one topic's records are read; `workspace` is that of events that name none."""

    format: Literal["native", "cloudevents", "sentry", "github", "incidents", "auto"] = "native"
    workspace: str = "default"


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """Everything about one consumer. Units are in the names; `instance_id` None means a dynamic member."""

    bootstrap_servers: tuple[str, ...]
    topics: Mapping[str, Topic]
    group_id: str = "alertd"
    instance_id: str | None = None
    security: KafkaSecurity = field(default_factory=KafkaSecurity)
    session_timeout_seconds: float = 10
    heartbeat_seconds: float = 3
    rebalance_timeout_seconds: float = 30
    request_timeout_seconds: float = 60
    max_poll_records: int = 500
    max_batch_bytes: int = 16 * 1024 * 1024
    stall_seconds: float = 60
    offset_reset: Literal["earliest", "latest", "stop"] = "earliest"
    max_poll_seconds: float = 300
    retry_backoff_ms: int = 500
    metadata_max_age_ms: int = 60_000

    def arguments(self) -> dict[str, Any]:
        """Write it as aiokafka takes it. Raises OSError, naming the file, for one that cannot be used."""
        # A join takes as long as the slowest member; a request that gives up before never joins.
        request_seconds = max(self.request_timeout_seconds, self.rebalance_timeout_seconds + 1)
        return {
            "client_id": "alertd",
            "bootstrap_servers": list(self.bootstrap_servers),
            "group_id": self.group_id,
            "group_instance_id": self.instance_id,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "isolation_level": "read_committed",
            "session_timeout_ms": round(self.session_timeout_seconds * 1000),
            "heartbeat_interval_ms": round(self.heartbeat_seconds * 1000),
            "rebalance_timeout_ms": round(self.rebalance_timeout_seconds * 1000),
            "request_timeout_ms": round(request_seconds * 1000),
            "max_poll_interval_ms": round(self.max_poll_seconds * 1000),
            "retry_backoff_ms": self.retry_backoff_ms,
            "metadata_max_age_ms": self.metadata_max_age_ms,
            **_secured(self.security),
        }


def _secured(security: KafkaSecurity) -> dict[str, Any]:
    found = security.client_options()
    if security.uses_tls:
        own = TlsFiles(security.ca_file, security.cert_file, security.key_file, security.key_password, "security.")
        found["ssl_context"] = own.load()
    return found
