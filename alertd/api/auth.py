"""Who is calling: bearer tokens, and what each role may do."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from aiohttp import web

from alertd.errors import AlertdError
from alertd.model.token import Role, Token, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable

TOKEN: Final = web.RequestKey("token", Token)
"""Under this key a request carries its caller."""
SENDERS: Final = frozenset({Role.INTAKE, Role.OPERATOR, Role.ADMIN})
"""The roles that may send events."""


class UnauthorizedError(AlertdError):
    """No token, or none that is known: 401."""


class ForbiddenError(AlertdError):
    """The token is known and may not do this: 403."""


class Authenticator:
    """All valid tokens, by the hash of their secret."""

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self._by_digest: dict[bytes, Token] = {}
        self.replace(tokens)

    def replace(self, tokens: Iterable[Token]) -> None:
        """Know exactly these tokens from now on."""
        self._by_digest = {token.digest: token for token in tokens}

    def tokens(self) -> list[Token]:
        """All valid tokens, oldest first."""
        return sorted(self._by_digest.values(), key=lambda token: token.id)

    def identify(self, header: str | None) -> Token:
        """Return the token of an `Authorization` header. Raises UnauthorizedError.

        The secret is hashed before it is looked up and compared, so that the time taken tells nothing about it.
        """
        scheme, _, secret = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise UnauthorizedError("a bearer token is required: Authorization: Bearer TOKEN")
        token = self._find(secret.strip())
        if token is None:
            raise UnauthorizedError("the token is unknown or was revoked")
        return token

    def _find(self, secret: str) -> Token | None:
        try:
            digest = digest_of(secret)
        except UnicodeEncodeError:  # bytes that are no text
            return None
        token = self._by_digest.get(digest)
        return token if token is not None and hmac.compare_digest(token.digest, digest) else None


def caller(request: web.Request) -> Token:
    """Return the token that a request came with."""
    return request[TOKEN]


def require(request: web.Request, least: Role, workspace: str | None = None) -> Token:
    """Return the caller's token if its role is at least `least` and it belongs to `workspace` (None: to all).

    Raises ForbiddenError.
    """
    token = caller(request)
    if token.role < least:
        raise ForbiddenError(f"this needs the role {least.word}; the token has {token.role.word}")
    if token.workspace is not None and token.workspace != workspace:
        where = f"the workspace {workspace!r}" if workspace else "all workspaces"
        raise ForbiddenError(f"the token belongs to the workspace {token.workspace!r}, this concerns {where}")
    return token
