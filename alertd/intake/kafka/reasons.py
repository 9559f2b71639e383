"""Why a broker could not be reached: aiokafka raises one sentence for all and puts the reason into its log alone."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final, Self

from typing_extensions import override

if TYPE_CHECKING:
    from types import TracebackType

_LOGGER: Final = "aiokafka"
_SAID: Final = re.compile(
    r'Unable (?:connect to|to request metadata from) "?(?P<host>[^"\s]+?)"?: (?P<reason>.*)', re.DOTALL
)


class Reasons(logging.Handler):
    """Remembers the last reason that aiokafka logged while the block is open."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._last = ""

    def __enter__(self) -> Self:
        """Begin to listen."""
        logging.getLogger(_LOGGER).addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Listen no more."""
        logging.getLogger(_LOGGER).removeHandler(self)

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record's reason."""
        if found := _SAID.search(record.getMessage()):
            self._last = f"{found['host']}: {found['reason'].strip() or 'the broker closed the connection'}"

    def explain(self, error: BaseException) -> str:
        """Say in one line why a start failed."""
        if isinstance(error, KeyError):
            return "the broker refused the SCRAM exchange: wrong user name or password"
        said = str(error) or type(error).__name__
        return f"{said} ({self._last})" if self._last else said
