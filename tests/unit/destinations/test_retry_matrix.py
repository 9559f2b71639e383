"""The retry matrix: for each type, what each answer of its provider means. One row, one promise.

Those that get no HTTP answer have their rows elsewhere: `kafka` in test_kafka_outcome, `email` (replies of SMTP servers) and
`apprise` in the integration tests.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest
from typing_extensions import override

from alertd.destinations.base import HttpAnswer, SendError, World
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.model.delivery import OutcomeKind
from tests.conformance.destination_suite import DEADLINE, NOW, FixedClock, ScriptedSender, make_message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.destinations.base import OpenDestination
    from tests.conformance.destination_suite import Scripted

OK: Final = OutcomeKind.DELIVERED
RETRY: Final = OutcomeKind.RETRY_LATER
PERMANENT: Final = OutcomeKind.REJECTED
DISABLE: Final = OutcomeKind.GONE
AMBIGUOUS: Final = OutcomeKind.AMBIGUOUS

SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "webhook": {"url": "https://hooks.example.com/x"},
    "webhook-rustrak": {"url": "https://hooks.example.com/x", "format": "rustrak"},
    "webhook-nora": {"url": "https://hooks.example.com/x", "format": "nora"},
    "webhook-cloudevents": {"url": "https://hooks.example.com/x", "format": "cloudevents"},
    "webhook-template": {"url": "https://hooks.example.com/x", "format": "template", "template": "{}"},
    "webhook-alertmanager": {"url": "https://hooks.example.com/x", "format": "alertmanager"},
    "slack": {"url": "https://hooks.slack.com/services/T0/B0/X0"},
    "slack-bot": {"token": "xoxb-1", "channel": "C0123"},
    "mattermost": {"url": "https://chat.example.com/hooks/x"},
    "rocketchat": {"url": "https://chat.example.com/hooks/x/y"},
    "discord": {"url": "https://discord.com/api/webhooks/1/x"},
    "msteams": {"url": "https://prod-1.westeurope.logic.azure.com/workflows/x/triggers/manual/paths/invoke?sig=y"},
    "msteams-legacy": {"url": "https://example.webhook.office.com/webhookb2/x"},
    "telegram": {"token": "123456:ABC-DEF1234", "chat_id": "-1001234567890"},
    "ntfy": {"topic": "alerts"},
    "pagerduty": {"routing_key": "0123456789abcdef0123456789abcdef"},
    "pagerduty-changes": {"routing_key": "0123456789abcdef0123456789abcdef", "events": "changes"},
    "opsgenie": {"api_key": "k"},
    "alertmanager": {"url": "http://alertmanager.example.com:9093"},
}
"""Settings with which each type is tried; what stands behind a dash is a way to use the type."""

RESET_MS: Final = str((NOW + 42) * 1000)
TOO_MANY: Final = b'{"success":false,"error":"Error, too many requests. You must wait 17 seconds before trying again."}'
NO_INTEGRATION: Final = b'{"success":false,"error":"Invalid integration id or token provided."}'
APP_ERROR: Final = b'{"id":"web.incoming_webhook.invalid.app_error","message":"Invalid webhook","status_code":400}'
RATE_LIMITED: Final = b'{"message":"You are being rate limited.","retry_after":64.57,"global":false}'
FLOOD: Final = b'{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":5}}'
BLOCKED: Final = b'{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}'
KICKED: Final = b'{"ok":false,"error_code":403,"description":"Forbidden: bot was kicked from the supergroup chat"}'
CONNECTOR: Final = b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error %d"


@dataclass(frozen=True, slots=True)
class Row:
    """An answer and what it must mean; `wait` is how long to rest in seconds, `told` the status that is told (None: its own)."""

    type: str
    status: int
    kind: OutcomeKind
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: float | None = None
    told: int | None = None

    @override
    def __str__(self) -> str:
        said = self.body[:40].decode("ascii", "replace")
        return f"{self.type}-{self.status}-{said}-{self.kind.word}"


ROWS: Final = [
    Row("webhook", 200, OK),
    Row("webhook", 204, OK),
    Row("webhook", 201, OK),
    Row("webhook", 202, OK),
    Row("webhook", 429, RETRY, headers={"Retry-After": "7"}, wait=7),
    Row("webhook", 429, RETRY, headers={"Retry-After": "Thu, 07 May 2026 00:02:00 GMT"}, wait=120),
    Row("webhook", 429, RETRY, headers={"Retry-After": "soon"}),
    Row("webhook", 408, RETRY),
    Row("webhook", 425, RETRY),
    Row("webhook", 503, RETRY, headers={"Retry-After": "30"}, wait=30),
    Row("webhook", 599, RETRY),
    Row("webhook", 502, RETRY, headers={"Retry-After": "7"}, wait=7),
    Row("webhook", 504, RETRY),
    Row("webhook", 500, RETRY),
    Row("webhook", 410, DISABLE),
    *(Row("webhook", status, PERMANENT) for status in (301, 302, 303, 307, 308)),
    *(Row("webhook", status, PERMANENT) for status in (400, 401, 403, 404, 405, 409, 413, 415, 422, 451)),
    Row("webhook", 400, PERMANENT, headers={"Retry-After": "7"}),
    *(Row(way, 204, OK) for way in ("webhook-nora", "webhook-cloudevents", "webhook-template")),
    *(Row(way, 429, RETRY, headers={"Retry-After": "7"}, wait=7) for way in ("webhook-nora", "webhook-cloudevents")),
    *(Row(way, 500, RETRY) for way in ("webhook-nora", "webhook-cloudevents", "webhook-template")),
    *(Row(way, 410, DISABLE) for way in ("webhook-nora", "webhook-cloudevents", "webhook-template")),
    *(Row(way, 400, PERMANENT) for way in ("webhook-nora", "webhook-cloudevents", "webhook-template")),
    Row("webhook-template", 429, RETRY),
    Row("webhook-rustrak", 200, OK),
    Row("webhook-rustrak", 429, RETRY),
    Row("webhook-rustrak", 429, RETRY, headers={"Retry-After": "60"}, wait=60),
    Row("webhook-rustrak", 500, RETRY),
    Row("webhook-rustrak", 410, DISABLE),
    Row("webhook-rustrak", 400, PERMANENT),
    Row("webhook-alertmanager", 200, OK),
    Row("webhook-alertmanager", 429, RETRY),
    Row("webhook-alertmanager", 410, DISABLE),
    Row("webhook-alertmanager", 503, RETRY),
    Row("webhook-alertmanager", 400, PERMANENT),
    Row("slack", 200, OK, b"ok"),
    Row("slack", 200, PERMANENT, b"<html>"),
    Row("slack", 200, PERMANENT, b""),
    Row("slack", 429, RETRY, b"rate_limited", {"Retry-After": "30"}, 30),
    Row("slack", 429, RETRY, b"rate_limited"),
    Row("slack", 500, RETRY, b"rollup_error"),
    Row("slack", 503, RETRY),
    Row("slack", 410, DISABLE, b"channel_is_archived"),
    Row("slack", 404, DISABLE, b"no_service"),
    Row("slack", 404, DISABLE, b"no_active_hooks"),
    Row("slack", 403, DISABLE, b"invalid_token"),
    Row("slack", 403, DISABLE, b"team_disabled"),
    Row("slack", 404, DISABLE, b"no_service_id"),
    Row("slack", 404, DISABLE, b"no_team"),
    Row("slack", 410, DISABLE),
    Row("slack", 403, PERMANENT, b"action_prohibited"),
    Row("slack", 403, PERMANENT, b"posting_to_general_channel_denied"),
    *(
        Row("slack", 400, PERMANENT, word)
        for word in (
            b"user_not_found",
            b"no_text",
            b"invalid_blocks",
            b"invalid_blocks_format",
            b"too_many_attachments",
        )
    ),
    Row("slack", 404, PERMANENT, b"channel_not_found"),
    Row("slack", 400, PERMANENT, b"invalid_payload"),
    Row("slack", 302, PERMANENT),
    Row("slack-bot", 200, OK, b'{"ok":true,"channel":"C1","ts":"1.2","message":{"text":"cut'),
    Row("slack-bot", 200, PERMANENT, b'{"ok":false,"error":"channel_not_found"}'),
    Row("slack-bot", 200, PERMANENT, b'{"ok":false,"error":"msg_blocks_too_long"}'),
    Row("slack-bot", 200, PERMANENT, b"ok"),
    Row("slack-bot", 200, RETRY, b'{"ok":false,"error":"internal_error"}'),
    Row("slack-bot", 200, RETRY, b'{"ok":false,"error":"ratelimited"}', {"Retry-After": "3"}, 3),
    Row("slack-bot", 429, RETRY, b'{"ok":false,"error":"ratelimited"}', {"Retry-After": "30"}, 30),
    Row("slack-bot", 200, DISABLE, b'{"ok":false,"error":"invalid_auth"}'),
    Row("slack-bot", 200, DISABLE, b'{"ok":false,"error":"token_revoked"}'),
    Row("slack-bot", 200, DISABLE, b'{"ok":false,"error":"is_archived"}'),
    Row("slack-bot", 500, RETRY),
    Row("slack-bot", 404, PERMANENT),
    Row("mattermost", 200, OK, b"ok"),
    Row("mattermost", 429, RETRY, b"limit exceeded", {"Retry-After": "2"}, 2),
    Row("mattermost", 429, RETRY),
    Row("mattermost", 500, RETRY),
    Row("mattermost", 503, RETRY, headers={"Retry-After": "5"}, wait=5),
    Row("mattermost", 400, DISABLE, APP_ERROR),
    Row("mattermost", 400, DISABLE, b"Invalid webhook"),
    Row("mattermost", 400, PERMANENT, b'{"id":"api.context.invalid_body_param.app_error","message":"bad"}'),
    Row("mattermost", 403, PERMANENT),
    Row("mattermost", 404, PERMANENT),
    Row("rocketchat", 200, OK, b'{"success":true}'),
    Row("rocketchat", 200, PERMANENT, b'{"success":false,"error":"no"}'),
    Row("rocketchat", 200, PERMANENT, b"<html>"),
    Row("rocketchat", 429, RETRY, TOO_MANY, {"X-RateLimit-Reset": RESET_MS}, 42),
    Row("rocketchat", 429, RETRY, TOO_MANY, wait=17),
    Row("rocketchat", 429, RETRY, TOO_MANY, {"X-RateLimit-Reset": "soon"}, 17),
    Row("rocketchat", 429, RETRY),
    Row("rocketchat", 500, RETRY),
    Row("rocketchat", 503, RETRY),
    Row("rocketchat", 404, DISABLE),
    Row("rocketchat", 404, DISABLE, NO_INTEGRATION),
    Row("rocketchat", 500, DISABLE, NO_INTEGRATION),
    Row("rocketchat", 400, DISABLE, NO_INTEGRATION),
    Row("rocketchat", 400, PERMANENT, b'{"success":false,"error":"invalid-channel"}'),
    Row("msteams", 202, OK),
    Row("msteams", 200, OK),
    Row("msteams", 429, RETRY, headers={"Retry-After": "11"}, wait=11),
    Row("msteams", 429, RETRY, wait=300),
    Row("msteams", 500, RETRY),
    Row("msteams", 502, RETRY),
    Row("msteams", 404, DISABLE, b'{"error":{"code":"WorkflowNotFound","message":"gone"}}'),
    Row("msteams", 400, DISABLE, b'{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"off"}}'),
    Row("msteams", 401, DISABLE, b'{"error":{"code":"DirectApiAuthorizationRequired","message":"no"}}'),
    Row("msteams", 403, DISABLE),
    Row("msteams", 404, PERMANENT),
    Row("msteams", 400, PERMANENT, b'{"error":{"code":"TriggerInputSchemaMismatch","message":"bad"}}'),
    Row("msteams-legacy", 200, OK, b"1"),
    Row("msteams-legacy", 200, RETRY, CONNECTOR % 429, wait=300, told=429),
    Row("msteams-legacy", 200, RETRY, CONNECTOR % 503),
    Row("msteams-legacy", 200, PERMANENT, CONNECTOR % 413),
    Row("msteams-legacy", 202, PERMANENT),
    Row("msteams-legacy", 500, RETRY),
    Row("msteams-legacy", 404, DISABLE),
    Row("msteams-legacy", 410, DISABLE),
    Row("msteams-legacy", 400, PERMANENT),
    Row("discord", 204, OK),
    Row("discord", 200, OK, b'{"id":"1"}'),
    Row("discord", 204, OK, headers={"X-RateLimit-Remaining": "1", "X-RateLimit-Reset-After": "1.5"}),
    Row("discord", 204, OK, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1.5"}, wait=1.5),
    Row("discord", 204, OK, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "soon"}),
    Row("discord", 204, OK, headers={"X-RateLimit-Remaining": "0"}),
    Row("discord", 429, RETRY, RATE_LIMITED, {"Retry-After": "65"}, 64.57),
    Row("discord", 429, RETRY, b"<html>", {"Retry-After": "65"}, 65),
    Row("discord", 429, RETRY, b'{"retry_after":0.3}', wait=1),
    Row("discord", 500, RETRY),
    Row("discord", 404, DISABLE, b'{"message":"Unknown Webhook","code":10015}'),
    Row("discord", 401, DISABLE, b'{"message":"Invalid Webhook Token","code":50027}'),
    Row("discord", 404, PERMANENT, b'{"message":"Unknown Channel","code":10003}'),
    Row("discord", 401, PERMANENT, b'{"message":"401: Unauthorized","code":0}'),
    Row("discord", 400, PERMANENT, b'{"message":"Invalid Form Body","code":50035}'),
    Row("discord", 403, PERMANENT),
    Row("telegram", 200, OK, b'{"ok":true,"result":{"message_id":1'),
    Row("telegram", 200, PERMANENT, b"<html>"),
    Row("telegram", 429, RETRY, FLOOD, wait=5),
    Row("telegram", 429, RETRY, b"", {"Retry-After": "9"}, 9),
    Row("telegram", 500, RETRY),
    Row("telegram", 403, DISABLE, BLOCKED),
    Row("telegram", 403, DISABLE, KICKED),
    Row("telegram", 403, DISABLE, b'{"ok":false,"error_code":403,"description":"Forbidden: user is deactivated"}'),
    Row("telegram", 429, RETRY),
    Row("telegram", 502, RETRY, b"<html>"),
    Row("telegram", 400, PERMANENT, b'{"ok":false,"error_code":400,"description":"Bad Request: Text is too long"}'),
    Row("telegram", 401, DISABLE, b'{"ok":false,"error_code":401,"description":"Unauthorized"}'),
    Row("telegram", 404, DISABLE, b'{"ok":false,"error_code":404,"description":"Not Found"}'),
    Row("telegram", 400, PERMANENT, b'{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}'),
    Row("ntfy", 200, OK, b'{"id":"xE73Iyuabi","event":"message"}'),
    Row("ntfy", 200, PERMANENT, b"<html>"),
    Row("ntfy", 429, RETRY, b'{"code":42901,"http":429,"error":"limit reached: too many requests"}'),
    Row(
        "ntfy", 429, RETRY, b'{"code":42908,"http":429,"error":"limit reached: daily message quota reached"}', wait=7200
    ),
    Row("ntfy", 429, RETRY, b"<html>"),
    Row("ntfy", 500, RETRY, b'{"code":50001}'),
    Row("ntfy", 500, RETRY, b'{"code":50003}'),
    Row("ntfy", 503, RETRY),
    Row("ntfy", 507, PERMANENT, b'{"code":50701}'),
    Row("ntfy", 401, DISABLE, b'{"code":40101}'),
    Row("ntfy", 403, DISABLE, b'{"code":40301}'),
    Row("ntfy", 400, PERMANENT, b'{"code":40009}'),
    Row("ntfy", 400, PERMANENT, b'{"code":40017}'),
    Row("ntfy", 413, PERMANENT, b'{"code":41301}'),
    Row("ntfy", 413, PERMANENT, b'{"code":41303}'),
    Row("pagerduty", 202, OK, b'{"status":"success","message":"Event processed","dedup_key":"srv01/HTTP"}'),
    Row("pagerduty", 202, OK),
    Row("pagerduty", 429, RETRY, wait=30),
    Row("pagerduty", 429, RETRY, headers={"Retry-After": "7"}, wait=7),
    Row("pagerduty", 500, RETRY),
    Row("pagerduty", 503, RETRY, headers={"Retry-After": "9"}, wait=9),
    Row("pagerduty", 400, PERMANENT, b'{"status":"invalid event","message":"Event object is invalid","errors":["x"]}'),
    Row("pagerduty", 400, PERMANENT, b"<html>"),
    Row("pagerduty", 403, PERMANENT),
    Row("pagerduty", 413, PERMANENT),
    Row("pagerduty-changes", 202, OK),
    Row("pagerduty-changes", 429, RETRY, wait=30),
    Row("pagerduty-changes", 500, RETRY),
    Row("pagerduty-changes", 400, PERMANENT),
    Row("alertmanager", 200, OK),
    Row("alertmanager", 400, PERMANENT, b'"at least one label pair required"'),
    Row("alertmanager", 401, PERMANENT),
    Row("alertmanager", 404, PERMANENT),
    Row("alertmanager", 429, RETRY, headers={"Retry-After": "7"}, wait=7),
    Row("alertmanager", 500, RETRY, b'"internal"'),
    Row("alertmanager", 503, RETRY),
    Row("opsgenie", 202, OK, b'{"result":"Request will be processed","took":0.302,"requestId":"43a29c5c"}'),
    Row("opsgenie", 429, RETRY, b'{"message":"throttled"}', {"X-RateLimit-Period-In-Sec": "60"}, 60),
    Row("opsgenie", 429, RETRY, b"", {"X-RateLimit-Period-In-Sec": "1"}, 1),
    Row("opsgenie", 429, RETRY, headers={"X-RateLimit-Period-In-Sec": "soon"}, wait=60),
    Row("opsgenie", 429, RETRY, wait=60),
    Row("opsgenie", 500, RETRY),
    Row("opsgenie", 503, RETRY),
    Row("opsgenie", 501, PERMANENT),
    Row("opsgenie", 401, DISABLE, b'{"message":"Could not authenticate"}'),
    Row("opsgenie", 403, DISABLE, b'{"message":"You are not authorized"}'),
    Row(
        "opsgenie",
        422,
        PERMANENT,
        b'{"message":"Request body is not processable","errors":{"message":"may not be empty"}}',
    ),
    Row("opsgenie", 404, PERMANENT),
    Row("opsgenie", 400, PERMANENT),
    Row("opsgenie", 502, RETRY),
]


NEVER_GONE: Final = {"pagerduty", "pagerduty-changes", "alertmanager"}
"""Types whose receivers have no answer that ends the destination."""


KNOWS_REPEATS: Final = {"pagerduty", "opsgenie", "alertmanager"}
"""Types whose provider recognises a repeat by itself, so that nobody has to choose."""


def opened_over(way: str, answer: Scripted, **changes: Any) -> OpenDestination:
    """Open a destination whose provider always answers like this."""
    type_name = way.partition("-")[0]
    world = World(FixedClock(), ScriptedSender([answer]), print)
    return REGISTRY[type_name].open(parse_settings(type_name, SETTINGS[way] | changes), 10.0, world)


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_an_answer_means(row: Row) -> None:
    """The outcome is the documented one, with the wait that was asked for, and says which type and status."""
    opened = opened_over(row.type, HttpAnswer(row.status, row.headers, row.body))
    async with asyncio.timeout(DEADLINE):
        outcome = await opened.attempt(make_message())
    assert (outcome.kind, outcome.retry_after_seconds) == (row.kind, row.wait)
    assert outcome.status == (row.told or row.status)
    type_name = row.type.partition("-")[0]
    assert outcome.detail.startswith(f"{type_name}: ") == (row.kind is not OK)


@pytest.mark.parametrize("type_name", SETTINGS)
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SendError("connection refused"), RETRY),
        (SendError("timed out after 10 s", ambiguous=True), AMBIGUOUS),
        (SendError("egress refused: 10.0.0.5 is private", refused=True), PERMANENT),
    ],
    ids=["unreachable", "ambiguous", "refused"],
)
async def test_no_answer_means(type_name: str, error: SendError, kind: OutcomeKind) -> None:
    """Without an answer: try again, unless the guard forbids it; a repeat that may arrive twice is ambiguous."""
    opened = opened_over(type_name, error)
    async with asyncio.timeout(DEADLINE):
        assert (await opened.attempt(make_message())).kind is kind


@pytest.mark.parametrize("way", SETTINGS)
async def test_no_answer_where_a_repeat_is_unwanted(way: str) -> None:
    """With `on_ambiguous: dead` what may have arrived is sent no more; what cannot have arrived is."""
    if way in KNOWS_REPEATS:
        return
    for error, kind in ((SendError("cut off", ambiguous=True), PERMANENT), (SendError("refused"), RETRY)):
        async with asyncio.timeout(DEADLINE):
            assert (await opened_over(way, error, on_ambiguous="dead").attempt(make_message())).kind is kind


@pytest.mark.parametrize("way", SETTINGS)
def test_every_meaning_has_a_row(way: str) -> None:
    """No type is without a row for anything that its provider can mean, nor for being asked to slow down."""
    own = [row for row in ROWS if row.type == way]
    assert {row.kind for row in own} == {OK, RETRY, PERMANENT} | (set() if way in NEVER_GONE else {DISABLE})
    throttled = [row for row in own if row.status == 429 or b"429" in row.body]
    assert throttled
    assert {row.kind for row in throttled} == {RETRY}
