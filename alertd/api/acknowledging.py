"""The page behind the acknowledge link of a message: it shows the alert and asks; only its button changes anything.

Whatever reads mail before people do follows links, so GET changes nothing. The link's signature stands for a token.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from alertd.api.operation import Operation, Parameter, route
from alertd.api.shapes import TEXT
from alertd.api.taking_note import take_note
from alertd.clock import rfc3339
from alertd.delivery.acknowledging import LinkState
from alertd.model import ids

if TYPE_CHECKING:
    from alertd.api.context import Context
    from alertd.store.base import Acknowledgement

PATH: Final = "/api/v1/alerts/{id}/acknowledge"
ACTOR: Final = "link"
"""Who acknowledged: whoever had the link."""
SHOWN_MAX: Final = 300
"""How many characters of an event's message are shown."""

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:3em auto;max-width:36em;padding:0 1em}"
    "button{font:inherit;padding:.5em 1.2em}p{overflow-wrap:anywhere}"
)
_BUTTON: Final = '<form method="post"><button type="submit">Acknowledge</button></form>'
_QUERY: Final = (
    Parameter("until", "when the link ends, in seconds since 1970"),
    Parameter("signature", "what makes the link good"),
)


class AcknowledgePage:
    """`GET` and `POST` of the link."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        for method, handler, summary in (
            ("GET", self.show, "The page behind the acknowledge link of a message; it changes nothing"),
            ("POST", self.acknowledge, "Acknowledge an alert by the link of a message"),
        ):
            operation = Operation(
                summary, "history", None, query=_QUERY, answers={200: TEXT}, answer_types=("text/html",), self_guarded=True,
                errors=(401, 404, 410, 429, 503), error_types=("text/html", "application/problem+json"),
            )  # fmt: skip
            route(app, method, PATH, handler, operation)

    async def show(self, request: web.Request) -> web.Response:
        """Show the alert, and the button."""
        row = await self._alert(request)
        if isinstance(row, web.Response):
            return row
        known = (await self._store.acknowledgements([row["number"]])).get(row["number"])
        return _page(_title(row), _about(row), _BUTTON if known is None else _done(known))

    async def acknowledge(self, request: web.Request) -> web.Response:
        """Keep that somebody took note, of the alert and of the incident that it tells of; the first one stays."""
        row = await self._alert(request)
        if isinstance(row, web.Response):
            return row
        number = row["number"]
        await take_note(self._context, row, self._context.names.workspace(row["workspace_id"]) or "", ACTOR)
        known = (await self._store.acknowledgements([number]))[number]
        return _page(_title(row), _about(row), _done(known))

    async def _alert(self, request: web.Request) -> dict[str, Any] | web.Response:
        """Return the alert's row, or what to say instead."""
        alert_id, query = request.match_info["id"], request.query
        state = self._context.links.judge(alert_id, query.get("until", ""), query.get("signature", ""))
        if state is LinkState.EXPIRED:
            return _page(
                "This link has ended",
                "<p>Links are good for a week. The alert can be acknowledged over the API.</p>",
                status=410,
            )
        if state is not LinkState.GOOD:
            return _page("There is no such link", "<p>It is incomplete, or was changed.</p>", status=401)
        number = ids.parse_id(ids.ALERT, alert_id)
        row = await self._store.event_by_number(number) if number is not None else None
        if row is None or not row["matched"]:
            return _page("There is no such alert", "<p>It is not kept any more.</p>", status=404)
        return row


def _title(row: dict[str, Any]) -> str:
    return str(row["type"])


def _about(row: dict[str, Any]) -> str:
    event = orjson.loads(row["payload"])
    said = event.get("message")
    message = (
        f"<p>{escape(said[:SHOWN_MAX])}{'…' if len(said) > SHOWN_MAX else ''}</p>" if isinstance(said, str) else ""
    )
    place = " / ".join(escape(str(event[name])) for name in ("project", "environment") if event.get(name))
    return f"{message}<p>{place + ', ' if place else ''}{escape(rfc3339(ids.milliseconds(row['number'])))}</p>"


def _done(known: Acknowledgement) -> str:
    return f"<p><strong>Acknowledged</strong> at {escape(rfc3339(known.at_ms))}.</p>"


def _page(title: str, *parts: str, status: int = 200) -> web.Response:
    text = (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta name="robots" content="noindex"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f"<h1>{escape(title)}</h1>{''.join(parts)}</html>\n"
    )
    return web.Response(status=status, text=text, content_type="text/html", headers=_HEADERS)
