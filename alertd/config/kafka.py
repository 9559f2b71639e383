"""The settings of the Kafka intake."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from alertd.config.network import valid_peer
from alertd.model.fields import PositiveSeconds, Resource, Slug
from alertd.model.kafka_security import KafkaSecurity, Text
from alertd.model.kafka_topic import TopicName
from alertd.model.workspace import DEFAULT


class KafkaTopic(Resource):
    """One topic to read."""

    name: TopicName = Field(description="letters, digits, ., _ and -, up to 249")
    format: Literal["native", "cloudevents", "sentry", "github", "incidents", "auto"] = Field(
        "native",
        description="how its records are read; sentry, github, incidents and auto believe a record to be that service's word,"
        " unsigned as it is: who may write to the topic may resolve and mute issues",
    )
    workspace: Slug = Field(DEFAULT, description="the workspace of events that name none")


class KafkaIntake(Resource):
    """The Kafka consumer. Its group shares the topics' partitions among all daemons with the same `group_id`."""

    bootstrap_servers: tuple[Annotated[str, AfterValidator(valid_peer)], ...] = Field(
        min_length=1, description="host:port of some brokers"
    )
    group_id: Text = Field("alertd", description="the consumer group")
    static_membership: bool = Field(
        default=True, description="keep the partitions over a restart; false: join as a new member each time"
    )
    instance_id: Text | None = Field(
        None, description="the member's own id, unique in the group; null: made once and kept in the store"
    )
    security: KafkaSecurity = Field(KafkaSecurity(), description="encryption and authentication")
    topics: tuple[KafkaTopic, ...] = Field(min_length=1, description="what is read")
    session_timeout_seconds: Annotated[float, Field(ge=6, le=1800)] = Field(
        10, description="seconds without a heartbeat until the group takes a dead member's partitions"
    )
    heartbeat_seconds: PositiveSeconds = Field(3, description="seconds between heartbeats; less than the session's")
    rebalance_timeout_seconds: PositiveSeconds = Field(
        30, description="seconds that members have to join again when the group changes"
    )
    request_timeout_seconds: PositiveSeconds = Field(
        60, description="seconds for one request to a broker; more than rebalance_timeout_seconds"
    )
    max_poll_records: Annotated[int, Field(gt=0)] = Field(500, description="records taken at a time")
    max_batch_bytes: Annotated[int, Field(gt=0)] = Field(
        16_777_216,
        description="bytes to which a compressed batch may unpack; a larger one becomes one rejected record",
    )
    max_poll_seconds: PositiveSeconds = Field(
        300,
        description="seconds without a poll until the group takes the partitions of a member whose heartbeats go on",
    )
    stall_seconds: PositiveSeconds = Field(
        60, description="seconds without a record, though there are some, until the consumer is made anew"
    )
    offset_reset: Literal["earliest", "latest", "stop"] = Field(
        "earliest", description="where to go on when the broker says that a position is out of range; stop: the daemon"
    )
