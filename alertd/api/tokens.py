"""Tokens over HTTP: made (the secret shown once), listed, changed, rotated with an overlap, revoked."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any, Final

from aiohttp import web
from pydantic import Field
from typing_extensions import override

from alertd.api.auth import TOKEN as CALLER
from alertd.api.auth import caller, require
from alertd.api.context import body_of, json, read_body
from alertd.api.examples import ROTATION, TOKEN, TOKEN_PATCH
from alertd.api.operation import PAGE, Operation, Parameter, page_of, ref, route
from alertd.api.query import Query, refuse_unknown
from alertd.api.query import page_of as cut
from alertd.api.resources import BELOW, PATCH_TYPES, patch_of
from alertd.clock import rfc3339, rfc3339_or_none
from alertd.errors import ConflictError, InvalidError, NotFoundError, Problem
from alertd.model import ids
from alertd.model.fields import Resource
from alertd.model.token import ROLES, Role, Token, TokenSettings, digest_of, new_secret
from alertd.model.workspace import DEFAULT
from alertd.resources.change import Noted, Precondition
from alertd.resources.judge import patched, read_alone

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.typedefs import Handler

    from alertd.api.context import Context
    from alertd.store.resource import AuditEntry

_SHOWN: Final = ("id", "workspace", "created_at", "last_used_at", "provisioned", "origin", "value")
"""What a token shows besides its settings; given back, it is not looked at."""


class Rotation(Resource):
    """How a token is rotated."""

    overlap_seconds: Annotated[float, Field(ge=0, le=2_592_000, allow_inf_nan=False)] = Field(
        3600, description="seconds that the secret before goes on working"
    )


class Tokens:
    """`/api/v1/workspaces/{workspace}/tokens`, for admins. Changes are made one after the other, once their bodies are there."""

    path = f"{BELOW}/tokens"

    def __init__(self, context: Context) -> None:
        self._context = context

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        path, one, shape = self.path, f"{self.path}/{{name}}", ref("Token")
        filters = (Parameter("name", "only this one"), Parameter("role", "only those with this role"))
        admin: dict[str, Any] = {"tag": "tokens", "least": Role.ADMIN}
        changed: dict[str, Any] = {**admin, "answers": {200: shape}, "errors": (409,), "conditional": True}
        made: dict[str, Any] = {**admin, "answers": {201: ref("NewToken")}, "errors": (409,)}
        body = ref("TokenSettings")
        every = Operation(
            "List tokens, without their secrets", **admin, query=(*filters, *PAGE), answers={200: page_of(shape)}
        )
        self._route(app, "GET", path, self.list, every)
        create = Operation("Make a token; its secret is answered once", body=body, example=TOKEN, **made)
        self._route(app, "POST", path, self.create, create)
        self._route(app, "GET", one, self.show, Operation("Show a token", **admin, answers={200: shape}))
        replace = Operation("Replace a token's role and expiry", body=body, example=TOKEN, **changed)
        self._route(app, "PUT", one, self.replace, replace)
        patch = Operation(
            "Change a token's role or expiry",
            body={"type": "object"},
            body_types=PATCH_TYPES,
            example=TOKEN_PATCH,
            **{**changed, "errors": (409, 415)},
        )
        self._route(app, "PATCH", one, self.patch, patch)
        rotate = Operation(
            "Give a token another secret; the one before works on for a while",
            body=Rotation.model_json_schema(),
            body_needed=False,
            example=ROTATION,
            **made,
        )
        self._route(app, "POST", f"{one}/rotate", self.rotate, rotate)
        revoke = Operation("Revoke a token at once", **admin, answers={204: None}, errors=(409, 412))
        self._route(app, "DELETE", one, self.revoke, revoke)

    def _route(self, app: web.Application, method: str, path: str, handler: Handler, operation: Operation) -> None:
        route(app, method, path, handler, self.documented(operation))

    def documented(self, operation: Operation) -> Operation:
        """Say for whom an operation is."""
        return operation

    def enter(self, request: web.Request) -> str | None:
        """Return the workspace of a path to a caller who may change its tokens; None: of all. Raises as `Context.enter`."""
        return self._context.enter(request, Role.ADMIN)

    def _enter_again(self, request: web.Request) -> str | None:
        """Do the same once the body is there and the change is about to be made: the caller's own token may be gone by now."""
        request[CALLER] = self._context.authenticator.recheck(request.headers.get("Authorization"))
        return self.enter(request)

    def _of(self, workspace: str | None) -> list[Token]:
        return [t for t in self._context.authenticator.tokens() if t.workspace == workspace]

    def _find(self, request: web.Request, workspace: str | None) -> Token:
        wanted = request.match_info["name"]
        for token in self._of(workspace):
            if wanted in (token.name, ids.format_id(ids.TOKEN, token.id)):
                return token
        raise NotFoundError(f"there is no token {wanted!r} {_where(workspace)}")

    def _own(self, request: web.Request, *, conditional: bool = False) -> Token:
        """Find a token that the API may change. Raises as the conditions of resources do."""
        token = self._find(request, self._enter_again(request))
        if token.provisioned:
            where = token.origin or "the configuration"
            raise ConflictError(f"the token {token.name!r} is provisioned by {where}: change it there")
        Precondition(request.headers.get("If-Match"), needed=conditional).check("token", token.name, _etag(token))
        return token

    async def list(self, request: web.Request) -> web.Response:
        """List the workspace's tokens, without their secrets, oldest first."""
        tokens, query = self._of(self.enter(request)), Query(request, ("name", "role", "limit", "cursor"))
        name, role = query.text("name"), query.word("role", tuple(ROLES))
        found = [t for t in tokens if name in (None, t.name) and role in (None, t.role.word)]
        return json(cut(query, [(token.id, token_view(self._context, token)) for token in found]))

    async def show(self, request: web.Request) -> web.Response:
        """Show one token, without its secret."""
        return self._answer(self._find(request, self.enter(request)))

    async def create(self, request: web.Request) -> web.Response:
        """Make a token; the answer alone holds its secret, as `value`."""
        workspace = self.enter(request)
        settings = _settings(await body_of(request), workspace)
        secret, context = new_secret(), self._context
        now_ms = context.clock.now_ms()
        token = _with(
            Token(context.ids.take(), settings.name, Role.INTAKE, workspace, digest_of(secret), now_ms), settings
        )
        if token.expires_at_ms is not None and token.expires_at_ms <= now_ms:
            past = rfc3339(token.expires_at_ms)
            raise InvalidError([Problem("/expires_at", f"{past} is over; expected a time to come, or null: never")])
        async with self._context.changing_tokens:
            if any(known.name == token.name for known in self._of(self._enter_again(request))):
                raise ConflictError(f"there is a token {token.name!r} {_where(workspace)} already")
            await context.store.add_token(token, [self._line(request, "created", None, token)])
            await context.know_token(None, token)
        return self._answer(token, 201, secret)

    async def replace(self, request: web.Request) -> web.Response:
        """Give a token another role and expiry."""
        self.enter(request)
        given = await body_of(request)
        return await self._change(request, lambda token: {"name": token.name, **given})

    async def patch(self, request: web.Request) -> web.Response:
        """Change a token's role or expiry."""
        self.enter(request)
        given = await patch_of(request)
        return await self._change(request, lambda token: patched(self._shown(token), given))

    def _shown(self, token: Token) -> dict[str, Any]:
        return {key: value for key, value in token_view(self._context, token).items() if key not in _SHOWN}

    async def _change(self, request: web.Request, document: Callable[[Token], dict[str, Any]]) -> web.Response:
        async with self._context.changing_tokens:
            token = self._own(request, conditional=True)
            settings = _settings(document(token), token.workspace)
            if settings.name != token.name:
                raise InvalidError([Problem("/name", f"cannot be changed: this is the token {token.name!r}")])
            after = _with(token, settings)
            await self._change_token(request, "updated", token, after)
        return self._answer(after)

    async def rotate(self, request: web.Request) -> web.Response:
        """Make another secret; the one before works until the overlap is over."""
        self.enter(request)
        rotation = await read_body(request, Rotation)
        secret = new_secret()
        async with self._context.changing_tokens:
            token = self._own(request)
            until = self._context.clock.now_ms() + round(rotation.overlap_seconds * 1000)
            after = replace(token, digest=digest_of(secret), old_digest=token.digest, old_until_ms=until)
            await self._change_token(request, "rotated", token, after)
            self._context.refile_token(token, secret)
        return self._answer(after, 201, secret)

    async def revoke(self, request: web.Request) -> web.Response:
        """Revoke a token at once."""
        async with self._context.changing_tokens:
            token = self._own(request)
            self._check_last(token, None)
            await self._context.store.remove_token(token.id, [self._line(request, "deleted", token, None)])
            await self._context.know_token(token, None)
            self._context.refile_token(token, None)
        return web.Response(status=204)

    def _check_last(self, token: Token, after: Token | None) -> None:
        """Keep one that opens everything for good, or nobody gets in any more. Raises ConflictError."""
        others = (other for other in self._of(None) if other.id != token.id)
        if _opens_all(token) and not any(map(_opens_all, [*others, *([after] if after else [])])):
            text = f"{token.name!r} is the last admin of all workspaces that does not end: make another one first"
            raise ConflictError(text)

    async def _change_token(self, request: web.Request, action: str, before: Token, after: Token) -> None:
        self._check_last(before, after)
        await self._context.store.change_token(after, [self._line(request, action, before, after)])
        await self._context.know_token(before, after)

    def _line(self, request: web.Request, action: str, before: Token | None, after: Token | None) -> AuditEntry:
        """Make the line that is kept together with a change."""
        shown = [None if each is None else token_view(self._context, each) for each in (before, after)]
        key = ("token", request.match_info.get("workspace", DEFAULT), str((shown[0] or shown[1] or {})["name"]))
        return self._context.registry.line(caller(request).name, Noted(action, key, *shown))

    def _answer(self, token: Token, status: int = 200, secret: str | None = None) -> web.Response:
        view = token_view(self._context, token)
        answer = json(view if secret is None else {**view, "value": secret}, status)
        answer.headers["ETag"] = _etag(token)
        return answer


class TokensOfAll(Tokens):
    """`/api/v1/tokens`: those of all workspaces, for admins of all of them. The log of changes of `default` tells of them."""

    path = "/api/v1/tokens"

    @override
    def documented(self, operation: Operation) -> Operation:
        """Say that it is for tokens of all workspaces."""
        return operation.for_all()

    @override
    def enter(self, request: web.Request) -> None:
        """Let an admin of all workspaces in. Raises ForbiddenError, and InvalidError for a parameter where there is none."""
        require(request, Role.ADMIN)
        refuse_unknown(request)


def _where(workspace: str | None) -> str:
    return "of all workspaces" if workspace is None else f"in the workspace {workspace!r}"


def _opens_all(token: Token) -> bool:
    return token.workspace is None and token.role is Role.ADMIN and token.expires_at_ms is None


def token_view(context: Context, token: Token) -> dict[str, Any]:
    """Show a token, without its secret."""
    used = context.authenticator.last_used_ms(token)
    return {
        "id": ids.format_id(ids.TOKEN, token.id),
        "name": token.name,
        "role": token.role.word,
        "workspace": token.workspace,
        "created_at": None if token.provisioned else rfc3339(token.created_at_ms),
        "expires_at": rfc3339_or_none(token.expires_at_ms),
        "last_used_at": rfc3339_or_none(used),
        "provisioned": token.provisioned,
        "origin": token.origin,
    }


def _etag(token: Token) -> str:
    state = repr((token.role, token.expires_at_ms, token.digest, token.old_until_ms))
    return f'"t{hashlib.sha256(state.encode()).hexdigest()[:16]}"'


def _settings(document: dict[str, Any], workspace: str | None) -> TokenSettings:
    """Read the settings of a token of this workspace, which is the only one that may be named."""
    if document.get("workspace", workspace) != workspace:
        raise InvalidError([Problem("/workspace", f"expected {workspace!r}, the token's own, or nothing")])
    return read_alone(TokenSettings, {key: value for key, value in document.items() if key not in _SHOWN})


def _with(token: Token, settings: TokenSettings) -> Token:
    end = settings.expires_at
    expires = None if end is None else round(end.astimezone(UTC).timestamp() * 1000)
    return replace(token, role=ROLES[settings.role], expires_at_ms=expires)
