"""What Slack's answers mean: those of incoming webhooks (a word as plain text) and of the Web API (JSON). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alertd.destinations.answers import THROTTLED, failed_kind, header_wait, members_of, outcome_of, text_of, usual_kind
from alertd.model.delivery import Outcome, OutcomeKind

if TYPE_CHECKING:
    from alertd.destinations.base import HttpAnswer

NAME: Final = "slack"
_OK: Final = 200
_REMOVED: Final = 410

_HOOK_GONE: Final = frozenset(
    {
        "channel_is_archived",
        "invalid_token",
        "no_active_hooks",
        "no_service",
        "no_service_id",
        "no_team",
        "team_disabled",
    }
)
"""Words of a webhook that is no more."""

_BOT_GONE: Final = frozenset(
    {
        "account_inactive",
        "invalid_auth",
        "is_archived",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
    }
)
"""Errors of a token or channel that is no more."""

_BOT_RETRIED: Final = frozenset(
    {
        "fatal_error",
        "internal_error",
        "ratelimited",
        "rate_limited",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
    }
)
"""Errors that pass."""


def classify_hook(answer: HttpAnswer, now_seconds: int) -> Outcome:
    """Say what an incoming webhook's answer means: only 200 with the body `ok` is a success."""
    word = text_of(answer).strip()
    return outcome_of(NAME, answer, _hook_kind(answer.status, word), reason=word, wait=header_wait(answer, now_seconds))


def classify_call(answer: HttpAnswer, now_seconds: int) -> Outcome:
    """Say what the Web API's answer means: 200 with `"ok": true` is a success."""
    error = error_of(answer)
    kind = _call_kind(answer, error)
    return outcome_of(NAME, answer, kind, reason=error, wait=header_wait(answer, now_seconds))


def error_of(answer: HttpAnswer) -> str:
    """Read the Web API's error; empty when there is none."""
    error = members_of(answer).get("error")
    return error if isinstance(error, str) else ""


def _hook_kind(status: int, word: str) -> OutcomeKind:
    if status == _OK:
        return OutcomeKind.DELIVERED if word == "ok" else OutcomeKind.REJECTED
    kind = usual_kind(status)
    if kind is OutcomeKind.RETRY_LATER:
        return kind
    return OutcomeKind.GONE if status == _REMOVED or word in _HOOK_GONE else OutcomeKind.REJECTED


def _call_kind(answer: HttpAnswer, error: str) -> OutcomeKind:
    if answer.status == _OK and members_of(answer).get("ok") is True:
        return OutcomeKind.DELIVERED
    if error in _BOT_RETRIED or answer.status == THROTTLED:
        return OutcomeKind.RETRY_LATER
    if error in _BOT_GONE:
        return OutcomeKind.GONE
    return failed_kind(answer.status)
