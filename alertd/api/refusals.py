"""What is said of requests that are refused: a count for those of the intake, a line in the log for those of strangers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from alertd.api.auth import ForbiddenError, UnauthorizedError
from alertd.api.problems import status_of
from alertd.api.wrong_tokens import TooManyWrongTokensError
from alertd.delivery.muffler import Muffler
from alertd.errors import TooFastError

if TYPE_CHECKING:
    from alertd.errors import AlertdError
    from alertd.metrics import Metrics

INTAKE_PATHS: Final = frozenset({"/api/v1/events"})
"""Paths whose refusals are counted as the intake's."""

_REASONS: Final = {
    400: "malformed",
    401: "unauthorized",
    403: "forbidden",
    413: "too_large",
    415: "malformed",
    422: "malformed",
    429: "full",
    503: "store",
}
_REASONS_BY_KIND: Final = {TooManyWrongTokensError: "unauthorized", TooFastError: "rate"}
"""Where the status alone does not tell."""
_log = structlog.get_logger("alertd.api")


class Refusals:
    """Counts and logs. Anybody can be refused as often as they like, so one line a while stands for all of its kind."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._mufflers: dict[type[AlertdError], Muffler] = {UnauthorizedError: Muffler(), ForbiddenError: Muffler()}

    def note(self, path: str, error: AlertdError) -> None:
        """Take note of a refusal at a path."""
        named = (reason for kind, reason in _REASONS_BY_KIND.items() if isinstance(error, kind))
        reason = next(named, _REASONS.get(status_of(error)))
        if reason is not None and path in INTAKE_PATHS:
            self._metrics.intake_refused.labels(reason).inc()
        for kind, muffler in self._mufflers.items():
            if isinstance(error, kind) and muffler.lets_through(reason, asyncio.get_running_loop().time()):
                left_out = muffler.clear()
                rest = {"left_out": left_out} if left_out else {}
                _log.info("request.refused", reason=reason, path=path, detail=str(error), **rest)
