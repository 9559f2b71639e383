"""The settings: frozen models of everything that the configuration holds, with defaults, units and descriptions.

They say what a valid value is; what has to agree between values is in `alertd.config.agreement`. A ValueError raised
here reads as what was expected. Descriptions are printed into `config/alertd.full.yml`.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, field_validator
from typing_extensions import override

from alertd.config.kafka import KafkaIntake
from alertd.config.network import allowed_peer, split_address, valid_address
from alertd.destinations.guard import parse_url
from alertd.destinations.mail_server import MailServer
from alertd.destinations.ports import HTTP_PORTS, checked_ports
from alertd.destinations.proxy import checked_proxy
from alertd.model.destination import DeliveryOptions
from alertd.model.event import Bounds
from alertd.model.fields import Count, PositiveSeconds, Resource, Seconds, Slug
from alertd.model.workspace import DEFAULT, Workspace

Origin = tuple[str, str, str]
"""Workspace, collection (`workspaces`, `projects`, `channels`, `destinations`, `subscriptions`, `tokens`) and name."""

SQLITE = "sqlite:///"


def _http_target(url: SecretStr) -> SecretStr:
    parse_url(url.get_secret_value())
    return url


KEY_BYTES = 32


class Server(Resource):
    """The HTTP server: intake, admin API and metrics."""

    listen: Annotated[str, AfterValidator(valid_address)] = Field(
        "127.0.0.1:8080", description="host:port to listen on; an IPv6 host in brackets; port 0: any free one"
    )
    public_url: str | None = Field(
        None, description="how people reach this server, used in links; null: http:// and the address listened on"
    )

    @property
    def host(self) -> str:
        """The host to listen on, without brackets."""
        return split_address(self.listen)[0]

    @property
    def port(self) -> int:
        """The TCP port to listen on; 0 means any free one."""
        return split_address(self.listen)[1]

    @field_validator("public_url")
    @classmethod
    def _http_url(cls, text: str | None) -> str | None:
        if text is None:
            return None
        if not _is_public_url(text):
            raise ValueError(
                "an http:// or https:// URL with a host, without a query, such as https://alerts.example.com"
            )
        return text.rstrip("/")


class Store(Resource):
    """Where everything accepted is kept."""

    url: str = Field(
        f"{SQLITE}state/alertd.db",
        description="sqlite:///relative/file (to the working directory) or sqlite:////absolute/file",
    )
    retention_days: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        30, description="days that finished history is kept; null: for ever"
    )
    issue_retention_days: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        90,
        description="days without an event after which an issue is forgotten, and after its end an incident; a muted issue, one"
        " resolved in a release and one that was merged are kept for a year at least; null: for ever",
    )

    secrets_key: SecretStr | None = Field(
        None,
        description="seals secrets of resources made over the API: 32 bytes in URL-safe base64, best as credential:NAME;"
        " null: the file secrets.key beside the database, made at the first start",
    )

    @property
    def path(self) -> Path:
        """The SQLite file; a relative one is relative to the working directory."""
        return Path(self.url.removeprefix(SQLITE))

    @field_validator("secrets_key")
    @classmethod
    def _is_key(cls, key: SecretStr | None) -> SecretStr | None:
        try:
            if key is not None and len(urlsafe_b64decode(key.get_secret_value())) == KEY_BYTES:
                return key
        except ValueError:
            pass
        if key is None:
            return None
        raise ValueError("32 bytes in URL-safe base64 (44 characters)")

    @field_validator("url")
    @classmethod
    def _sqlite_file(cls, text: str) -> str:
        path = text.removeprefix(SQLITE)
        if path == text or not path.strip("/") or path.endswith("/") or path == ":memory:" or set(path) & set("?#\0"):
            raise ValueError("sqlite:///relative/file or sqlite:////absolute/file")
        return text


class Shutdown(Resource):
    """How the daemon stops."""

    drain_seconds: Seconds = Field(5, description="seconds that attempts in flight may take to finish on a soft stop")


class HttpIntake(Resource):
    """Bounds of one event, and of one request of the HTTP intake."""

    max_body_bytes: Count = Field(1048576, description="bytes of one request body, after decompression")
    max_event_bytes: Count = Field(262144, description="bytes of one event, also of one from Kafka")
    max_events: Count = Field(1000, description="events in one request")
    max_depth: Annotated[int, Field(gt=0, le=512)] = Field(
        64, description="levels of nesting in one event, also in one from Kafka"
    )
    rate_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="events a second that are accepted over HTTP; beyond it 429; null: unlimited"
    )


class SentryIntake(Resource):
    """What Sentry's SDKs may send."""

    max_body_bytes: Annotated[int, Field(gt=0, le=20971520)] = Field(
        20971520, description="bytes of one envelope, compressed and not"
    )
    rate_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None,
        description="events a second that are accepted with each SDK key; beyond it 429, and the SDK is told to keep what"
        " it has to itself for a while; null: unlimited",
    )


class QueueBounds(Resource):
    """The bound of what is accepted but not yet committed; beyond it HTTP answers 429 and Kafka is paused."""

    max_events: Count = Field(10000, description="events waiting for their commit")
    max_bytes: Count = Field(67108864, description="bytes of events waiting for their commit")


class Intake(Resource):
    """How events come in."""

    http: HttpIntake = Field(HttpIntake(), description="events over HTTP: POST /api/v1/events")
    sentry: SentryIntake = Field(SentryIntake(), description="events of Sentry's SDKs: /sentry/api/{project}/envelope/")
    queue: QueueBounds = Field(QueueBounds(), description="events that are accepted but not yet committed")
    kafka: KafkaIntake | None = Field(None, description="events from Kafka topics; null: no Kafka")

    @property
    def bounds(self) -> Bounds:
        """The bounds of input, as decoders take them."""
        http = self.http
        return Bounds(http.max_event_bytes, http.max_body_bytes, http.max_events, http.max_depth)


class Egress(Resource):
    """Where deliveries may go, and what sends them."""

    allow: tuple[Annotated[str, AfterValidator(allowed_peer)], ...] = Field(
        (),
        description="exceptions to the guard, which refuses private, loopback, link-local and metadata addresses:"
        " networks (10.20.0.0/16), addresses or host names",
    )
    ports: Annotated[str, AfterValidator(checked_ports)] = Field(
        HTTP_PORTS,
        description="TCP ports and ranges of them at which HTTP is spoken with public addresses; what `allow` names may"
        " be at any",
    )
    sender: Literal["fast", "aiohttp"] = Field(
        "fast",
        description="what sends HTTP requests: fast (alertd's own HTTP/1.1), or aiohttp (that client, slower by far)",
    )
    proxy: Annotated[SecretStr, AfterValidator(checked_proxy)] | None = Field(
        None,
        description="an HTTP proxy through which all HTTP requests leave, by aiohttp (http://[user:password@]host:port); it"
        " may be on any address. Only names that are known here are judged by where they lead; null: none, whatever"
        " the environment says",
    )


class HeartbeatOptions(Resource):
    """A request that a dead man's switch waits for: it stays out when events are no longer stored."""

    url: Annotated[SecretStr, AfterValidator(_http_target)] | None = Field(
        None, description="where it goes (http:// or https://, under `egress`); null: no heartbeat"
    )
    method: Literal["GET", "POST"] = Field("GET", description="GET or POST (an empty body)")
    interval_seconds: PositiveSeconds = Field(60, description="seconds between two of them")
    timeout_seconds: PositiveSeconds = Field(10, description="seconds that one may take")


class ProvisionedToken(Resource):
    """A token of the API that the configuration holds."""

    name: Slug = Field(description="its name: lower-case letters, digits, - and _, up to 64")
    role: Literal["intake", "viewer", "operator", "admin"] = Field(description="what it may do")
    workspace: Slug | None = Field(DEFAULT, description="the workspace it is for; null: all of them")
    value: Annotated[SecretStr, Field(min_length=1)] = Field(
        description="the secret itself, best as file:PATH, credential:NAME or ${ENV}"
    )

    @field_validator("value")
    @classmethod
    def _sendable(cls, secret: SecretStr) -> SecretStr:
        text = secret.get_secret_value()
        if not (text.isascii() and text.isprintable()) or " " in text:
            raise ValueError("printable ASCII without spaces")
        return secret


class Log(Resource):
    """What the daemon says on standard output."""

    format: Literal["auto", "json", "pretty"] = Field(
        "auto", description="json, pretty, or auto: pretty on a terminal, else json"
    )
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least level that is written")


class Config(Resource):
    """The whole configuration. `Config()` is what an empty file means; the workspace `default` is always there."""

    server: Server = Field(Server(), description="the HTTP server")
    store: Store = Field(Store(), description="where everything accepted is kept")
    shutdown: Shutdown = Field(Shutdown(), description="how the daemon stops")
    intake: Intake = Field(Intake(), description="how events come in")
    delivery: DeliveryOptions = Field(DeliveryOptions(), description="defaults for every destination")
    egress: Egress = Field(Egress(), description="where deliveries may go")
    mail: MailServer = Field(
        MailServer(), description="how e-mail leaves; a destination of that type may override each"
    )
    log: Log = Field(Log(), description="what the daemon says on standard output")
    heartbeat: HeartbeatOptions = Field(HeartbeatOptions(), description="tells a dead man's switch that all is well")
    tokens: tuple[ProvisionedToken, ...] = Field((), description="tokens of the API; or: alertd token create")
    workspaces: tuple[Workspace, ...] = Field(
        (Workspace(name=DEFAULT),), description="resources as code, read-only in the API; `default` is always there"
    )
    _origins: Mapping[Origin, str] = PrivateAttr(default_factory=dict)

    @override
    def model_post_init(self, context: Any, /) -> None:
        """Take the places of resources from the validation context."""
        if isinstance(context, dict):
            self._origins = context["origins"]

    def origin(self, workspace: str | None, collection: str, name: str) -> str | None:
        """Say where a resource is written, as `alertd.yml:42`; None when the configuration does not hold it.

        `workspace` is None for tokens that are for all of them.
        """
        return self._origins.get((workspace or "", collection, name))

    @field_validator("workspaces")
    @classmethod
    def _with_default(cls, workspaces: tuple[Workspace, ...]) -> tuple[Workspace, ...]:
        if any(workspace.name == DEFAULT for workspace in workspaces):
            return workspaces
        return (Workspace(name=DEFAULT), *workspaces)


def _is_public_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        plain = not (url.query or url.fragment or url.username or url.password)
        return url.scheme in {"http", "https"} and bool(url.hostname) and plain and url.port != 0 and text.isprintable()
    except ValueError:
        return False
