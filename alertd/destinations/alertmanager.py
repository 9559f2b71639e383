"""The destination type `alertmanager`: posts alerts to an Alertmanager's API v2, as Prometheus does.

Alertmanager knows an alert by its labels. What ends a problem seldom has the labels of what began it (its severity is
another one), so the labels of what fires are remembered, and what ends it is sent with those. A repeat does nothing twice.

While Alertmanager does not answer, what fires and what ends wait side by side, and each is tried again at a time of its
own. So the newest alert about a problem is remembered too: what fires late is over if its end was told before it, and what
ends late is not sent where the problem has come back since.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import orjson
from pydantic import Field, SecretStr
from typing_extensions import override

from alertd.destinations.alertmanager_alert import alerts_of, rest_of
from alertd.destinations.answers import header_wait, outcome_of, text_of, usual_kind
from alertd.destinations.base import HttpRequest
from alertd.destinations.http_destination import DELIVERY_HEADER, HttpDestination, HttpType
from alertd.destinations.incident_destination import OVERTAKEN
from alertd.destinations.key_locks import KeyLocks
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
    from alertd.destinations.base import HttpAnswer, Message, World

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


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a problem: the labels and the time of what began it, the newest alert about it (`alt_…`), and when
    that ended it (empty: it fires).
    """  # noqa: D205 - one thought, two lines

    labels: dict[str, str]
    starts_at: str
    alert_id: str = ""
    ends_at: str = ""


class AlertmanagerDestination(HttpDestination[AlertmanagerSettings]):
    """Posts to one Alertmanager."""

    def __init__(self, type_name: str, settings: AlertmanagerSettings, timeout_seconds: float, world: World) -> None:
        super().__init__(type_name, settings, timeout_seconds, world)
        self._locks = KeyLocks()

    @override
    async def attempt(self, message: Message) -> Outcome:
        """Send once, what ends under the labels of what began, and remember what was told."""
        now = self.world.clock.wall_seconds()
        told = alerts_of(message, now)
        if message.digest is not None:
            return await self._tell([(each, await self._known(each)) for each in told], message, now, "")
        (alert,) = told
        async with self._locks.of(_key(alert)):
            known = await self._known(alert)
            if alert.ends_at and not known.ends_at and message.alert_id < known.alert_id:
                return Outcome(OutcomeKind.DELIVERED, detail=f"{NAME}: {OVERTAKEN}")
            return await self._tell([(alert, known)], message, now, message.alert_id)

    async def _tell(
        self, told: Sequence[tuple[PromAlert, Known]], message: Message, now: int, alert_id: str
    ) -> Outcome:
        alerts = [*(_as_it_is(alert, known, alert_id) for alert, known in told), *rest_of(message, now)]
        answer = await self.exchange(self._request(alerts, message, now))
        if isinstance(answer, Outcome):
            return answer
        outcome = self.judge(answer, now)
        if outcome.kind is OutcomeKind.DELIVERED:
            for alert, known in told:
                if not alert_id or alert_id >= known.alert_id:
                    await self._remember(alert, known, alert_id)
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

    async def _known(self, alert: PromAlert) -> Known:
        found = object_in((await self.world.memory.get(_key(alert)) or "").encode())
        labels = found.get("labels")
        texts = {name: text_in(found.get(name)) for name in ("starts_at", "alert_id", "ends_at")}
        return Known(labels if isinstance(labels, dict) else {}, **texts)

    async def _remember(self, alert: PromAlert, known: Known, alert_id: str) -> None:
        began = known if alert.ends_at else Known(alert.labels, alert.starts_at)
        now = replace(began, alert_id=alert_id or known.alert_id, ends_at=alert.ends_at)
        await self.world.memory.set(_key(alert), json.dumps(asdict(now), ensure_ascii=False))

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


def _as_it_is(alert: PromAlert, known: Known, alert_id: str) -> PromAlert:
    """Write what ends under the labels of what began, and what fires late as over when it is."""
    if not alert.ends_at:
        is_over = known.ends_at and alert_id and alert_id < known.alert_id
        return replace(alert, ends_at=max(known.ends_at, alert.starts_at)) if is_over else alert
    if not known.labels:
        return alert
    return replace(alert, labels=known.labels, starts_at=known.starts_at or alert.starts_at)


def _key(alert: PromAlert) -> str:
    return f"began/{alert.fingerprint}"
