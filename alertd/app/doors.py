"""The doors of outside services: which intake endpoint a URL's token means, and where an SDK's key leads."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, cast

from alertd.engine.issues.fingerprint import fingerprint_of
from alertd.intake.endpoints import WebhookEndpoint
from alertd.intake.episodes import Episodes
from alertd.intake.rate import RateLimit
from alertd.intake.sentry_body import Bodies
from alertd.intake.sentry_sdk import SdkProject, SentrySdkIntake
from alertd.intake.sentry_webhook import SentryWebhooks
from alertd.intake.webhooks import Webhooks
from alertd.model.intake_endpoint import HELD_MAX_BYTES, MAX_BODY_BYTES, IntakeEndpoint, SdkKey
from alertd.resources.kinds import INTAKE_ENDPOINT, PROJECT, SDK_KEY
from alertd.sources.alerts import AlertmanagerDecoder, GrafanaDecoder
from alertd.sources.github import GithubDecoder
from alertd.sources.incident import IncidentDecoder
from alertd.sources.sentry_defaults import SentryDefaults

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from aiohttp import web

    from alertd.clock import Clock
    from alertd.config.settings import Intake, SentryIntake
    from alertd.intake.episodes import KnownIds
    from alertd.metrics import Metrics
    from alertd.pipeline import Pipeline
    from alertd.resources.entry import Entry
    from alertd.resources.registry import Registry
    from alertd.resources.snapshot import Snapshot


class EndpointDoors:
    """Looks intake endpoints up; what was found of a snapshot is remembered with it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._seen: Snapshot | None = None
        self._endpoints: Mapping[bytes, Entry] = {}

    def find(self, source: str, token: str) -> WebhookEndpoint | None:
        """Return the endpoint for this source with this token. Tokens are compared by their hashes."""
        snapshot = self._registry.snapshot
        if snapshot is not self._seen:
            self._seen, self._endpoints = snapshot, self._by_token(snapshot)
        entry = self._endpoints.get(_hash(token))
        if entry is None:
            return None
        own = cast("IntakeEndpoint", entry.model)
        if own.source != source or not own.enabled:
            return None
        return WebhookEndpoint(
            name=own.name,
            workspace=entry.workspace,
            secret=own.secret,
            defaults=SentryDefaults(
                project=own.project or "",
                environment=own.environment or "",
                types=own.types,
                severities=own.severities,
                issue_key=issue_key,
                deploy_incidents=own.deploy_incidents,
            ),
            max_body_bytes=min(own.max_body_bytes or MAX_BODY_BYTES[own.source], HELD_MAX_BYTES),
        )

    def _by_token(self, snapshot: Snapshot) -> dict[bytes, Entry]:
        return {
            _hash(self._registry.url_token(entry)): entry
            for workspace in snapshot.workspace_names()
            for entry in snapshot.entries(INTAKE_ENDPOINT.word, workspace)
        }


class SdkDoors:
    """Looks SDK keys up; `number_of` gives a project's number, `options` how much may be sent with a key.

    How much of its rate a key has used outlives changes of other resources, and ends with the key.
    """

    def __init__(
        self, registry: Registry, number_of: Callable[[str, str], int | None], clock: Clock, options: SentryIntake
    ) -> None:
        self._registry = registry
        self._number_of = number_of
        self._clock = clock
        self._options = options
        self._limits: dict[tuple[str, str], RateLimit] = {}
        self._seen: Snapshot | None = None
        self._found: dict[tuple[str, str], SdkProject] = {}

    def find(self, project: str, key: str) -> SdkProject | None:
        """Return where a key leads; `project` is its number or name. What was found is remembered with its snapshot."""
        snapshot = self._registry.snapshot
        if snapshot is not self._seen:
            self._seen, self._found = snapshot, {}
            self._limits = {
                (workspace, own): limit
                for (workspace, own), limit in self._limits.items()
                if snapshot.get((SDK_KEY.word, workspace, own)) is not None
            }
        found = self._found.get((project, key))
        if found is None:
            found = self._look_up(snapshot, project, key)
            if found is not None:
                self._found[project, key] = found
        return found

    def reconfigure(self, options: SentryIntake) -> None:
        """Let each key send so much from the next request on."""
        if options != self._options:
            self._options, self._found, self._limits = options, {}, {}

    def _limit(self, workspace: str, key: str) -> RateLimit | None:
        rate = self._options.rate_per_second
        return None if rate is None else self._limits.setdefault((workspace, key), RateLimit(rate, self._clock))

    def _look_up(self, snapshot: Snapshot, project: str, key: str) -> SdkProject | None:
        for workspace in snapshot.workspace_names():
            entry = snapshot.get((SDK_KEY.word, workspace, key))
            if entry is None:
                continue
            own = cast("SdkKey", entry.model).project
            known = snapshot.get((PROJECT.word, workspace, own)) is not None
            if known and project in (own, str(self._number_of(workspace, own))):
                defaults = SentryDefaults(project=own, issue_key=issue_key)
                return SdkProject(workspace, defaults, self._options.max_body_bytes, self._limit(workspace, key))
        return None


class Outside:
    """All intakes of outside services, with one bound for the bodies that they hold together."""

    def __init__(
        self, pipeline: Pipeline, clock: Clock, metrics: Metrics, intake: Intake, registry: Registry, store: KnownIds
    ) -> None:
        bodies, bounds = Bodies(), intake.bounds

        def number_of(workspace: str, project: str) -> int | None:
            return pipeline.ruleset.ids.get((PROJECT.word, workspace, project))

        endpoints = EndpointDoors(registry)
        decoders = (GithubDecoder(), AlertmanagerDecoder(), GrafanaDecoder(), IncidentDecoder())
        self._keys = SdkDoors(registry, number_of, clock, intake.sentry)
        self.envelopes = SentrySdkIntake(pipeline, clock, metrics, bounds, self._keys, bodies)
        self._intakes = (
            SentryWebhooks(pipeline, clock, metrics, bounds, endpoints, bodies),
            Webhooks(pipeline, clock, metrics, bounds, endpoints, bodies, decoders, Episodes(store, clock)),
            self.envelopes,
        )

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        for intake in self._intakes:
            intake.register(app)

    def reconfigure(self, intake: Intake) -> None:
        """Use other bounds from the next request on."""
        self._keys.reconfigure(intake.sentry)
        for each in self._intakes:
            each.reconfigure(intake.bounds)


def issue_key(project: str, data: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Name the issue of an error: its fingerprint."""
    return fingerprint_of(data, labels)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
