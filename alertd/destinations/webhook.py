"""The destination type `webhook`: any HTTP endpoint, in the form and with the signature of Standard Webhooks 1.0."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

import orjson
from pydantic import AfterValidator, BaseModel, Field, SecretStr

from alertd.destinations.base import HttpRequest, SendError
from alertd.destinations.guard import parse_url
from alertd.destinations.retry_after import parse_retry_after
from alertd.destinations.signing import Signer, parse_key
from alertd.model.delivery import ANSWER_MAX, Outcome, OutcomeKind
from alertd.model.fields import Resource

if TYPE_CHECKING:
    from alertd.clock import Clock
    from alertd.destinations.base import HttpAnswer, Message, Sender, World

HEADERS_MAX: Final = 64
"""Headers of a user's own."""

HEADER_BYTES_MAX: Final = 4096
"""Bytes in one header's value."""

RETRIED: Final = frozenset({408, 425, 429})
"""Statuses below 500 after which the same request may do better later."""

_GONE: Final = 410
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VALUE: Final = re.compile(r"[\x20-\x7e\t]*", re.ASCII)
_OURS: Final = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that frame or describe the request itself; `webhook-*` are the signature's."""


def _check_url(url: str) -> str:
    parse_url(url)
    return url


def _check_secret(secret: SecretStr) -> SecretStr:
    parse_key(secret.get_secret_value())
    return secret


def _check_headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    if len(headers) > HEADERS_MAX:
        raise ValueError(f"at most {HEADERS_MAX} headers")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header is named twice (their case does not count)")
    for name, value in headers.items():
        _check_header(name, value.get_secret_value())
    return headers


def _check_header(name: str, value: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not a header name")
    if name.lower() in _OURS or name.lower().startswith("webhook-"):
        raise ValueError(f"header {name} is set by alertd")
    if len(value) > HEADER_BYTES_MAX:
        raise ValueError(f"the value of {name} has more than {HEADER_BYTES_MAX} bytes")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"the value of {name} has a line break or something else that is not printable ASCII")


class WebhookSettings(Resource):
    """Where to post, how to sign, and what to add."""

    url: Annotated[str, AfterValidator(_check_url)] = Field(repr=False, description="http:// or https://")
    secret: Annotated[SecretStr, AfterValidator(_check_secret)] | None = Field(
        None, description="whsec_ and base64, or any text (its UTF-8 bytes); null: unsigned"
    )
    headers: Annotated[dict[str, SecretStr], AfterValidator(_check_headers)] = Field(
        default_factory=dict, description="added to every request; values are kept as secrets"
    )
    format: Literal["standard"] = Field("standard", description="the body's form")


class WebhookDestination:
    """Posts each delivery to one URL."""

    def __init__(self, settings: WebhookSettings, timeout_seconds: float, sender: Sender, clock: Clock) -> None:
        self._url = settings.url
        self._headers = {"content-type": "application/json"} | {
            name: value.get_secret_value() for name, value in settings.headers.items()
        }
        secret = settings.secret
        self._signer = None if secret is None else Signer(parse_key(secret.get_secret_value()))
        self._timeout_seconds = timeout_seconds
        self._sender = sender
        self._clock = clock

    async def attempt(self, message: Message) -> Outcome:
        """Post once and say what came of it."""
        now = self._clock.wall_seconds()
        try:
            answer = await self._sender.send(self.render(message, now), self._timeout_seconds)
        except SendError as error:
            return _outcome_of_error(error)
        except orjson.JSONEncodeError:
            return Outcome(OutcomeKind.REJECTED, detail="webhook: a name in the delivery is not valid Unicode")
        return classify(answer, now)

    async def close(self) -> None:
        """Hold nothing: the sender is shared."""

    def render(self, message: Message, now_seconds: int) -> HttpRequest:
        """Make the request; the timestamp and thus the signature are this attempt's, the id is the delivery's."""
        body = body_of(message)
        headers = self._headers.copy()
        headers["webhook-id"] = message.delivery_id
        headers["webhook-timestamp"] = str(now_seconds)
        if self._signer is not None:
            headers["webhook-signature"] = self._signer.sign(message.delivery_id, now_seconds, body)
        return HttpRequest(self._url, body, headers)


class WebhookType:
    """The type `webhook`."""

    name: ClassVar[str] = "webhook"
    about: ClassVar[str] = "Any HTTP endpoint, in the form and with the signature of Standard Webhooks."
    settings_model: ClassVar[type[BaseModel]] = WebhookSettings

    def rate_per_second(self, settings: WebhookSettings) -> float | None:
        """No pace."""
        return None

    def open(self, settings: WebhookSettings, timeout_seconds: float, world: World) -> WebhookDestination:
        """Open one."""
        return WebhookDestination(settings, timeout_seconds, world.sender, world.clock)


def body_of(message: Message) -> bytes:
    """Write the body: the event's bytes are spliced in as they are. Raises orjson.JSONEncodeError on lone surrogates."""
    return orjson.dumps(
        {
            "type": message.event_type,
            "timestamp": message.time or _time_in(message.event),
            "data": {
                "delivery_id": message.delivery_id,
                "alert_id": message.alert_id,
                "workspace": message.workspace,
                "subscription": message.subscription,
                "channel": message.channel,
                "trigger": message.trigger,
                "event": orjson.Fragment(message.event),
                "issue": None,
                "url": message.url,
                "test": message.test,
            },
        }
    )


def classify(answer: HttpAnswer, now_seconds: float) -> Outcome:
    """Say what an answer means for the delivery."""
    status = answer.status
    if 200 <= status < 300:  # noqa: PLR2004 - the 2xx class
        return (
            Outcome(OutcomeKind.DELIVERED, status, "", answer.body[:ANSWER_MAX]) if answer.body else _delivered(status)
        )
    kind = _kind_of(status)
    wait = (
        parse_retry_after(answer.headers.get("Retry-After"), now_seconds) if kind is OutcomeKind.RETRY_LATER else None
    )
    return Outcome(kind, status, f"webhook: returned {status}", answer.body[:ANSWER_MAX], wait)


def _kind_of(status: int) -> OutcomeKind:
    if status in RETRIED or status >= 500:  # noqa: PLR2004 - the 5xx class
        return OutcomeKind.RETRY_LATER
    return OutcomeKind.GONE if status == _GONE else OutcomeKind.REJECTED


@lru_cache(maxsize=100)
def _delivered(status: int) -> Outcome:
    return Outcome(OutcomeKind.DELIVERED, status)


def _outcome_of_error(error: SendError) -> Outcome:
    if error.refused:
        kind = OutcomeKind.REJECTED
    else:
        kind = OutcomeKind.AMBIGUOUS if error.ambiguous else OutcomeKind.RETRY_LATER
    return Outcome(kind, detail=f"webhook: {error}")


def _time_in(event: bytes) -> str:
    try:
        found = orjson.loads(event)
    except orjson.JSONDecodeError:
        return ""
    time = found.get("time") if isinstance(found, dict) else None
    return time if isinstance(time, str) else ""
