"""The destination type `msteams`: a workflow's webhook, which posts an adaptive card.

Text of events stands in text runs, in which Teams reads no Markdown, or is made inert where only Markdown is to be had. An
answer of 2xx means that the flow was started: whether it posted, Teams does not say.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import Field
from typing_extensions import override

from alertd.destinations.adaptive_card import card_of
from alertd.destinations.answers import THROTTLED, failed_kind, header_wait, members_of, outcome_of, text_of, usual_kind
from alertd.destinations.composing import content_of
from alertd.destinations.http_destination import HttpDestination, HttpType, json_request
from alertd.destinations.settings_fields import RepeatingSettings, SecretUrl
from alertd.model.delivery import Outcome, OutcomeKind

if TYPE_CHECKING:
    from pydantic import BaseModel

    from alertd.destinations.base import HttpAnswer, HttpRequest, Message

NAME: Final = "msteams"
PACE: Final = 2.0
"""Messages a second: 60 in 30 s is what the platform documents for its webhooks."""
THROTTLE_SECONDS: Final = 300.0
"""How long to wait when Teams has had too many and does not say: the pace keeps its limits of a second and of half a minute,
so what was met is the one of an hour or a day."""

_LEGACY_HOSTS: Final = (".webhook.office.com", "outlook.office.com", "outlook.office365.com")
_LEGACY_OK: Final = "1"
_LEGACY_THROTTLED: Final = "http error 429"
_LEGACY_FAILED: Final = "http error 5"
_OK: Final = 200
_GONE_STATUSES: Final = frozenset({401, 403})
_GONE_CODES: Final = frozenset({"WorkflowNotFound", "WorkflowTriggerNotFound", "WorkflowTriggerIsNotEnabled"})
_LEGACY_GONE: Final = frozenset({404, 410})


class MsteamsSettings(RepeatingSettings):
    """Where to post."""

    url: SecretUrl = Field(
        description="the workflow's address, whole, with its signature; a secret",
        examples=[
            "https://prod-00.westeurope.logic.azure.com:443/workflows/0123456789abcdef/triggers/manual/paths/invoke?sig=made-up-for-this-example"
        ],
    )


class MsteamsDestination(HttpDestination[MsteamsSettings]):
    """Posts to one workflow."""

    @override
    def render(self, message: Message, now_seconds: int) -> HttpRequest:
        """Make the request."""
        card = {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": None,
            "content": card_of(content_of(message)),
        }
        payload = {"type": "message", "attachments": [card]}
        return json_request(self.settings.url.get_secret_value(), payload, message)

    @override
    def classify(self, answer: HttpAnswer, now_seconds: int) -> Outcome:
        """Say what an answer means; the retired connectors say what went wrong in the text of a 200.

        That they had too many is the status 429 there as well, so that it uses up no attempt.
        """
        error = members_of(answer).get("error")
        code, reason = (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, None)
        legacy = (urlsplit(self.settings.url.get_secret_value()).hostname or "").endswith(_LEGACY_HOSTS)
        kind = _legacy_kind(answer) if legacy else _kind_of(answer.status, code)
        words = " ".join(each for each in (code, reason) if isinstance(each, str)) or text_of(answer)
        wait = header_wait(answer, now_seconds)
        if answer.status != THROTTLED and not (legacy and _throttled(answer)):
            return outcome_of(NAME, answer, kind, reason=words, wait=wait)
        outcome = outcome_of(NAME, answer, kind, reason=words, wait=THROTTLE_SECONDS if wait is None else wait)
        return replace(outcome, status=THROTTLED)


class MsteamsType(HttpType):
    """The type `msteams`."""

    name: ClassVar[str] = NAME
    about: ClassVar[str] = (
        "A Microsoft Teams channel or chat. In Teams: *Workflows*, *Send webhook alerts to a channel*; copy the address that"
        " it shows to `url`. Teams answers before the flow has run: a message that the flow cannot post is lost in the"
        " flow's own history."
    )
    settings_model: ClassVar[type[BaseModel]] = MsteamsSettings
    destination = MsteamsDestination

    @override
    def rate_per_second(self, settings: MsteamsSettings) -> float | None:
        """Give the documented pace."""
        return PACE


def _kind_of(status: int, code: object) -> OutcomeKind:
    kind = usual_kind(status)
    gone = status in _GONE_STATUSES or code in _GONE_CODES
    return OutcomeKind.GONE if gone and kind is OutcomeKind.REJECTED else kind


def _legacy_kind(answer: HttpAnswer) -> OutcomeKind:
    if answer.status in _LEGACY_GONE:
        return OutcomeKind.GONE
    if answer.status != _OK:
        return failed_kind(answer.status)
    text = text_of(answer).strip()
    if text == _LEGACY_OK:
        return OutcomeKind.DELIVERED
    passing = _throttled(answer) or _LEGACY_FAILED in text.lower()
    return OutcomeKind.RETRY_LATER if passing else OutcomeKind.REJECTED


def _throttled(answer: HttpAnswer) -> bool:
    """Say whether an old connector tells in a 200 that it had too many."""
    return answer.status == _OK and _LEGACY_THROTTLED in text_of(answer).lower()
