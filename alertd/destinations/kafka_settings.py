"""The settings of the destination type `kafka`: which brokers, which topic, and what the records are like."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, ValidationInfo, field_validator

from alertd.destinations.guard import parse_url
from alertd.destinations.settings_fields import TemplateText
from alertd.destinations.tls_files import TlsFiles
from alertd.destinations.whereto import Whereto
from alertd.model.fields import Resource, needed
from alertd.model.kafka_security import KafkaSecurity, Text
from alertd.model.kafka_topic import TopicName

SERVERS_MAX: Final = 50
"""Brokers that are named to begin with."""
RECORD_BYTES_MIN: Final = 1024
RECORD_BYTES_MAX: Final = 64 * 1024 * 1024

_SERVER: Final = "host:port, such as kafka-1:9092 or [2001:db8::1]:9092"
_SASL: Final = "SASL_PLAINTEXT or SASL_SSL"
_TLS: Final = "SSL or SASL_SSL"


def _check_server(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()):
        raise ValueError(_SERVER)
    try:
        parse_url(f"http://{host}:{port}/")
    except ValueError as error:
        reason = str(error).replace("the URL's", "its").replace("the URL", "it")
        raise ValueError(f"{_SERVER}: {reason}") from None
    return text


Server = Annotated[str, StringConstraints(max_length=300), AfterValidator(_check_server), Whereto.SERVER]


class BrokerSecurity(KafkaSecurity):
    """What agrees with the protocol; else an error at the setting itself."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, validate_default=True, description="how the password is proved, with SASL only"
    )
    username: Text | None = Field(None, validate_default=True, description="with SASL only")
    password: Annotated[SecretStr, Field(min_length=1)] | None = Field(
        None, validate_default=True, description="with SASL only"
    )

    @field_validator("mechanism", "username", "password")
    @classmethod
    def _with_sasl(cls, value: object, info: ValidationInfo) -> object:
        protocol = str(info.data.get("protocol", ""))
        if protocol.startswith("SASL") and value is None:
            raise needed(f"a value: {protocol} needs it")
        if value is not None and protocol and not protocol.startswith("SASL"):
            raise ValueError(f"the protocol {_SASL}: {protocol} asks for no password")
        return value

    @field_validator("ca_file", "cert_file", "key_file", "key_password")
    @classmethod
    def _with_tls(cls, value: object, info: ValidationInfo) -> object:
        protocol = str(info.data.get("protocol", ""))
        if value is not None and protocol and not protocol.endswith("SSL"):
            raise ValueError(f"the protocol {_TLS}: {protocol} encrypts nothing")
        if value is not None and (info.field_name or "").startswith("key_") and info.data.get("cert_file") is None:
            raise ValueError("cert_file beside it")
        return value

    @property
    def files(self) -> TlsFiles:
        """The files, as they are read."""
        return TlsFiles(self.ca_file, self.cert_file, self.key_file, self.key_password, "security.")


class KafkaSettings(Resource):
    """Where records go, and what they are."""

    bootstrap_servers: tuple[Server, ...] = Field(
        min_length=1,
        max_length=SERVERS_MAX,
        description="host:port of some brokers; they and those that they name must be permitted by egress.allow when"
        " their addresses are private",
        examples=[["kafka-1.example.com:9092", "kafka-2.example.com:9092"]],
    )
    topic: TopicName = Field(
        description="letters, digits, ., _ and -, up to 249; none that alertd itself reads", examples=["alerts"]
    )
    key: TemplateText | None = Field(
        None,
        description="the record's key as a template, such as {{ event.project }}; null: the same for all alerts about"
        " one problem, which so keep their order; empty: none",
    )
    format: Literal["standard", "cloudevents"] = Field(
        "standard", description="the record's value: a webhook's body of that format"
    )
    mode: Literal["structured", "binary"] = Field(
        "structured", description="cloudevents only: everything in the value, or the attributes in ce_ headers"
    )
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field(
        "none", description="how batches of records are compressed"
    )
    max_record_bytes: Annotated[int, Field(ge=RECORD_BYTES_MIN, le=RECORD_BYTES_MAX)] = Field(
        1_000_000,
        description="a larger record is refused before it is sent; the broker has a bound of its own (max.message.bytes)",
    )
    security: BrokerSecurity = Field(BrokerSecurity(), description="encryption and authentication")
