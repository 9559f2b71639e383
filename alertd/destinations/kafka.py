"""The destination type `kafka`: each alert as a record of a topic.

The producer is idempotent and waits for all replicas in sync; what it repeats by itself is in the topic once. What alertd
repeats (an attempt of which nobody knows how it ended) is another record, with the same delivery id in its headers.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Final

import orjson

from alertd.destinations.base import Preview
from alertd.destinations.kafka_inside import UnknownClientError, unknown
from alertd.destinations.kafka_record import record_of
from alertd.destinations.kafka_settings import KafkaSettings
from alertd.destinations.redaction import BODY_MAX, Redactor, secrets_of
from alertd.destinations.templated import noted
from alertd.destinations.tls_files import TlsIdentity
from alertd.model.delivery import Outcome, OutcomeKind

if TYPE_CHECKING:
    from pydantic import BaseModel

    from alertd.destinations.base import Message, World
    from alertd.destinations.kafka_line import KafkaLine
    from alertd.destinations.kafka_record import Record

NAME: Final = "kafka"
BACKOFF_MS: Final = 200
"""How long a client waits before it asks the brokers again."""
METADATA_AGE_MS: Final = 60_000
"""How old what is known of the cluster may get."""
BATCH_BYTES: Final = 64 * 1024


class KafkaDestination:
    """Produces to one topic."""

    def __init__(self, settings: KafkaSettings, timeout_seconds: float, world: World) -> None:
        self._settings = settings
        self._timeout_seconds = timeout_seconds
        self._world = world
        self._redactor = Redactor(secrets_of(settings))
        self._identity = TlsIdentity(settings.security.files) if settings.security.uses_tls else None
        self._line: KafkaLine | None = None
        self._retired: set[KafkaLine] = set()

    async def attempt(self, message: Message) -> Outcome:
        """Produce once and say what came of it."""
        try:
            record = record_of(message, self._settings)
        except orjson.JSONEncodeError:
            return Outcome(OutcomeKind.REJECTED, detail=f"{NAME}: a name in the delivery is not valid Unicode")
        if record.size_bytes > self._settings.max_record_bytes:
            bound = self._settings.max_record_bytes
            words = f"the record has {record.size_bytes} bytes, more than max_record_bytes ({bound})"
            return Outcome(OutcomeKind.REJECTED, detail=f"{NAME}: {words}")
        outcome = await self._produced(record)
        told = noted(outcome, record.problem and f"the template of the key failed: {record.problem}")
        return Outcome(told.kind, told.status, self._redactor.text(told.detail), self._redactor.data(told.answer))

    def preview(self, message: Message) -> Preview:
        """Show the record."""
        record = record_of(message, self._settings)
        key = "none" if record.key is None else record.key.decode("utf-8", "replace")
        target = f"Kafka topic {self._settings.topic} at {', '.join(self._settings.bootstrap_servers)}, key {key}"
        headers = {name: self._redactor.text(text.decode("utf-8", "replace")) for name, text in record.headers}
        body = self._redactor.text(record.value.decode("utf-8", "replace"))[:BODY_MAX]
        return Preview(self._redactor.text(target), headers, body)

    async def close(self) -> None:
        """Close the connections. Twice is fine."""
        if self._line is not None:
            self._retire(self._line)
        for line in tuple(self._retired):
            await line.closed()

    # -- producing ------------------------------------------------------------------------------------------------

    async def _produced(self, record: Record) -> Outcome:
        from aiokafka.errors import KafkaError  # noqa: PLC0415 - aiokafka is slow to import

        from alertd.destinations.kafka_outcome import outcome_of_error, outcome_of_timeout  # noqa: PLC0415 - as above

        try:
            line = await self._open_line()
        except (OSError, UnknownClientError) as error:
            return Outcome(OutcomeKind.RETRY_LATER, detail=f"{NAME}: {error}")
        line.users += 1
        before = line.reach.produced
        try:
            async with asyncio.timeout(self._timeout_seconds):
                partition, offset = await line.produce(self._settings.topic, record)
            return Outcome(OutcomeKind.DELIVERED, answer=f"partition {partition}, offset {offset}".encode())
        except TimeoutError:
            self._retire(line)
            handed_over = line.reach.produced > before
            return outcome_of_timeout(self._timeout_seconds, line.reach, handed_over=handed_over)
        except KafkaError as error:
            self._retire(line)  # also after a refusal: its numbers are used up, and the next ones would be out of order
            return outcome_of_error(error, line.reach, self._settings.topic)
        except UnknownClientError as error:
            self._retire(line)
            return Outcome(OutcomeKind.RETRY_LATER, detail=f"{NAME}: {error}")
        finally:
            line.leave()

    async def _open_line(self) -> KafkaLine:
        """Return the line that is in use, or another when certificates changed.

        Raises OSError, naming the setting, and UnknownClientError.
        """
        try:
            from alertd.destinations.kafka_line import KafkaLine  # noqa: PLC0415 - aiokafka is slow to import
        except ImportError as error:
            raise unknown(str(error)) from error

        context = None if self._identity is None else await self._identity.context()
        line = self._line
        if line is not None and line.context is context:
            return line
        if line is not None:
            self._retire(line)
        self._line = line = KafkaLine(self._options(), context, self._world.connect)
        return line

    def _retire(self, line: KafkaLine) -> None:
        if self._line is line:
            self._line = None
        self._retired = {each for each in self._retired if not each.is_closed} | {line}
        line.retire()

    def _options(self) -> dict[str, Any]:
        """Write the settings as aiokafka takes them."""
        settings = self._settings
        return {
            "client_id": "alertd",
            "bootstrap_servers": list(settings.bootstrap_servers),
            "acks": "all",
            "enable_idempotence": True,
            "compression_type": None if settings.compression == "none" else settings.compression,
            "max_batch_size": BATCH_BYTES,
            "max_request_size": settings.max_record_bytes * 2,
            "request_timeout_ms": max(500, round(self._timeout_seconds * 500)),
            "retry_backoff_ms": BACKOFF_MS,
            "metadata_max_age_ms": METADATA_AGE_MS,
            **settings.security.client_options(),
        }


class KafkaType:
    """The type `kafka`."""

    name: ClassVar[str] = NAME
    about: ClassVar[str] = (
        "A topic of Apache Kafka: each alert is a record, whose value is the body that a webhook with `format: standard`"
        " (or `cloudevents`) receives, and whose header `x-alertd-delivery` is the delivery's id, the same on every"
        " attempt. Alerts about one problem have the same key, and so keep their order. The producer is idempotent and"
        " waits for all replicas in sync; a repeat by alertd itself is recognised by the header. Every broker that is"
        " connected to, also one that the cluster names, must be permitted by the egress guard."
    )
    settings_model: ClassVar[type[BaseModel]] = KafkaSettings

    def rate_per_second(self, settings: KafkaSettings) -> float | None:
        """No pace: brokers slow producers down themselves."""
        return None

    def open(self, settings: KafkaSettings, timeout_seconds: float, world: World) -> KafkaDestination:
        """Open one."""
        return KafkaDestination(settings, timeout_seconds, world)
