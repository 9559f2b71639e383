"""Tokens: made (the secret shown once), listed, revoked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiohttp import web

from alertd.api.auth import caller, require
from alertd.api.context import body_of, json
from alertd.api.query import PAGE, Query, page_of
from alertd.clock import rfc3339
from alertd.errors import ConflictError, InvalidError, NotFoundError, Problem
from alertd.model import ids
from alertd.model.token import ROLES, Role, Token, digest_of, new_secret

if TYPE_CHECKING:
    from alertd.api.context import Context

_NAME: Final = re.compile(r"[a-z0-9_-]{1,64}")
_log = structlog.get_logger("alertd.api")


class Tokens:
    """`/api/v1/workspaces/{workspace}/tokens`, for admins."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        below = "/api/v1/workspaces/{workspace}/tokens"
        app.router.add_get(below, self.list)
        app.router.add_post(below, self.create)
        app.router.add_get(f"{below}/{{name}}", self.show)
        app.router.add_delete(f"{below}/{{name}}", self.revoke)

    def _enter(self, request: web.Request) -> str:
        require(request, Role.ADMIN, request.match_info["workspace"])
        return self._context.workspace(request)

    def _of(self, workspace: str) -> list[Token]:
        return [t for t in self._context.authenticator.tokens() if t.workspace == workspace]

    def _find(self, request: web.Request, workspace: str) -> Token:
        wanted = request.match_info["name"]
        for token in self._of(workspace):
            if wanted in (token.name, ids.format_id(ids.TOKEN, token.id)):
                return token
        raise NotFoundError(f"there is no token {wanted!r} in the workspace {workspace!r}")

    async def list(self, request: web.Request) -> web.Response:
        """List the workspace's tokens, without their secrets, oldest first."""
        tokens, query = self._of(self._enter(request)), Query(request, ("name", "role", *PAGE))
        name, role = query.text("name"), query.word("role", tuple(ROLES))
        found = [t for t in tokens if name in (None, t.name) and role in (None, t.role.word)]
        return json(page_of(query, [(token.id, _view(token)) for token in found]))

    async def show(self, request: web.Request) -> web.Response:
        """Show one token, without its secret."""
        return json(_view(self._find(request, self._enter(request))))

    async def create(self, request: web.Request) -> web.Response:
        """Make a token; the answer alone holds its secret, as `value`."""
        workspace = self._enter(request)
        name, role = _read(await body_of(request))
        if any(token.name == name for token in self._of(workspace)):
            raise ConflictError(f"there is a token {name!r} in the workspace {workspace!r} already")
        secret, context = new_secret(), self._context
        token = Token(context.ids.take(), name, role, workspace, digest_of(secret), context.clock.now_ms())
        await context.store.add_token(token)
        await context.reload_tokens()
        _log.info("token.created", name=name, role=role.word, workspace=workspace, by=caller(request).name)
        return json({**_view(token), "value": secret}, status=201)

    async def revoke(self, request: web.Request) -> web.Response:
        """Revoke a token at once."""
        workspace = self._enter(request)
        token = self._find(request, workspace)
        if token.provisioned:
            raise ConflictError(f"the token {token.name!r} is provisioned by the configuration file: remove it there")
        await self._context.store.remove_token(token.id)
        await self._context.reload_tokens()
        _log.info("token.revoked", name=token.name, workspace=workspace, by=caller(request).name)
        return web.Response(status=204)


def _read(body: dict[str, Any]) -> tuple[str, Role]:
    problems = [
        Problem(f"/{key}", "is not known; known are name and role") for key in body if key not in ("name", "role")
    ]
    name, role = body.get("name"), body.get("role")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        problems.append(Problem("/name", "must be 1 to 64 lower-case letters, digits, - and _"))
    if not isinstance(role, str) or role not in ROLES:
        problems.append(Problem("/role", f"must be one of {', '.join(ROLES)}"))
    if problems:
        raise InvalidError(problems)
    return str(name), ROLES[str(role)]


def _view(token: Token) -> dict[str, Any]:
    return {
        "id": ids.format_id(ids.TOKEN, token.id),
        "name": token.name,
        "role": token.role.word,
        "workspace": token.workspace,
        "created_at": None if token.provisioned else rfc3339(token.created_at_ms),
        "provisioned": token.provisioned,
    }
