"""The audit log over HTTP: who changed what, when, and how it was before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from alertd.api.context import json
from alertd.api.operation import PAGE, Operation, Parameter, page_of, ref, route
from alertd.api.query import Query, page_found
from alertd.api.resources import BELOW
from alertd.api.selecting import TIMES
from alertd.clock import rfc3339
from alertd.model import ids
from alertd.store.resource import AuditEntry, AuditFilter

if TYPE_CHECKING:
    from aiohttp import web

    from alertd.api.context import Context

_TEXTS = ("actor", "action", "kind", "name")


class Audit:
    """`/api/v1/workspaces/{workspace}/audit`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def register(self, app: web.Application) -> None:
        """Add the route."""
        query = (*(Parameter(name, f"only entries with this {name}") for name in _TEXTS), *TIMES, *PAGE)
        documented = Operation(
            "List changes, newest first",
            "audit",
            query=query,
            answers={200: page_of(ref("AuditEntry"))},
            errors=(503,),
        )
        route(app, "GET", f"{BELOW}/audit", self.list, documented)

    async def list(self, request: web.Request) -> web.Response:
        """List changes, newest first."""
        workspace = self._context.enter(request)
        query = Query(request, (*_TEXTS, "since", "until", "limit", "cursor"))
        limit = query.limit()
        which = AuditFilter(
            workspace,
            query.cursor(),
            limit + 1,
            **{name: query.text(name) for name in _TEXTS},
            since_ms=query.time("since"),
            until_ms=query.time("until"),
        )
        query.check()
        return json(page_found(await self._context.store.audit(which), limit, _view))


def _view(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": ids.format_id("aud", entry.id),
        "at": rfc3339(ids.milliseconds(entry.id)),
        "actor": entry.actor,
        "action": entry.action,
        "kind": entry.kind,
        "name": entry.name,
        "before": None if entry.before is None else orjson.loads(entry.before),
        "after": None if entry.after is None else orjson.loads(entry.after),
    }
