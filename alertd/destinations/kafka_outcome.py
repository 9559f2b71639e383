"""What the end of an attempt at Kafka means for the delivery. Pure: errors in, one outcome out.

A record that was handed over may be in the topic although nobody said so: that is ambiguous as soon as a request with
records has left, and never final. A broker's own refusal is definite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiokafka import errors

from alertd.destinations.answers import one_line
from alertd.destinations.base import SendError
from alertd.model.delivery import Outcome, OutcomeKind

if TYPE_CHECKING:
    from alertd.destinations.kafka_client import Reach

NAME: Final = "kafka"

_REJECTED: Final = (
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.InvalidTopicError,
    errors.InvalidTimestampError,
    errors.PolicyViolationError,
    errors.UnsupportedForMessageFormatError,
    errors.UnsupportedVersionError,
    errors.UnsupportedSaslMechanismError,
    errors.InvalidRequiredAcksError,
    errors.IncompatibleBrokerVersion,
    errors.UnsupportedCodecError,
)
"""What would end the same the next time."""
_GONE: Final = (
    KeyError,  # how aiokafka shows a login by SCRAM that was refused
    errors.SaslAuthenticationFailed,
    errors.TopicAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
)
"""What ends the same for every record, until somebody grants what is missing."""


def outcome_of_error(error: Exception, reach: Reach, topic: str) -> Outcome:
    """Word what a broker answered, or why no broker could be reached."""
    if isinstance(error, errors.KafkaConnectionError) and reach.failures:
        return Outcome(_kind_of_all(reach), detail=f"{NAME}: {reach.why}")
    if isinstance(error, errors.UnknownTopicOrPartitionError):
        words = f"the brokers have no topic {topic}, and do not make it"
        return Outcome(OutcomeKind.RETRY_LATER, detail=f"{NAME}: {words}")
    return Outcome(_kind(error), detail=f"{NAME}: {one_line(str(error)) or type(error).__name__}")


def outcome_of_timeout(seconds: float, reach: Reach, *, handed_over: bool) -> Outcome:
    """Word that time ran out; `handed_over`: a request that may have held the record had left by then."""
    why = f" ({reach.why})" if reach.why else ""
    kind = OutcomeKind.AMBIGUOUS if handed_over else _kind_of_all(reach)
    return Outcome(kind, detail=f"{NAME}: timed out after {seconds:g} s{why}")


def _kind_of_all(reach: Reach) -> OutcomeKind:
    """Say what it means that no broker could be used: final only when that is so for every one of them."""
    kinds = {_kind(error) for error in reach.failures}
    if OutcomeKind.GONE in kinds:
        return OutcomeKind.GONE
    return OutcomeKind.REJECTED if kinds == {OutcomeKind.REJECTED} else OutcomeKind.RETRY_LATER


def _kind(error: Exception) -> OutcomeKind:
    if isinstance(error, _GONE):
        return OutcomeKind.GONE
    refused = isinstance(error, SendError) and error.refused
    return OutcomeKind.REJECTED if refused or isinstance(error, _REJECTED) else OutcomeKind.RETRY_LATER
