"""Why a broker could not be reached: aiokafka raises one sentence for all and puts the reason into its log alone."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaConnectionError, UnknownTopicOrPartitionError
from typing_extensions import override

from alertd.log import Listener
from alertd.model.kafka_security import HUNG_UP

if TYPE_CHECKING:
    from collections.abc import Sequence

HOSTS_MAX: Final = 5
"""The reasons of so many hosts are kept."""

_LOGGER: Final = "aiokafka"
_SAID: Final = re.compile(
    r'Unable (?:connect to|to request metadata from) "?(?P<host>[^"\s]+?)"?: (?P<reason>.*)', re.DOTALL
)


class Reasons(Listener):
    """Remembers the last reason that aiokafka logged about each host while the block is open."""

    def __init__(self) -> None:
        super().__init__(_LOGGER, logging.WARNING)
        self._by_host: dict[str, str] = {}

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record's reason."""
        found = _SAID.search(record.getMessage())
        if found and (found["host"] in self._by_host or len(self._by_host) < HOSTS_MAX):
            self._by_host[found["host"]] = _readable(found["reason"].strip())

    @property
    def said(self) -> str:
        """Every reason in one line, empty when there was none."""
        return "; ".join(f"{host}: {reason}" for host, reason in self._by_host.items())

    def explain(self, error: BaseException, missing_topics: Sequence[str] = ()) -> str:
        """Say in one line why a start failed."""
        if isinstance(error, KeyError):
            return "the broker refused the SCRAM exchange: wrong user name or password"
        if isinstance(error, UnknownTopicOrPartitionError) and missing_topics:
            return f"the brokers have no topic {', '.join(missing_topics)}, and do not make it"
        if isinstance(error, KafkaConnectionError) and self.said:
            return f"no broker could be reached: {self.said}"
        text = str(error) or type(error).__name__
        return f"{text} ({self.said})" if self.said else text


def _readable(reason: str) -> str:
    """Say what an empty reason, and the bare fact of a closed connection, usually mean."""
    if not reason:
        return HUNG_UP
    return f"{reason} ({HUNG_UP})" if reason.endswith(" closed") else reason
