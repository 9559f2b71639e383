"""A destination whose title and body a user wrote: the templates are rendered first, then the type does what it always does.

A template that fails at run time does not cost an alert: the built-in words stand in for it, and say so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from alertd.destinations.about_issue import issue_of
from alertd.destinations.base import Previewing
from alertd.destinations.limits import fit
from alertd.destinations.loose import object_in
from alertd.destinations.templates import render

if TYPE_CHECKING:
    from alertd.destinations.base import Message, OpenDestination, Preview
    from alertd.model.delivery import Outcome
    from alertd.model.destination import Templates

DETAIL_MAX: Final = 1000
"""Characters of what is said of an attempt."""


class TemplatedDestination:
    """Wraps an open destination."""

    def __init__(self, inner: OpenDestination, templates: Templates) -> None:
        self._inner = inner
        self._templates = templates

    async def attempt(self, message: Message) -> Outcome:
        """Try once, in the user's words; an outcome says of words that failed."""
        written = worded(message, self._templates)
        return noted(await self._inner.attempt(written), written.note)

    async def close(self) -> None:
        """Close what it wraps."""
        await self._inner.close()


class PreviewingTemplatedDestination(TemplatedDestination):
    """Wraps one that can show what it would send."""

    def preview(self, message: Message) -> Preview:
        """Show a message in the user's words."""
        inner = self._inner
        if not isinstance(inner, Previewing):
            raise TypeError("it has no preview")
        return inner.preview(worded(message, self._templates))


def templated(inner: OpenDestination, templates: Templates) -> OpenDestination:
    """Wrap a destination, if there is any template."""
    if templates.title is None and templates.body is None:
        return inner
    made = PreviewingTemplatedDestination if isinstance(inner, Previewing) else TemplatedDestination
    return made(inner, templates)


def noted(outcome: Outcome, problem: str) -> Outcome:
    """Say in an outcome, also of what was delivered, why it was not in the user's words (empty: it was)."""
    if not problem:
        return outcome
    said = f"{problem}; what is built in stood in"
    return replace(outcome, detail=fit(f"{outcome.detail}; {said}" if outcome.detail else said, DETAIL_MAX))


def worded(message: Message, templates: Templates) -> Message:
    """Put a user's words into a message. Pure."""
    values = values_of(message)
    title = None if templates.title is None else render(templates.title, values)
    body = None if templates.body is None else render(templates.body, values)
    problems = [
        f"the template of the {name} failed: {each.problem}"
        for name, each in (("title", title), ("body", body))
        if each is not None and each.problem
    ]
    return replace(
        message,
        own_title=None if title is None or title.problem else title.text,
        own_body=None if body is None or body.problem else body.text,
        note="; ".join(problems),
    )


def values_of(message: Message) -> dict[str, Any]:
    """Give what a template knows: the event, its issue, the alert, a digest's events, and names."""
    digest = message.digest
    event = object_in(message.event)
    entries = (
        []
        if digest is None
        else [{"event": object_in(e.event), "url": e.url, "trigger": e.trigger} for e in digest.entries]
    )
    return {
        "event": event,
        "issue": issue_of(message) or None,
        "digest": None if digest is None else {"count": digest.count, "reason": digest.reason, "entries": entries},
        "alert": {
            "id": message.alert_id,
            "url": message.url,
            "acknowledge_url": message.acknowledge_url,
            "trigger": message.trigger,
            "test": message.test,
            "maybe_duplicate": message.maybe_duplicate,
        },
        "workspace": message.workspace,
        "subscription": message.subscription,
        "channel": message.channel,
        "delivery_id": message.delivery_id,
        "message": event.get("message", ""),
    }
