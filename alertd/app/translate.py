"""What the parts take, made of what the configuration holds. Pure."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from alertd.errors import ConfigError, ConfigProblem, InvalidError
from alertd.intake.kafka.options import KafkaOptions, Topic
from alertd.intake.rate import RateLimit
from alertd.model.token import ROLES, Token, digest_of
from alertd.resources.dangling import dangling
from alertd.resources.vault import FILE_NAME, key_from_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.clock import Clock
    from alertd.config.kafka import KafkaIntake
    from alertd.config.settings import Config
    from alertd.resources.snapshot import Snapshot
    from alertd.store.base import NameStore


def provisioned_tokens(config: Config) -> list[Token]:
    """Turn the configuration's tokens into those that requests are compared with."""
    return [
        Token(
            number,
            token.name,
            ROLES[token.role],
            token.workspace,
            digest_of(token.value.get_secret_value()),
            0,
            provisioned=True,
            origin=config.origin(token.workspace, "tokens", token.name),
        )
        for number, token in enumerate(config.tokens, 1)
    ]


def kafka_topics(config: Config) -> dict[str, Topic]:
    """Say how each topic of the configuration is read; none without Kafka."""
    kafka = config.intake.kafka
    return {} if kafka is None else {topic.name: Topic(topic.format, topic.workspace) for topic in kafka.topics}


def kafka_options(config: Config, instance_id: str | None) -> KafkaOptions:
    """Turn the configuration's Kafka settings into what the intake takes."""
    kafka = config.intake.kafka
    if kafka is None:
        raise ValueError("there is no Kafka in the configuration")
    return KafkaOptions(
        bootstrap_servers=kafka.bootstrap_servers,
        topics=kafka_topics(config),
        group_id=kafka.group_id,
        instance_id=instance_id,
        security=kafka.security,
        session_timeout_seconds=kafka.session_timeout_seconds,
        heartbeat_seconds=kafka.heartbeat_seconds,
        rebalance_timeout_seconds=kafka.rebalance_timeout_seconds,
        request_timeout_seconds=kafka.request_timeout_seconds,
        max_poll_records=kafka.max_poll_records,
        max_batch_bytes=kafka.max_batch_bytes,
        max_poll_seconds=kafka.max_poll_seconds,
        stall_seconds=kafka.stall_seconds,
        offset_reset=kafka.offset_reset,
    )


async def instance_id(kafka: KafkaIntake, store: NameStore) -> str | None:
    """Return the id that makes a restart keep its partitions: made once, kept in the store; None without static membership."""
    if not kafka.static_membership:
        return None
    if kafka.instance_id is not None:
        return kafka.instance_id
    known = await store.get_meta("kafka_instance_id")
    if known is None:
        known = f"alertd-{uuid.uuid4()}"
        await store.set_meta("kafka_instance_id", known)
    return known


def secrets_key(config: Config) -> str:
    """Return the key that seals the API's secrets: the configuration's, else that of the file beside the database.

    Raises OSError when the file cannot be read or made.
    """
    given = config.store.secrets_key
    if given is not None:
        return given.get_secret_value()
    return key_from_file(config.store.path.with_name(FILE_NAME))


def refuse_dangling(snapshot: Snapshot, before: Snapshot, file: str) -> None:
    """Refuse a configuration that takes away what resources of the API refer to. Raises ConfigError with all of them."""
    known = {(entry.key, name) for entry, _, name in dangling(before)}
    problems = [
        ConfigProblem(
            file,
            None,
            f"{entry.workspace}: {entry.kind} {entry.name}: {field}",
            f"{name!r}, which the configuration no longer holds",
            "it to be kept until the API's resource does not refer to it any more",
        )
        for entry, field, name in dangling(snapshot)
        if (entry.key, name) not in known
    ]
    if problems:
        raise ConfigError(problems)


@contextmanager
def unfitting(file: str) -> Iterator[None]:
    """Refuse a configuration that cannot be compiled together with what the API made. Raises ConfigError for InvalidError."""
    try:
        yield
    except InvalidError as error:
        expected = "channels and derived types that fit together, those of the API included"
        problems = [ConfigProblem(file, None, "workspaces", problem.detail, expected) for problem in error.problems]
        raise ConfigError(problems) from error


def rate_limit(config: Config, clock: Clock) -> RateLimit | None:
    """Turn `rate_per_second` into the HTTP intake's limiter."""
    rate = config.intake.http.rate_per_second
    return RateLimit(rate, clock) if rate is not None else None
