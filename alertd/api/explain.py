"""Explain over HTTP: an event in, its plan out, by the engine that decides, with nothing done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from alertd.api.context import json, read_bytes
from alertd.api.examples import EVENT
from alertd.api.grounds import Grounds
from alertd.api.operation import Operation, ref, route
from alertd.api.progress_views import progress_view
from alertd.api.resources import BELOW
from alertd.api.views import Names, verdict_views
from alertd.clock import rfc3339_or_none
from alertd.engine.explain import explain
from alertd.errors import InvalidError, NotJsonError, Problem
from alertd.model.event import with_id
from alertd.model.ids import made_event_id
from alertd.sources.base import Context as Decoding
from alertd.sources.native import decode_json

if TYPE_CHECKING:
    from aiohttp import web

    from alertd.api.context import Context
    from alertd.engine.explain import Explained
    from alertd.model.delivery import Delivery
    from alertd.model.event import Event


class Explain:
    """`POST /api/v1/workspaces/{workspace}/explain`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def register(self, app: web.Application) -> None:
        """Add the route."""
        documented = Operation(
            "Say what would be decided about an event, and why, doing nothing",
            "explain",
            body=ref("Event"),
            answers={200: ref("Explanation")},
            example=EVENT,
        )
        route(app, "POST", f"{BELOW}/explain", self.explain, documented)

    async def explain(self, request: web.Request) -> web.Response:
        """Explain one event."""
        workspace = self._context.enter(request)
        body, context = await read_bytes(request), self._context
        context.workspace_number(workspace)  # it may have been removed while the body came
        event = self._event(body, workspace)
        number, now_ms = context.ids.take(), context.clock.now_ms()
        if not event.id:
            with_id(event, made_event_id(number, context.store.salt))
        ruleset = context.pipeline.ruleset
        told = await context.pipeline.issues.foresee(event, ruleset, number, now_ms)
        parts = explain(ruleset, context.pipeline.state(), event, now_ms, number, told)
        rules = ruleset.workspaces[workspace]
        first, *made = (self._part(part, Grounds(rules, part.plan.event)) for part in parts)
        return json({**first, "makes": made})

    def _event(self, body: bytes, workspace: str) -> Event:
        """Read the event as the intake would. Raises DecodeError."""
        if not body.strip():
            raise NotJsonError("the body is empty: send one event")
        context = self._context
        decoding = Decoding(workspace, context.clock.now_ms(), frozenset({workspace}), context.bounds(), confined=True)
        events = decode_json(body, decoding)
        if len(events) != 1 or body.lstrip()[:1] == b"[":
            raise InvalidError([Problem("", "one event at a time, as an object")])
        return events[0]

    def _part(self, part: Explained, grounds: Grounds) -> dict[str, Any]:
        names, plan = self._context.names, part.plan
        return {
            "event": orjson.loads(plan.event.payload),
            "matched": plan.matched,
            "violations": [{"pointer": v.pointer, "detail": v.detail} for v in plan.violations],
            "verdicts": verdict_views([*plan.verdicts, *part.outside], names, grounds),
            "deliveries": [self._delivery(each, names) for each in plan.deliveries],
            "progress": [progress_view(each) for each in part.progress],
        }

    def _delivery(self, delivery: Delivery, names: Names) -> dict[str, Any]:
        lane = self._context.dispatcher.snapshot(delivery.destination_id)
        return {
            "destination": names.name(delivery.destination_id),
            "subscription": names.name(delivery.subscription_id),
            "channel": names.name(delivery.channel_id),
            "queue_depth": lane.depth,
            "breaker_state": lane.breaker,
            "paused_until": rfc3339_or_none(lane.paused_until_ms),
            "rests_until": rfc3339_or_none(lane.rests_until_ms),
        }
