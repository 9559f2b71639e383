"""The insides of aiokafka that alertd leans on: which they are, whether they are there, and what tears a producer out.

aiokafka offers no way to connect for it, nor to end a producer at once. The names are those of aiokafka 0.14, to which
pyproject.toml holds it; another one that lacks any of them is said at the first attempt, before anything is connected.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from alertd.kafka_tear import tear

if TYPE_CHECKING:
    import asyncio

WANTED: Final = "aiokafka>=0.14,<0.15"

PRODUCER: Final = ("client", "_closed", "_sender")
SENDER: Final = ("sender_task",)
CLIENT: Final = (
    "_bootstrap_servers",
    "_client_id",
    "_connections_max_idle_ms",
    "_conns",
    "_get_conn",
    "_get_conn_lock",
    "_md_synchronizer",
    "_on_connection_closed",
    "_request_timeout_ms",
    "_sasl_mechanism",
    "_sasl_plain_password",
    "_sasl_plain_username",
    "_security_protocol",
    "_ssl_context",
    "_sync_task",
    "bootstrap",
    "cluster",
    "force_metadata_update",
)
CONNECTION: Final = ("_create_reader_task", "_loop", "_reader", "close", "connect", "connected", "send")
"""What is used, or overridden, of each."""


class UnknownClientError(RuntimeError):
    """An aiokafka with other insides, in words that say what to install."""


def check_producer(producer: Any) -> None:
    """Look whether a producer, its sender and its client are as expected. Raises UnknownClientError."""
    check("AIOKafkaProducer", producer, PRODUCER)
    check("Sender", producer._sender, SENDER)  # noqa: SLF001 - looked at just now
    check("AIOKafkaClient", producer.client, CLIENT)


def check_connection(connection: Any) -> None:
    """Look whether a connection that is not made yet is as expected. Raises UnknownClientError."""
    check("AIOKafkaConnection", connection, CONNECTION)


def check(what: str, value: Any, names: tuple[str, ...]) -> None:
    """Look whether a value has these attributes. Raises UnknownClientError that names those that it lacks."""
    missing = [name for name in names if not hasattr(value, name)]
    if missing:
        raise unknown(f"no {', '.join(f'{what}.{name}' for name in missing)}")


def unknown(why: str) -> UnknownClientError:
    """Make the error."""
    return UnknownClientError(f"aiokafka {version('aiokafka')} is not supported ({why}); install {WANTED}")


def tear_out(producer: Any) -> set[asyncio.Future[Any]]:
    """Cancel what a producer still does and close its connections; return what is still ending."""
    producer._closed = True  # noqa: SLF001 - what this module is for
    client = producer.client
    return tear(client, (producer._sender.sender_task, client._sync_task))  # noqa: SLF001 - as above
