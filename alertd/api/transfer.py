"""A workspace as a file: exported as YAML, and compared with what a file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from alertd.api.context import body_of, json
from alertd.api.examples import DIFF
from alertd.api.operation import Operation, ref, route
from alertd.api.resources import BELOW
from alertd.errors import InvalidError, Problem
from alertd.model.token import Role
from alertd.model.workspace import Workspace
from alertd.resources.judge import read_alone

if TYPE_CHECKING:
    from alertd.api.context import Context

YAML = "application/yaml"


class Transfer:
    """`/api/v1/workspaces/{workspace}/export` and `/diff`, for admins."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        export = Operation(
            "Write every resource as YAML that the configuration takes back; secrets stay in the store",
            "transfer",
            Role.ADMIN,
            answers={200: {}},
            answer_types=(YAML,),
        )
        route(app, "POST", f"{BELOW}/export", self.export, export)
        diff = Operation(
            "Say what a file would change",
            "transfer",
            Role.ADMIN,
            body={"type": "object", "description": "a workspace as the configuration holds it"},
            answers={200: ref("Difference")},
            example=DIFF,
        )
        route(app, "POST", f"{BELOW}/diff", self.diff, diff)

    async def export(self, request: web.Request) -> web.Response:
        """Write a workspace as YAML."""
        workspace = self._context.enter(request, Role.ADMIN)
        text = await self._context.registry.export(workspace)
        return web.Response(text=text, content_type=YAML)

    async def diff(self, request: web.Request) -> web.Response:
        """Compare what is live with what a file holds."""
        name = self._context.enter(request, Role.ADMIN)
        workspace = read_alone(Workspace, await body_of(request))
        if workspace.name != name:
            raise InvalidError([Problem("/name", f"this compares the workspace {name!r}")])
        return json({"changes": self._context.registry.difference(workspace)})
