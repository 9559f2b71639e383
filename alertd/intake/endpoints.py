"""Intake endpoints as webhooks meet them: what one is, who knows them all, and who is let in."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog
from aiohttp import web

from alertd.errors import IntakeFullError
from alertd.model.intake_endpoint import MAX_BODY_BYTES
from alertd.sources.sentry_defaults import STANDARD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import SecretStr

    from alertd.metrics import Metrics
    from alertd.sources.sentry_defaults import SentryDefaults


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """An intake endpoint as its webhooks need it; without a secret no signature is asked for."""

    name: str
    workspace: str
    secret: SecretStr | None = None
    defaults: SentryDefaults = STANDARD
    max_body_bytes: int = MAX_BODY_BYTES["sentry"]


class Endpoints(Protocol):
    """Knows the intake endpoints."""

    def find(self, source: str, token: str) -> WebhookEndpoint | None:
        """Return the endpoint for this source with this token, None when there is none; in constant time per endpoint."""


@contextmanager
def retried() -> Iterator[None]:
    """Answer 503 where the intake is full: Alertmanager and Sentry come again after that, never after 429."""
    try:
        yield
    except IntakeFullError as error:
        headers = {"Retry-After": str(error.retry_after)}
        raise web.HTTPServiceUnavailable(text=str(error), headers=headers) from error


class EndpointGuard:
    """Lets in who knows an endpoint's token and, where it has a secret, that too; counts and logs who does not."""

    def __init__(self, endpoints: Endpoints, metrics: Metrics) -> None:
        self._endpoints = endpoints
        self._refused = metrics.intake_refused
        self._warned: set[tuple[str, str]] = set()
        self._log = structlog.get_logger("alertd.intake").bind()

    def enter(self, source: str, token: str) -> WebhookEndpoint:
        """Return the endpoint of a token. Raises HTTPUnauthorized."""
        endpoint = self._endpoints.find(source, token)
        if endpoint is None:
            raise self._unauthorized("unauthorized", "there is no such intake endpoint", source, {})
        return endpoint

    def verify(self, source: str, endpoint: WebhookEndpoint, knows: Callable[[str], bool], otherwise: str) -> None:
        """Ask whether a request knows the endpoint's secret. Raises HTTPUnauthorized that says `otherwise`."""
        known = {"workspace": endpoint.workspace, "endpoint": endpoint.name}
        if endpoint.secret is None:
            self._warn(source, endpoint, known)
        elif not knows(endpoint.secret.get_secret_value()):
            raise self._unauthorized("signature", otherwise, source, known)

    def _warn(self, source: str, endpoint: WebhookEndpoint, known: dict[str, str]) -> None:
        """Say once of each endpoint that nothing is verified there."""
        if (endpoint.workspace, endpoint.name) not in self._warned:
            self._warned.add((endpoint.workspace, endpoint.name))
            detail = "it has no secret: whoever knows its URL can send"
            self._log.warning("webhook.unverified", source=source, **known, detail=detail)

    def _unauthorized(self, reason: str, detail: str, source: str, known: dict[str, str]) -> web.HTTPUnauthorized:
        self._refused.labels(reason).inc()
        self._log.warning("webhook.refused", source=source, reason=reason, detail=detail, **known)
        return web.HTTPUnauthorized(text=detail)
