"""Subscriptions over HTTP, each with what has become of its events, and a test of its destinations."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from alertd.api.context import body_of, json
from alertd.api.examples import SUBSCRIPTION_TEST
from alertd.api.operation import Operation, ref, route
from alertd.api.resources import BELOW, Collection
from alertd.api.trial import TEST_TYPE, try_destination
from alertd.clock import rfc3339_or_none
from alertd.errors import InvalidError, Problem
from alertd.model.token import Role
from alertd.resources.change import find
from alertd.resources.kinds import SUBSCRIPTION

if TYPE_CHECKING:
    from aiohttp import web

    from alertd.api.context import Context
    from alertd.model.subscription import Subscription
    from alertd.resources.entry import Entry

_TYPE = re.compile(r"[!-~]{1,256}", re.ASCII)


class Subscriptions(Collection):
    """`/api/v1/workspaces/{workspace}/subscriptions`: the collection, and a test."""

    choices = ("built_in",)
    lives = True
    lists_defaults = True

    def __init__(self, context: Context) -> None:
        super().__init__(context, SUBSCRIPTION)

    @override
    def register(self, app: web.Application) -> None:
        """Add the routes."""
        super().register(app)
        documented = Operation(
            "Send a marked test to this subscription's destinations",
            "subscriptions",
            Role.OPERATOR,
            body={"type": "object", "properties": {"type": {"type": "string"}}, "additionalProperties": False},
            body_needed=False,
            answers={200: ref("SubscriptionTest")},
            errors=(409,),
            example=SUBSCRIPTION_TEST,
        )
        route(app, "POST", f"{BELOW}/subscriptions/{{name}}/test", self.test, documented)

    @override
    def status(self, entry: Entry) -> dict[str, Any]:
        """Show what has become of its events."""
        facts = self.context.facts.subscription(self.context.number(SUBSCRIPTION.word, entry.workspace, entry.name))
        return {
            "built_in": entry.built_in,
            "last_fired_at": rfc3339_or_none(facts.last_fired_at_ms),
            "last_success_at": rfc3339_or_none(facts.last_success_at_ms),
            "last_error": facts.last_error or None,
            "last_error_at": rfc3339_or_none(facts.last_error_at_ms),
            "fired_total": facts.fired,
            "sent_total": facts.sent,
            "delivered_total": facts.delivered,
            "failed_total": facts.failed,
        }

    async def test(self, request: web.Request) -> web.Response:
        """Send a marked test through the real path to each of its destinations; nothing is stored as an alert."""
        workspace = self.enter(request, Role.OPERATOR)
        entry = find(self.context.registry.snapshot, (SUBSCRIPTION.word, workspace, request.match_info["name"]))
        own = cast("Subscription", entry.model)
        given = await body_of(request) if request.can_read_body else {}
        kind = _type_in(given)
        said = {"type": kind, "message": f"A test of the subscription {own.name}"}
        results = await asyncio.gather(
            *(
                try_destination(self.context, workspace, name, own.name, own.channels[0], **said)
                for name in dict.fromkeys(own.destinations)
            )
        )
        return json({"subscription": own.name, "results": results})


def _type_in(given: dict[str, Any]) -> str:
    problems = [Problem(f"/{name}", "is not known here; known is type") for name in given if name != "type"]
    kind = given.get("type", TEST_TYPE)
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        problems.append(Problem("/type", "expected 1 to 256 printable ASCII characters without spaces"))
    if problems:
        raise InvalidError(problems)
    return str(kind)
