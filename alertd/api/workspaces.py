"""Workspaces over HTTP. Who may see all of them makes and deletes them; a workspace's own admins change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from alertd.api.auth import caller, require
from alertd.api.operation import documented, route
from alertd.api.query import refuse_unknown
from alertd.api.resources import Collection, operations
from alertd.api.tokens import token_view
from alertd.resources.change import Noted
from alertd.resources.kinds import WORKSPACE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aiohttp import web

    from alertd.api.context import Context
    from alertd.model.token import Role, Token
    from alertd.resources.entry import Entry

PATH: Final = "/api/v1/workspaces"
ONE: Final = f"{PATH}/{{name}}"


class Workspaces(Collection):
    """`/api/v1/workspaces`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, WORKSPACE)

    @override
    def register(self, app: web.Application) -> None:
        """Add the routes."""
        every = operations(self.kind, self.filters)
        route(app, "GET", PATH, self.list, every["list"])
        route(app, "POST", PATH, self.create, every["create"].for_all())
        route(app, "GET", ONE, self.show, every["show"])
        route(app, "PUT", ONE, self.replace, every["replace"])
        route(app, "PATCH", ONE, self.patch, every["patch"])
        route(app, "DELETE", ONE, self.remove, every["remove"].for_all())

    @override
    def enter(self, request: web.Request, least: Role) -> str:
        """Return the workspace of the path, or nothing where there is none. Raises ForbiddenError, InvalidError."""
        name = request.match_info.get("name", "")
        own = name or caller(request).workspace  # a list shows what the caller may see
        require(request, least, None if documented(request).everywhere else own)
        refuse_unknown(request)
        return name

    @override
    async def make(self, workspace: str, document: dict[str, Any], actor: str) -> Entry:
        """Make one, that begins empty: the tokens of one that was in the configuration under its name end."""
        async with self.context.changing_tokens:
            left = [*self.ended_with(document.get("name", ""))]
            entry = await self.context.registry.create(self.kind, workspace, document, actor, also=left)
            await self._end_tokens(entry.name)
        return entry

    @override
    async def remove(self, request: web.Request) -> web.Response:
        """Delete it, and its tokens: the next workspace of that name is another one."""
        async with self.context.changing_tokens:
            answer = await super().remove(request)
            await self._end_tokens(request.match_info["name"])
        return answer

    @override
    def ended_with(self, name: str) -> Iterator[Noted]:
        """Give its tokens, which the store forgets with it."""
        for token in self._tokens_of(name):
            yield Noted("deleted", ("token", name, token.name), token_view(self.context, token), None)

    def _tokens_of(self, name: str) -> Sequence[Token]:
        """Give the tokens that the store keeps of a workspace."""
        return [t for t in self.context.authenticator.tokens() if t.workspace == name and not t.provisioned]

    async def _end_tokens(self, name: str) -> None:
        """Know that the store has forgotten them."""
        for token in self._tokens_of(name):
            await self.context.know_token(token, None)

    @override
    def entries(self, request: web.Request, workspace: str) -> Sequence[Entry]:
        """List those that the caller may see."""
        snapshot, own = self.context.registry.snapshot, caller(request).workspace
        names = [own] if own is not None else snapshot.workspace_names()
        return [entry for name in names if (entry := snapshot.get((WORKSPACE.word, name, name))) is not None]
