"""The front page: what answers here, and where to go from it, until there is a dashboard."""

from __future__ import annotations

from html import escape
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from aiohttp import web

from alertd.api.operation import Operation, route
from alertd.api.shapes import TEXT

if TYPE_CHECKING:
    from alertd.api.context import Context

_ABOUT: Final = (
    "a durable event-to-notification daemon: Kafka or HTTP in, signed webhooks out, every decision explained."
)
_PLACES: Final = (
    ("POST", "/api/v1/events", "send events (a token is needed)"),
    (
        "GET",
        "/api/v1/workspaces/default/events",
        "what arrived and what became of it; also alerts, deliveries (a token)",
    ),
    ("GET", "/api/docs", "every call, with its parameters and answers"),
    ("GET", "/metrics", "metrics for Prometheus"),
    ("GET", "/-/healthy", "whether it runs"),
    ("GET", "/-/ready", "whether it accepts events now"),
)
_LINKED: Final = frozenset({"/api/docs", "/metrics", "/-/healthy", "/-/ready"})
_MORE: Final = "Documentation: README.md of the project, and: alertd --help"
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept",
}


class Front:
    """`GET /`, for everybody: HTML for browsers, text for all others."""

    def __init__(self, context: Context) -> None:
        self._version = version("alertd")

    def register(self, app: web.Application) -> None:
        """Add the route."""
        route(
            app,
            "GET",
            "/",
            self.show,
            Operation("What this is", "system", None, answers={200: TEXT}, answer_types=("text/html", "text/plain")),
        )

    async def show(self, request: web.Request) -> web.Response:
        """Say what this is."""
        if "text/html" in request.headers.get("Accept", ""):
            return web.Response(text=self._html(), content_type="text/html", headers=_HEADERS)
        return web.Response(text=self._text(), headers=_HEADERS)

    def _text(self) -> str:
        places = [f"  {method:<4} {path:<36} {what}" for method, path, what in _PLACES]
        return "\n".join([f"alertd {self._version}: {_ABOUT}", "", *places, "", _MORE, ""])

    def _html(self) -> str:
        rows = "".join(f"<tr><td>{method}<td>{_link(path)}<td>{escape(what)}</tr>\n" for method, path, what in _PLACES)
        return (
            '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>alertd</title>\n'
            "<style>body{font:16px/1.5 system-ui;margin:3em auto;max-width:50em;padding:0 1em}"
            "td{padding-right:1em}</style>\n"
            f"<h1>alertd {escape(self._version)}</h1>\n<p>{escape(_ABOUT)}\n<table>\n{rows}</table>\n"
            f"<p>{escape(_MORE)}\n</html>\n"
        )


def _link(path: str) -> str:
    return f'<a href="{path}">{path}</a>' if path in _LINKED else f"<code>{path}</code>"
