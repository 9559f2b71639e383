"""An intake endpoint: a webhook URL of ours for one outside service; and the keys of Sentry's SDKs."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr, StringConstraints

from alertd.model.fields import Count, PlaceName, Resource, SeverityWord, Slug, Title, TypeName

WebhookSource = Literal["sentry", "github", "alertmanager", "grafana", "incidents"]
MAX_BODY_BYTES = {
    "sentry": 5 * 1024 * 1024,
    "github": 25 * 1024 * 1024,
    "alertmanager": 5 * 1024 * 1024,
    "grafana": 5 * 1024 * 1024,
    "incidents": 5 * 1024 * 1024,
}
"""How large a body of a source may be unless its endpoint says otherwise."""
HELD_MAX_BYTES: Final = 128 * 1024 * 1024
"""How much of bodies may be held at one time; a larger one would never be taken."""


class IntakeEndpoint(Resource):
    """Where one outside service sends its webhooks. Without a secret no signature is asked for."""

    name: Slug
    title: Title = ""
    source: WebhookSource = Field(description="whose webhooks it takes")
    secret: Annotated[SecretStr, Field(min_length=1)] | None = Field(
        None, description="what the service signs with; null: nothing is verified"
    )
    project: PlaceName | None = Field(None, description="the project of its events; null: the one in the payload")
    environment: PlaceName | None = Field(None, description="the environment of events that name none")
    max_body_bytes: Annotated[int, Field(gt=0, le=HELD_MAX_BYTES)] | None = Field(
        None, description="bytes of one webhook, at most 128 MiB; null: 25 MiB for github, else 5 MiB"
    )
    types: dict[TypeName, TypeName] = Field(
        default_factory=dict, description="other names for event types that it makes, such as sentry.error: crash"
    )
    severities: dict[str, SeverityWord] = Field(
        default_factory=dict, description="severities for the service's own words, such as warning: error"
    )
    deploy_incidents: bool = Field(
        True, description="github: whether pushes to the default branch and deployments open incidents"
    )
    enabled: bool = Field(True, description="false: what comes is refused")


class StoredIntakeEndpoint(IntakeEndpoint):
    """One that the store holds, perhaps from before there was a greatest bound."""

    max_body_bytes: Count | None = None


class SdkKey(Resource):
    """A key of Sentry's SDKs for one project; its name is the public key itself."""

    name: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    title: Title = ""
    project: PlaceName
