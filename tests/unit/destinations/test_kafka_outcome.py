"""The retry matrix of `kafka`: what each broker's answer, and each way to get none, means."""

from __future__ import annotations

import ssl

import pytest
from aiokafka import errors

from alertd.destinations.base import SendError, unconnected
from alertd.destinations.kafka_client import Reach
from alertd.destinations.kafka_outcome import outcome_of_error, outcome_of_timeout
from alertd.model.delivery import OutcomeKind

RETRY = OutcomeKind.RETRY_LATER
PERMANENT = OutcomeKind.REJECTED
DISABLE = OutcomeKind.GONE
REFUSED = SendError("egress refused: 10.0.0.5 is private", refused=True)
UNREACHABLE = SendError("connection refused")


def reach_of(*failures: Exception) -> Reach:
    """Make what is known of brokers that all failed like this."""
    reach = Reach(unconnected)
    for number, error in enumerate(failures, 1):
        reach.failed(f"kafka-{number}", 9092, error)
    return reach


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.MessageSizeTooLargeError(), PERMANENT),
        (errors.RecordListTooLargeError(), PERMANENT),
        (errors.InvalidTopicError(), PERMANENT),
        (errors.PolicyViolationError(), PERMANENT),
        (errors.InvalidTimestampError(), PERMANENT),
        (errors.UnsupportedForMessageFormatError(), PERMANENT),
        (errors.TopicAuthorizationFailedError("t"), DISABLE),
        (errors.ClusterAuthorizationFailedError(), DISABLE),
        (errors.NotEnoughReplicasError(), RETRY),
        (errors.NotLeaderForPartitionError(), RETRY),
        (errors.KafkaStorageError(), RETRY),
        (errors.OutOfOrderSequenceNumber(), RETRY),
        (errors.UnknownProducerId(), RETRY),
        (errors.ProducerFenced(), RETRY),
        (errors.ProducerClosed(), RETRY),
        (errors.KafkaTimeoutError(), RETRY),
        (errors.UnknownTopicOrPartitionError(), RETRY),
        (errors.UnknownError(), RETRY),
        (errors.KafkaConnectionError("gone"), RETRY),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.word,
)
def test_a_brokers_answer_means(error: Exception, kind: OutcomeKind) -> None:
    """What would end the same is dead, what is not allowed disables, all else is tried again; each says which type."""
    outcome = outcome_of_error(error, Reach(unconnected), "alerts")
    assert outcome.kind is kind
    assert outcome.detail.startswith("kafka: ")
    assert len(outcome.detail) > len("kafka: ")


@pytest.mark.parametrize(
    ("failures", "kind"),
    [
        ((UNREACHABLE,), RETRY),
        ((REFUSED,), PERMANENT),
        ((REFUSED, UNREACHABLE), RETRY),
        ((errors.SaslAuthenticationFailed("no"),), DISABLE),
        ((errors.SaslAuthenticationFailed("no"), UNREACHABLE), DISABLE),
        ((KeyError("v"),), DISABLE),
        ((errors.UnsupportedSaslMechanismError(),), PERMANENT),
        ((ssl.SSLCertVerificationError(1, "certificate verify failed"),), RETRY),
        ((TimeoutError(),), RETRY),
        ((errors.KafkaConnectionError("Connection at kafka-1:9092 closed"),), RETRY),
        ((OSError("an answer of 2147483647 bytes is not read"),), RETRY),
    ],
)
def test_no_broker_reached_means(failures: tuple[Exception, ...], kind: OutcomeKind) -> None:
    """Dead only when the guard stands before every broker, disabled when a login was refused; each broker is named."""
    outcome = outcome_of_error(errors.KafkaConnectionError(), reach_of(*failures), "alerts")
    assert outcome.kind is kind
    for number in range(1, len(failures) + 1):
        assert f"kafka-{number}:9092: " in outcome.detail


@pytest.mark.parametrize(
    ("failures", "handed_over", "kind"),
    [
        ((), False, RETRY),
        ((), True, OutcomeKind.AMBIGUOUS),
        ((REFUSED,), False, PERMANENT),
        ((REFUSED,), True, OutcomeKind.AMBIGUOUS),
        ((errors.SaslAuthenticationFailed("no"),), False, DISABLE),
    ],
)
def test_time_that_ran_out_means(failures: tuple[Exception, ...], handed_over: bool, kind: OutcomeKind) -> None:
    """Only what may have left is ambiguous; what stood in the way is said."""
    outcome = outcome_of_timeout(10, reach_of(*failures), handed_over=handed_over)
    assert outcome.kind is kind
    assert outcome.detail.startswith("kafka: timed out after 10 s")
    assert ("kafka-1:9092" in outcome.detail) == bool(failures)


def test_what_the_broker_said_last_is_told() -> None:
    """A broker that answers every try with the same error is quoted when time runs out; one that recovers is not."""
    reach = Reach(unconnected)
    reach.answered(19)
    assert "the broker answered NotEnoughReplicasError" in outcome_of_timeout(10, reach, handed_over=True).detail
    reach.answered(0)
    assert outcome_of_timeout(10, reach, handed_over=True).detail == "kafka: timed out after 10 s"


def test_a_missing_topic_is_named() -> None:
    """People read which topic it is."""
    outcome = outcome_of_error(errors.UnknownTopicOrPartitionError(), Reach(unconnected), "alerts")
    assert outcome.detail == "kafka: the brokers have no topic alerts, and do not make it"
