"""A comment on an issue in Sentry, as an event of type `sentry.comment.<action>` (created, updated, deleted).

Its key is the issue, its severity `info`. `data`: action, comment_id, issue_id, comment [8192], actor (type, id, name).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.sources.sentry_fields import key_of, place_of, present, text_of, time_of
from alertd.sources.sentry_fit import fit
from alertd.sources.sentry_hook import identity_of, required

if TYPE_CHECKING:
    from alertd.model.event import Event
    from alertd.sources.base import Context
    from alertd.sources.sentry_defaults import SentryDefaults
    from alertd.sources.sentry_hook import Hook

TYPE: Final = "sentry.comment"
COMMENT_MAX: Final = 8192
"""Greatest length of a comment, in characters."""


def decode_comment(hook: Hook, context: Context, defaults: SentryDefaults) -> Event:
    """Make the event of a `comment` webhook. Errors: `IncompleteError` without a comment, `DecodeError`."""
    given = required(hook.data, "/data")
    comment_id = identity_of(given.get("comment_id"), "/data/comment_id")
    issue_id = identity_of(given.get("issue_id"), "/data/issue_id")
    action = hook.action
    trimmed: set[str] = set()
    comment = text_of(given.get("comment"), COMMENT_MAX, "comment", trimmed)
    data: dict[str, Any] = {"action": action, "comment_id": comment_id, "issue_id": issue_id}
    if comment is not None:
        data["comment"] = comment
    actor = hook.actor
    if actor:
        data["actor"] = actor
    kind = f"{TYPE}.{action}"
    if action == "updated":
        event_id = hook.id_of(kind, comment_id)
    else:
        event_id = hook.first_id_of(kind, comment_id, issue_id, given.get("project_slug"), given.get("timestamp"))
    native: dict[str, Any] = {
        "id": event_id,
        "type": defaults.type_of(kind),
        "source": "sentry",
        "severity": defaults.severity_of("info"),
        "key": key_of(issue_id),
        "message": comment or f"comment {comment_id} {action}",
        "data": data,
    }
    native |= present(
        project=defaults.project or place_of(given.get("project_slug")),
        environment=defaults.environment,
        time=time_of(given.get("timestamp")),
    )
    return fit(native, trimmed, context)
