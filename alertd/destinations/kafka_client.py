"""aiokafka's producer, made to connect through the egress guard alone and to say why it could not.

The producer makes its client itself, and the client its connections; neither can be handed in, and the reasons of failures
stand in a log only. So the client is given another class here, which makes connections of ours: to the brokers that the
settings name, and to those that these name, each checked at the moment of connecting. What is private to aiokafka and used
here stands in `kafka_inside`, and is looked for first.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import AIOKafkaConnection, collect_hosts
from aiokafka.errors import KafkaConnectionError, KafkaError, for_code
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest
from typing_extensions import override

from alertd.destinations.base import SendError
from alertd.destinations.faults import unconnected
from alertd.destinations.kafka_inside import UnknownClientError, check_connection, check_producer
from alertd.model.kafka_security import HUNG_UP
from alertd.undo import OnFailure

if TYPE_CHECKING:
    from alertd.destinations.base import Connect

PORTS: Final = range(1024, 65536)
"""Where brokers listen; one elsewhere must be named in `egress.allow`."""
ANSWER_BYTES_MAX: Final = 32 * 1024 * 1024
"""Bytes of one answer of a broker: the metadata of a very large cluster."""


class Reach:
    """What is known of the brokers: how to connect, why one could not be reached, what they said of records."""

    def __init__(self, connect: Connect) -> None:
        self.connect = connect
        self.produced = 0
        """Requests with records that were written to a connection."""
        self._failures: dict[str, Exception] = {}
        self._said = ""

    def failed(self, host: str, port: int, error: Exception) -> None:
        """Note why a broker could not be reached."""
        self._failures[f"{host}:{port}"] = error

    def reached(self, host: str, port: int) -> None:
        """Note that it could."""
        self._failures.pop(f"{host}:{port}", None)

    def answered(self, code: int) -> None:
        """Note what a broker said of the last records: its error's number; 0: it took them."""
        self._said = f"the broker answered {for_code(code).__name__}" if code else ""

    @property
    def failures(self) -> tuple[Exception, ...]:
        """Why brokers cannot be reached now."""
        return tuple(self._failures.values())

    @property
    def why(self) -> str:
        """Every reason in one line, empty when there is none."""
        reasons = [f"{where}: {_words(error)}" for where, error in self._failures.items()]
        return "; ".join([*reasons, self._said] if self._said else reasons)


class GuardedConnection(AIOKafkaConnection):  # type: ignore[misc]  # aiokafka is untyped
    """A connection to one broker, made through the guard; its answers are bounded."""

    _loop: Any
    _reader: Any

    def __init__(self, host: str, port: int, reach: Reach, **options: Any) -> None:
        super().__init__(host, port, **options)
        check_connection(self)
        self._reach = reach
        self._loop = _Doorkeeper(self._loop, reach.connect)

    @override
    def send(self, request: Any, expect_response: bool = True) -> Any:
        """Write a request; one with records is counted, and what comes of it is noted."""
        if not isinstance(request, ProduceRequest):
            return super().send(request, expect_response)
        self._reach.produced += 1
        return self._judged(super().send(request, expect_response))

    async def _judged(self, answer: Any) -> Any:
        found = await answer
        for _, partitions in found.topics:
            for _, code, *_ in partitions:
                self._reach.answered(code)
        return found

    @override
    def _create_reader_task(self) -> Any:
        self._reader = _BoundedReader(self._reader)
        return super()._create_reader_task()


class GuardedClient(AIOKafkaClient):  # type: ignore[misc]  # aiokafka is untyped
    """A client all of whose connections are guarded. `reach` is set right after it was made."""

    reach: Reach
    _sync_task: Any

    @override
    async def bootstrap(self) -> None:
        """Learn of the cluster from the first broker that tells. Raises KafkaConnectionError."""
        hosts = collect_hosts(self._bootstrap_servers)
        for host, port, _ in hosts:
            if await self._introduced(host, port):
                self._sync_task = self._sync_task or asyncio.create_task(self._md_synchronizer())
                return
        raise KafkaConnectionError("no broker could be reached")

    async def _introduced(self, host: str, port: int) -> bool:
        """Ask one broker who belongs to its cluster; say whether it told."""
        connection = await self._reached(host, port)
        if connection is None:
            return False
        try:
            self.cluster.update_metadata(await connection.send(MetadataRequest([])))
        except (KafkaError, TimeoutError) as error:
            self.reach.failed(host, port, error)
            return False
        finally:
            await asyncio.wait([connection.close()], timeout=1.0)
        return bool(self.cluster.brokers())

    @override
    async def _get_conn(self, node_id: Any, *, group: Any = ConnectionGroup.DEFAULT, no_hint: bool = False) -> Any:
        """Return the connection to a broker of the cluster; None when there can be none now."""
        known = self._conns.get((node_id, group))
        if known is not None and known.connected():
            return known
        async with self._get_conn_lock:
            known = self._conns.pop((node_id, group), None)
            if known is not None and known.connected():
                made = known
            else:
                broker = self.cluster.broker_metadata(node_id)
                made = None if broker is None else await self._reached(broker.host, broker.port)
            if made is not None:
                self._conns[node_id, group] = made
                return made
        self.force_metadata_update()
        return None

    async def _reached(self, host: str, port: int) -> Any:
        """Connect and log in; None, with the reason noted, when that fails."""
        connection = GuardedConnection(
            host,
            port,
            self.reach,
            client_id=self._client_id,
            request_timeout_ms=self._request_timeout_ms,
            ssl_context=self._ssl_context,
            security_protocol=self._security_protocol,
            on_close=self._on_connection_closed,
            max_idle_ms=self._connections_max_idle_ms,
            sasl_mechanism=self._sasl_mechanism,
            sasl_plain_username=self._sasl_plain_username,
            sasl_plain_password=self._sasl_plain_password,
        )
        try:
            await connection.connect()
        except (SendError, OSError, KafkaError, TimeoutError, KeyError, ValueError) as error:
            self.reach.failed(host, port, error)
            return None
        self.reach.reached(host, port)
        return connection


def guarded_producer(reach: Reach, **options: Any) -> Any:
    """Make a producer that connects through the guard; the options are aiokafka's. Raises UnknownClientError."""
    producer = AIOKafkaProducer(**options)
    try:
        check_producer(producer)
    except UnknownClientError:
        producer._closed = True  # noqa: SLF001 - nothing was begun that it could complain about
        raise
    producer.client.__class__ = GuardedClient
    producer.client.reach = reach
    return producer


class _Doorkeeper:
    """The event loop, but for how it connects."""

    def __init__(self, loop: Any, connect: Connect) -> None:
        self._loop = loop
        self._connect = connect

    async def create_connection(self, factory: Any, host: str, port: int, *, ssl: Any = None) -> Any:
        """Connect to an address that the guard permits; the certificate must be that of the name."""
        sock = await self._connect(host, port, PORTS)
        with OnFailure(sock.close):
            name = None if ssl is None else host
            return await self._loop.create_connection(factory, sock=sock, ssl=ssl, server_hostname=name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


class _BoundedReader:
    """A stream's reader that takes no answer beyond the bound."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    async def readexactly(self, count: int) -> bytes:
        """Read so many bytes. Raises ConnectionError beyond the bound, and as the stream does."""
        if not 0 <= count <= ANSWER_BYTES_MAX:
            raise ConnectionError(f"an answer of {count} bytes is not read")
        read: bytes = await self._reader.readexactly(count)
        return read

    def at_eof(self) -> bool:
        """Whether nothing more will come."""
        return bool(self._reader.at_eof())


def _words(error: Exception) -> str:
    """Say in a few words why a broker could not be reached."""
    match error:
        case SendError():
            return str(error)
        case KeyError():
            return "it refused the login: wrong user name or password"
        case TimeoutError():
            return "connecting timed out"
        case KafkaError():
            text = str(error) or type(error).__name__
            return HUNG_UP if text.endswith(" closed") else text
        case _:
            return str(unconnected(error)) or HUNG_UP
