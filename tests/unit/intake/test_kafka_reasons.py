"""Why a broker could not be reached, out of what aiokafka logs."""

from __future__ import annotations

import logging

import pytest
from aiokafka.errors import KafkaConnectionError, UnknownTopicOrPartitionError

from alertd.intake.kafka.reasons import HOSTS_MAX, Reasons

LOG = logging.getLogger("aiokafka")
ERROR = KafkaConnectionError("Unable to bootstrap from [('a', 1, 0)]")


def test_the_last_reason_of_each_host_is_told() -> None:
    """One line has every host's latest reason, not the sentence that says nothing."""
    with Reasons() as reasons:
        LOG.error('Unable connect to "%s:%s": %s', "a", 1, "first")
        LOG.error('Unable connect to "%s:%s": %s', "b", 2, "refused")
        LOG.error('Unable connect to "%s:%s": %s', "a", 1, "second")

    assert reasons.explain(ERROR) == "no broker could be reached: a:1: second; b:2: refused"


@pytest.mark.parametrize("reason", ["", "KafkaConnectionError: Connection at a:1 closed"])
def test_a_closed_connection_is_explained(reason: str) -> None:
    """Where the broker says nothing, what is usually wrong is said."""
    with Reasons() as reasons:
        LOG.error('Unable connect to "%s:%s": %s', "a", 1, reason)

    assert "check security.protocol" in reasons.explain(ERROR)


def test_hosts_are_bounded() -> None:
    """A cluster of hundreds does not make a line of hundreds."""
    with Reasons() as reasons:
        for host in range(HOSTS_MAX * 3):
            LOG.error('Unable connect to "%s:%s": %s', host, 1, "refused")

    assert reasons.said.count("refused") == HOSTS_MAX


def test_it_listens_only_while_open() -> None:
    """Outside of the block nothing is remembered, and no handler stays behind."""
    before = list(LOG.handlers)
    with Reasons() as reasons:
        pass
    LOG.error('Unable connect to "%s:%s": %s', "a", 1, "late")

    assert reasons.said == ""
    assert LOG.handlers == before


@pytest.mark.parametrize(
    ("error", "missing", "told"),
    [
        (KeyError("v"), [], "wrong user name or password"),
        (UnknownTopicOrPartitionError(), ["a", "b"], "no topic a, b"),
        (ValueError(), [], "ValueError"),
        (OSError("security.ca_file x: gone"), [], "security.ca_file x: gone"),
    ],
)
def test_other_errors_are_told_in_one_line(error: Exception, missing: list[str], told: str) -> None:
    """Whatever a start raises becomes a sentence."""
    assert told in Reasons().explain(error, missing)
