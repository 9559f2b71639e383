"""The destination type `webhook`: any HTTP endpoint, in one of several forms, signed.

`format: standard` with the signature of Standard Webhooks is the path that most deliveries take, and is written to be
quick; `ShapedWebhook` does all else.
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlencode, urlsplit

import orjson
from typing_extensions import override

from alertd.destinations.alertmanager_body import alertmanager_body
from alertd.destinations.base import HttpRequest, SendError
from alertd.destinations.cloudevents_body import binary, structured
from alertd.destinations.http_destination import DELIVERY_HEADER, HttpDestination, HttpType
from alertd.destinations.nora_body import nora_body
from alertd.destinations.redaction import credentials_of
from alertd.destinations.retry_after import parse_retry_after
from alertd.destinations.rustrak_body import project_of, rustrak_body
from alertd.destinations.standard_body import body_of
from alertd.destinations.template_body import ERROR_HEADER, template_body
from alertd.destinations.templated import noted
from alertd.destinations.webhook_seal import seal_of, signing_of
from alertd.destinations.webhook_settings import WebhookSettings, texts
from alertd.model.delivery import ANSWER_MAX, Outcome, OutcomeKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel

    from alertd.destinations.base import HttpAnswer, Message, Preview, World

RETRIED: Final = frozenset({408, 425, 429})
"""Statuses below 500 after which the same request may do better later."""
GZIP_LEVEL: Final = 6

_GONE: Final = 410
_JSON: Final = "application/json"


class WebhookDestination(HttpDestination[WebhookSettings]):
    """Posts each delivery to one URL, in the form and with the signature of Standard Webhooks."""

    def __init__(self, type_name: str, settings: WebhookSettings, timeout_seconds: float, world: World) -> None:
        super().__init__(type_name, settings, timeout_seconds, world)
        self._url = url_of(settings)
        self._method = settings.method
        self._headers = {"content-type": _JSON} | texts(settings.headers)
        self._signer = signing_of(settings)
        self._sender = self.world.sender
        self._clock = world.clock

    @override
    def secrets(self) -> Iterable[str]:
        """List those of the settings, what authorises in headers, and the URL: many a service's is a secret."""
        return *super().secrets(), *credentials_of(self.settings.headers), self.settings.url

    @override
    async def attempt(self, message: Message) -> Outcome:
        """Make the request and post it."""
        now = self._clock.wall_seconds()
        try:
            request = self.render(message, now)
        except orjson.JSONEncodeError:
            return Outcome(OutcomeKind.REJECTED, detail="webhook: a name in the delivery is not valid Unicode")
        return await self.post(request, now)

    async def post(self, request: HttpRequest, now: int) -> Outcome:
        """Post once and say what came of it."""
        try:
            answer = await self._sender.send(request, self._timeout_seconds)
        except SendError as error:
            return self._outcome_of_error(error, ambiguous=error.ambiguous)
        if answer.body or not 200 <= answer.status < 300:  # noqa: PLR2004 - the 2xx class
            return self.judge(answer, now)
        return _delivered(answer.status)

    @override
    def render(self, message: Message, now_seconds: int) -> HttpRequest:
        """Make the request; the timestamp and thus the signature are this attempt's, the id is the delivery's.

        Raises orjson.JSONEncodeError for names with lone surrogates, which the configuration lets nobody give.
        """
        body = body_of(message)
        headers = self._headers.copy()
        headers["webhook-id"] = message.delivery_id
        headers["webhook-timestamp"] = str(now_seconds)
        if self._signer is not None:
            headers["webhook-signature"] = self._signer.sign(message.delivery_id, now_seconds, body)
        return HttpRequest(self._url, body, headers, self._method)

    @override
    def classify(self, answer: HttpAnswer, now_seconds: float) -> Outcome:
        """Say what an answer means for the delivery."""
        return classify(answer, now_seconds)


class ShapedWebhook(WebhookDestination):
    """Posts in the form of others, or with another signature, or compressed."""

    def __init__(self, type_name: str, settings: WebhookSettings, timeout_seconds: float, world: World) -> None:
        super().__init__(type_name, settings, timeout_seconds, world)
        self._seal = seal_of(settings)
        self._directory = world.directory

    @override
    async def attempt(self, message: Message) -> Outcome:
        """Post once, for Rustrak's receivers not before the project has its number: the alert's id begins with it."""
        directory = self._directory
        if self.settings.format == "rustrak" and not directory.project_number(message.workspace, project_of(message)):
            await directory.catch_up()
        return await super().attempt(message)

    @override
    async def post(self, request: HttpRequest, now: int) -> Outcome:
        """Post once; the outcome says why the user's template did not make the body."""
        outcome = await super().post(request, now)
        problem = request.headers.get(ERROR_HEADER, "") if self.settings.format == "template" else ""
        return noted(outcome, problem and f"the template failed: {problem}")

    @override
    def render(self, message: Message, now_seconds: int) -> HttpRequest:
        """Make the request. Raises as the base."""
        request = self._readable(message, now_seconds)
        if "content-encoding" in request.headers:
            request.body = gzip.compress(request.body, GZIP_LEVEL, mtime=0)
        return request

    @override
    def preview(self, message: Message) -> Preview:
        """Show what would be sent, as it is before it is compressed."""
        return self._redactor.preview(self._readable(message, self._clock.wall_seconds()))

    def _readable(self, message: Message, now_seconds: int) -> HttpRequest:
        """Make the request with a body that is still to be compressed if its headers say that it is."""
        message_id, body, own = self._shape(message, now_seconds)
        headers = self._headers | own
        self._seal.put(headers, message_id, now_seconds, body)
        above = self.settings.gzip_above_bytes
        if above is not None and len(body) > above:
            headers["content-encoding"] = "gzip"
        return HttpRequest(self._url, body, headers, self._method)

    def _shape(self, message: Message, now_seconds: int) -> tuple[str, bytes, dict[str, str]]:
        """Give the id that is the same on every attempt, the body, and the form's own headers."""
        name, own_id = self.settings.format, message.delivery_id
        if name == "rustrak":
            return *rustrak_body(message, self._directory, now_seconds), {DELIVERY_HEADER: own_id}
        if name == "nora":
            return own_id, nora_body(message, self._directory), {}
        if name == "alertmanager":
            return own_id, alertmanager_body(message, now_seconds), {}
        if name == "cloudevents":
            return own_id, *(structured if self.settings.mode == "structured" else binary)(message)
        if name == "template":
            return own_id, *template_body(message, self.settings.template or "", self.settings.content_type)
        return own_id, body_of(message), {}


class WebhookType(HttpType):
    """The type `webhook`."""

    name: ClassVar[str] = "webhook"
    about: ClassVar[str] = (
        "Any HTTP endpoint. `format` says what it understands: `standard` is the body and the signature of Standard"
        " Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`), which libraries for most languages verify;"
        " `rustrak`, `nora`, `alertmanager` (version 4) and `cloudevents` are those of others, for receivers that are"
        " there already; `template` is a body of your own. To replace a secret, set the new one as `secret` and the old one as `previous_secret`: both"
        " sign until the receiver knows the new one."
    )
    settings_model: ClassVar[type[BaseModel]] = WebhookSettings

    @override
    def open(self, settings: WebhookSettings, timeout_seconds: float, world: World) -> WebhookDestination:
        """Open one."""
        return (WebhookDestination if is_plain(settings) else ShapedWebhook)(
            self.name, settings, timeout_seconds, world
        )

    @override
    def shows_links(self, settings: Any) -> bool:
        """Programs read it, who have tokens."""
        return False

    def needs_issue(self, settings: Any) -> bool:
        """Say whether nothing but an alert about an issue can be written in its form."""
        return isinstance(settings, WebhookSettings) and settings.format == "rustrak"


def is_plain(settings: WebhookSettings) -> bool:
    """Say whether the quick way does."""
    return settings.format == settings.signature == "standard" and settings.gzip_above_bytes is None


def url_of(settings: WebhookSettings) -> str:
    """Give the URL with the parameters of `query` behind its own."""
    if not settings.query:
        return settings.url
    parts = urlsplit(settings.url)
    query = "&".join(filter(None, (parts.query, urlencode(texts(settings.query)))))
    return parts._replace(query=query, fragment="").geturl()


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
