"""Destinations as they are now: state, queue, last success and failure; test, enable, disable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from alertd.api.auth import caller
from alertd.api.context import body_of, json
from alertd.api.examples import PREVIEW
from alertd.api.operation import Operation, ref, route
from alertd.api.resources import BELOW, Collection
from alertd.api.trial import check_event, preview_destination, try_destination
from alertd.clock import rfc3339_or_none
from alertd.destinations.oddities import oddities
from alertd.model.destination import Destination
from alertd.model.token import Role
from alertd.resources.change import Noted, find
from alertd.resources.kinds import DESTINATION

if TYPE_CHECKING:
    from aiohttp import web

    from alertd.api.context import Context
    from alertd.model.fields import Resource
    from alertd.resources.entry import Entry


class Destinations(Collection):
    """`/api/v1/workspaces/{workspace}/destinations`: the collection, and what can be done with one."""

    choices = ("state", "built_in")
    lives = True

    def __init__(self, context: Context) -> None:
        super().__init__(context, DESTINATION)

    @override
    def register(self, app: web.Application) -> None:
        """Add the routes."""
        super().register(app)
        below, shape = f"{BELOW}/destinations/{{name}}", ref("Destination")
        for name, handler, summary, answer in (
            ("test", self.test, "Send a test message through the real path", ref("TestResult")),
            ("enable", self.enable, "Let it take deliveries again", shape),
            ("disable", self.disable, "Let it take nothing until it is enabled", shape),
        ):
            documented = Operation(summary, "destinations", Role.OPERATOR, answers={200: answer}, errors=(409,))
            route(app, "POST", f"{below}/{name}", handler, documented)
        documented = Operation(
            "Show what would be sent, secrets left out, and send nothing",
            "destinations",
            Role.OPERATOR,
            body={"type": "object", "description": "fields of the event to show, such as message and data"},
            body_needed=False,
            answers={200: ref("Preview")},
            errors=(409,),
            example=PREVIEW,
        )
        route(app, "POST", f"{below}/preview", self.preview, documented)

    def _find(self, request: web.Request, workspace: str) -> Entry:
        return find(self.context.registry.snapshot, (DESTINATION.word, workspace, request.match_info["name"]))

    @override
    def status(self, entry: Entry) -> dict[str, Any]:
        """Show its lane: state, queue, last success and failure."""
        now = self.context.dispatcher.snapshot(self._number(entry))
        return {
            "built_in": entry.built_in,
            "state": now.state,
            "disabled_reason": now.disabled_reason or None,
            "disabled_at": rfc3339_or_none(now.disabled_at_ms),
            "queue_depth": now.depth,
            "queue_capacity": now.capacity,
            "in_flight": len(now.in_flight),
            "breaker_state": now.breaker,
            "paused_until": rfc3339_or_none(now.paused_until_ms),
            "rests_until": rfc3339_or_none(now.rests_until_ms),
            "learnt_rate_per_second": now.learnt_rate_per_second,
            "last_success_at": rfc3339_or_none(now.last_success_at_ms),
            "last_failure_at": rfc3339_or_none(now.last_failure_at_ms),
            "last_error": now.last_error or None,
            "warnings": _warnings(entry.model),
        }

    def _number(self, entry: Entry) -> int:
        return self.context.number(DESTINATION.word, entry.workspace, entry.name)

    async def test(self, request: web.Request) -> web.Response:
        """Send a test message through the real path and answer what came of it."""
        workspace = self.enter(request, Role.OPERATOR)
        destination = self._find(request, workspace)
        return json(await try_destination(self.context, workspace, destination.name))

    async def preview(self, request: web.Request) -> web.Response:
        """Answer what would be sent; nothing is."""
        workspace = self.enter(request, Role.OPERATOR)
        destination = self._find(request, workspace)
        given = await body_of(request) if request.can_read_body else {}
        event = check_event(given, workspace)
        return json(preview_destination(self.context, workspace, destination.name, **event))

    async def enable(self, request: web.Request) -> web.Response:
        """Let a destination take deliveries again; what waits for it goes out."""
        workspace = self.enter(request, Role.OPERATOR)
        destination = self._find(request, workspace)
        line = self.context.registry.line(caller(request).name, Noted("enabled", destination.key, None, None))
        await self.context.dispatcher.enable(self._number(destination), line)
        return self.answer(destination, request)

    async def disable(self, request: web.Request) -> web.Response:
        """Let a destination take nothing until it is enabled; what waits for it goes on waiting."""
        workspace = self.enter(request, Role.OPERATOR)
        destination = self._find(request, workspace)
        line = self.context.registry.line(caller(request).name, Noted("disabled", destination.key, None, None))
        await self.context.dispatcher.disable(self._number(destination), "disabled by an operator", line)
        return self.answer(destination, request)


def _warnings(model: Resource) -> list[dict[str, str]]:
    """Say what is allowed and odd in a destination, as `alertd check` would."""
    found = oddities(model) if isinstance(model, Destination) else ()
    return [{"pointer": "".join(f"/{part}" for part in place), "detail": message} for place, message in found]
