"""The destination type `ntfy`: a topic of a server; title, plain text, priority, tags and at most three buttons.

It is published as JSON to the server's root: headers would have to be ASCII, and JSON sent to the topic's own address would
be shown as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import Field, SecretStr, field_validator
from typing_extensions import override

from alertd.destinations.answers import THROTTLED, failed_kind, header_wait, members_of, outcome_of
from alertd.destinations.composing import content_of
from alertd.destinations.http_destination import HttpDestination, HttpType, json_request
from alertd.destinations.login import LoginRules, authorization
from alertd.destinations.ntfy_text import payload_of
from alertd.destinations.settings_fields import RepeatingSettings, SecretToken, Url
from alertd.destinations.tls_settings import ABOUT, OwnTls, TlsSettings
from alertd.model.delivery import Outcome, OutcomeKind

if TYPE_CHECKING:
    from pydantic import BaseModel

    from alertd.destinations.base import HttpAnswer, HttpRequest, Message

NAME: Final = "ntfy"
PACE: Final = 0.2
"""Messages a second: a server's default is one in 5 s, after"""
BURST: Final = 60
"""so many at once."""
QUOTA_SECONDS: Final = 7200.0
"""How long to wait at most when the day's messages are used up: nobody says when there are new ones,"""
RESET_SECONDS: Final = 60.0
"""but a server's default is midnight in UTC; so long after it, because clocks differ, they are asked for."""

_OK: Final = 200
_QUOTA: Final = 42908
_FULL: Final = 507
_GONE: Final = frozenset({401, 403})
_DAY: Final = 86_400


class NtfySettings(LoginRules, RepeatingSettings):
    """Which topic of which server, and who may write to it."""

    url: Url = Field("https://ntfy.sh", description="the server's address, without the topic")
    topic: SecretStr = Field(
        description="the topic's name: letters, digits, - and _, up to 64; whoever knows it can read along, so it is a secret",
        examples=["alerts-example"],
    )
    token: SecretToken | None = Field(None, description="an access token (tk_…); this or username and password")
    username: str | None = Field(None, min_length=1, max_length=256, description="the user's name, with password")
    password: SecretStr | None = Field(None, validate_default=True, description="the user's password, with username")
    tls: OwnTls = Field(TlsSettings(), description=ABOUT)

    @field_validator("topic")
    @classmethod
    def _named(cls, topic: SecretStr) -> SecretStr:
        name = topic.get_secret_value()
        if not (name and len(name) <= 64 and name.isascii() and name.replace("-", "").replace("_", "a").isalnum()):  # noqa: PLR2004 - the longest topic
            raise ValueError("a topic of 1 to 64 letters, digits, - and _")
        return topic


class NtfyDestination(HttpDestination[NtfySettings]):
    """Publishes to one topic."""

    @override
    def render(self, message: Message, now_seconds: int) -> HttpRequest:
        """Make the request."""
        payload: dict[str, Any] = {"topic": self.settings.topic.get_secret_value()} | payload_of(content_of(message))
        return json_request(f"{self.settings.url.rstrip('/')}/", payload, message, **self._authorization())

    @override
    def classify(self, answer: HttpAnswer, now_seconds: int) -> Outcome:
        """Say what an answer means: only a message with an id is a success; a used-up quota takes hours."""
        said = members_of(answer)
        wait = None
        if answer.status == THROTTLED:
            wait = _quota_wait(now_seconds) if said.get("code") == _QUOTA else header_wait(answer, now_seconds)
        reason = said.get("error")
        words = reason if isinstance(reason, str) else ""
        return outcome_of(NAME, answer, _kind_of(answer.status, known="id" in said), reason=words, wait=wait)

    def _authorization(self) -> dict[str, str]:
        return authorization(self.settings.token, self.settings.username, self.settings.password)


class NtfyType(HttpType):
    """The type `ntfy`."""

    name: ClassVar[str] = NAME
    about: ClassVar[str] = (
        "A topic on ntfy.sh or on a server of one's own. Choose a topic that nobody guesses, subscribe to it in the app,"
        " and set `topic`; a protected one also needs `token`, or `username` and `password`. Servers take 60 messages at"
        " once and then one in 5 seconds unless they are set otherwise: then set `queue.rate_per_second` here."
    )
    settings_model: ClassVar[type[BaseModel]] = NtfySettings
    destination = NtfyDestination

    @override
    def rate_per_second(self, settings: NtfySettings) -> float | None:
        """Give the pace that a server's defaults sustain."""
        return PACE

    def burst(self, settings: NtfySettings) -> int:
        """Give what a server's defaults take at once."""
        return BURST


def _quota_wait(now_seconds: int) -> float:
    """Say in how many seconds there may be new messages: whoever waits past midnight may be too old when they come."""
    return min(QUOTA_SECONDS, _DAY - now_seconds % _DAY + RESET_SECONDS)


def _kind_of(status: int, *, known: bool) -> OutcomeKind:
    if status in _GONE:
        return OutcomeKind.GONE
    if status == _OK:
        return OutcomeKind.DELIVERED if known else OutcomeKind.REJECTED
    return OutcomeKind.REJECTED if status == _FULL else failed_kind(status)
