"""The destination type `alertmanager`: posts alerts to an Alertmanager's API v2, as Prometheus does.

Alertmanager knows an alert by its labels. What ends a problem seldom has the labels of what began it (its severity is
another one), so the labels of what fires are remembered, and what ends it is sent with those. A repeat does nothing twice.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import orjson
from pydantic import Field, SecretStr
from typing_extensions import override

from alertd.destinations.alertmanager_alert import alerts_of, rest_of
from alertd.destinations.answers import header_wait, outcome_of, text_of, usual_kind
from alertd.destinations.base import HttpRequest
from alertd.destinations.http_destination import DELIVERY_HEADER, HttpDestination, HttpType
from alertd.destinations.login import LoginRules, authorization
from alertd.destinations.loose import object_in, text_in
from alertd.destinations.moments import of_seconds
from alertd.destinations.settings_fields import SecretToken, Url
from alertd.destinations.tls_settings import ABOUT, OwnTls, TlsSettings
from alertd.model.delivery import Outcome, OutcomeKind
from alertd.model.fields import PositiveSeconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

    from alertd.destinations.alertmanager_alert import PromAlert
    from alertd.destinations.base import HttpAnswer, Message

NAME: Final = "alertmanager"
PATH: Final = "/api/v2/alerts"


class AlertmanagerSettings(LoginRules):
    """Which Alertmanager, and how long an alert lasts that nobody ends."""

    url: Url = Field(
        description="its address, without /api/v2/alerts; with its path prefix if it has one",
        examples=["http://alertmanager.example.com:9093"],
    )
    resolve_after_seconds: PositiveSeconds = Field(
        3600, description="an alert that is neither ended nor repeated is over for Alertmanager after so long"
    )
    token: SecretToken | None = Field(None, description="a bearer token; this or username and password")
    username: str | None = Field(None, min_length=1, max_length=256, description="the user's name, with password")
    password: SecretStr | None = Field(None, validate_default=True, description="the user's password, with username")
    tls: OwnTls = Field(TlsSettings(), description=ABOUT)


class AlertmanagerDestination(HttpDestination[AlertmanagerSettings]):
    """Posts to one Alertmanager."""

    @override
    async def attempt(self, message: Message) -> Outcome:
        """Send once, what ends under the labels of what began, and remember what began."""
        now = self.world.clock.wall_seconds()
        alerts = [await self._as_it_began(each) for each in alerts_of(message, now)]
        answer = await self.exchange(self._request([*alerts, *rest_of(message, now)], message, now))
        if isinstance(answer, Outcome):
            return answer
        outcome = self.judge(answer, now)
        if outcome.kind is OutcomeKind.DELIVERED:
            for each in alerts:
                await self._remember(each)
        return outcome

    @override
    def render(self, message: Message, now_seconds: int) -> HttpRequest:
        """Make the request, as if nothing had begun before."""
        alerts = (*alerts_of(message, now_seconds), *rest_of(message, now_seconds))
        return self._request(alerts, message, now_seconds)

    @override
    def classify(self, answer: HttpAnswer, now_seconds: int) -> Outcome:
        """Say what an answer means: 400 is a JSON text that says why."""
        kind = usual_kind(answer.status)
        reason = text_of(answer).strip().strip('"')
        return outcome_of(NAME, answer, kind, reason=reason, wait=header_wait(answer, now_seconds))

    def _request(self, alerts: Sequence[PromAlert], message: Message, now_seconds: int) -> HttpRequest:
        body = orjson.dumps([self._alert(each, now_seconds) for each in alerts])
        headers = {"content-type": "application/json", DELIVERY_HEADER: message.delivery_id}
        return HttpRequest(self.settings.url.rstrip("/") + PATH, body, headers | self._authorization())

    def _alert(self, alert: PromAlert, now_seconds: int) -> dict[str, Any]:
        """Write one: it must have begun by now, and what is over must have ended by now."""
        now = of_seconds(now_seconds)
        starts = min(alert.starts_at, now)
        ends = min(alert.ends_at, now) if alert.ends_at else self._end(now_seconds)
        found: dict[str, Any] = {
            "labels": alert.labels,
            "annotations": alert.annotations,
            "startsAt": starts,
            "endsAt": max(starts, ends),
        }
        return found | ({"generatorURL": alert.url} if alert.url else {})

    def _end(self, now_seconds: int) -> str:
        return of_seconds(min(now_seconds + self.settings.resolve_after_seconds, 253_402_300_799))

    async def _as_it_began(self, alert: PromAlert) -> PromAlert:
        if not alert.ends_at:
            return alert
        began = object_in((await self.world.memory.get(_key(alert)) or "").encode())
        labels = began.get("labels")
        if not isinstance(labels, dict) or not labels:
            return alert
        return replace(alert, labels=labels, starts_at=text_in(began.get("starts_at"), alert.starts_at))

    async def _remember(self, alert: PromAlert) -> None:
        if not alert.ends_at:
            told = {"labels": alert.labels, "starts_at": alert.starts_at}
            await self.world.memory.set(_key(alert), json.dumps(told, ensure_ascii=False))

    def _authorization(self) -> dict[str, str]:
        return authorization(self.settings.token, self.settings.username, self.settings.password)


class AlertmanagerType(HttpType):
    """The type `alertmanager`."""

    name: ClassVar[str] = NAME
    about: ClassVar[str] = (
        "An Alertmanager that routes, groups and silences further. `url` is where it answers; name it in `egress.allow` if"
        " it is in a private network. Alerts have the labels `alertname` (the event's type), `severity`, `workspace`,"
        " `project`, `environment`, `key` or `issue`, and the event's own. A digest is the alerts that it lists, and, when"
        " there are more, one called `alertd.digest`, which counts them and is as bad as the worst."
    )
    settings_model: ClassVar[type[BaseModel]] = AlertmanagerSettings
    destination = AlertmanagerDestination


def _key(alert: PromAlert) -> str:
    return f"began/{alert.fingerprint}"
