"""The keys of Sentry's SDKs: made for a project, shown with the whole DSN, revoked."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from aiohttp import web

from alertd.api.auth import caller
from alertd.api.context import body_of, json
from alertd.api.examples import NEW_KEY
from alertd.api.operation import Operation, page_of, ref, route
from alertd.api.resources import BELOW
from alertd.clock import rfc3339_or_none
from alertd.errors import InvalidError, NotFoundError, Problem
from alertd.model.token import Role
from alertd.resources.change import Precondition, find
from alertd.resources.kinds import PROJECT, SDK_KEY

if TYPE_CHECKING:
    from alertd.api.context import Context
    from alertd.model.intake_endpoint import SdkKey
    from alertd.resources.entry import Entry

KEY_BYTES = 16


class SdkKeys:
    """`/api/v1/workspaces/{workspace}/projects/{name}/keys`, for those who may send, and made by admins."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        path, shape = f"{BELOW}/projects/{{name}}/keys", ref("SdkKey")
        listed = Operation("List a project's SDK keys", "projects", Role.OPERATOR, answers={200: page_of(shape)})
        route(app, "GET", path, self.list, listed)
        title = {"type": "object", "properties": {"title": {"type": "string"}}, "additionalProperties": False}
        made = Operation(
            "Make an SDK key",
            "projects",
            Role.ADMIN,
            body=title,
            body_needed=False,
            answers={201: shape},
            example=NEW_KEY,
        )
        route(app, "POST", path, self.create, made)
        revoked = Operation("Revoke an SDK key at once", "projects", Role.ADMIN, answers={204: None})
        route(app, "DELETE", f"{path}/{{key}}", self.revoke, revoked)

    def _enter(self, request: web.Request, least: Role) -> tuple[str, str]:
        workspace, name = self._context.enter(request, least), request.match_info["name"]
        find(self._context.registry.snapshot, (PROJECT.word, workspace, name))
        return workspace, name

    async def list(self, request: web.Request) -> web.Response:
        """List the keys of a project, oldest first."""
        workspace, project = self._enter(request, Role.OPERATOR)
        entries = self._context.registry.snapshot.entries(SDK_KEY.word, workspace)
        items = [self._view(entry) for entry in entries if _key(entry).project == project]
        return json({"items": items, "next_cursor": None})

    async def create(self, request: web.Request) -> web.Response:
        """Make a key; also for a project of the configuration."""
        workspace, project = self._enter(request, Role.ADMIN)
        given = await body_of(request) if request.can_read_body else {}
        unknown = [Problem(f"/{name}", "is not known here; known is title") for name in given if name != "title"]
        if unknown:
            raise InvalidError(unknown)
        document = {**given, "name": secrets.token_hex(KEY_BYTES), "project": project}
        entry = await self._context.registry.create(SDK_KEY, workspace, document, caller(request).name)
        return json(self._view(entry), 201)

    async def revoke(self, request: web.Request) -> web.Response:
        """Revoke a key at once."""
        workspace, project = self._enter(request, Role.ADMIN)
        name = request.match_info["key"]
        entry = self._context.registry.snapshot.get((SDK_KEY.word, workspace, name))
        if entry is None or _key(entry).project != project:
            raise NotFoundError(f"the project {project!r} has no such key")
        await self._context.registry.remove(entry.key, Precondition(), caller(request).name)
        return web.Response(status=204)

    def _view(self, entry: Entry) -> dict[str, Any]:
        key, base = _key(entry), urlsplit(self._context.base_url())
        number = self._context.number(PROJECT.word, entry.workspace, key.project)
        return {
            "public_key": key.name,
            "title": key.title,
            "project": key.project,
            "dsn": f"{base.scheme}://{key.name}@{base.netloc}{base.path}/sentry/{number}",
            "created_at": rfc3339_or_none(entry.created_at_ms),
        }


def _key(entry: Entry) -> SdkKey:
    return cast("SdkKey", entry.model)
