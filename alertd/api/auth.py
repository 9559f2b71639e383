"""Who is calling: bearer tokens, and what each role may do."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from alertd.api.wrong_tokens import WrongTokens
from alertd.errors import AlertdError
from alertd.model.token import Role, Token, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from alertd.clock import Clock

TOKEN: Final = web.RequestKey("token", Token)
"""Under this key a request carries its caller."""
SENDERS: Final = frozenset({Role.INTAKE, Role.OPERATOR, Role.ADMIN})
"""The roles that may send events."""


class UnauthorizedError(AlertdError):
    """No token, or none that is known: 401."""


class ForbiddenError(AlertdError):
    """The token is known and may not do this: 403."""


class WrongWorkspaceError(ForbiddenError):
    """The token belongs to another workspace, `own`, than the one that is asked for."""

    def __init__(self, own: str, asked: str) -> None:
        super().__init__(f"the token belongs to the workspace {own!r}, this concerns the workspace {asked!r}")
        self.own = own


@dataclass(slots=True, eq=False)
class Sender:
    """Who sends on one connection: the token that its last header was found to hold, by which digest, among which generation of tokens."""

    header: str | None = None
    token: Token | None = None
    digest: bytes = b""
    generation: int = 0


class Authenticator:
    """All valid tokens, by the hash of their secret; notes when each was last used."""

    def __init__(self, clock: Clock, tokens: Iterable[Token] = ()) -> None:
        self._clock = clock
        self._tokens: tuple[Token, ...] = ()
        self._generation = 0
        self._by_digest: dict[bytes, Token] = {}
        self._last_used: dict[int, int] = {}
        self._kept: dict[int, int] = {}
        self._wrong = WrongTokens(clock)
        self.replace(tokens)

    def replace(self, tokens: Iterable[Token]) -> None:
        """Know exactly these tokens from now on."""
        self._generation += 1
        self._tokens = tuple(sorted(tokens, key=lambda token: token.id))
        own = {token.digest: token for token in self._tokens}
        old = {token.old_digest: token for token in self._tokens if token.old_digest is not None}
        self._by_digest = old | own
        ids = {token.id for token in self._tokens}
        self._last_used, self._kept = (
            {i: ms for i, ms in of.items() if i in ids} for of in (self._last_used, self._kept)
        )

    def tokens(self) -> Sequence[Token]:
        """All known tokens, oldest first, those included that have expired."""
        return self._tokens

    def last_used_ms(self, token: Token) -> int | None:
        """When a token was last used, as far as is known."""
        return None if token.provisioned else self._last_used.get(token.id, token.last_used_ms)

    def unkept(self) -> dict[int, int]:
        """Say which tokens were used lately, and when, that is not `kept` yet."""
        return {number: ms for number, ms in self._last_used.items() if self._kept.get(number) != ms}

    def kept(self, used: Mapping[int, int]) -> None:
        """Take note of what has been kept of that."""
        self._kept |= used

    def identify(self, header: str | None, address: str = "") -> Token:
        """Return the token of an `Authorization` header that came from an address.

        Raises UnauthorizedError, and TooManyWrongTokensError when more than `WRONG_MAX` wrong ones came from there within
        a minute. The secret is hashed before it is looked up and compared, so that the time taken tells nothing about it.
        """
        secret = _secret(header)
        if not secret:
            raise UnauthorizedError("a bearer token is required: Authorization: Bearer TOKEN")
        token = self._find(_digest(secret))
        if token is None:
            self._wrong.count(address)
            raise UnauthorizedError("the token is unknown, was revoked, or has expired")
        return token

    def recheck(self, header: str | None) -> Token:
        """Return the token of a header that was let in before, as it is now.

        Raises UnauthorizedError when it was revoked or has expired since, ForbiddenError when it came with the secret
        before its rotation.
        """
        digest = _digest(_secret(header))
        token = self._find(digest)
        if token is None:
            raise UnauthorizedError("the token was revoked, or has expired, since the request began")
        if not hmac.compare_digest(token.digest, digest):
            raise ForbiddenError(f"the token {token.name!r} was rotated: this needs its present secret")
        return token

    def recognise(self, header: str | None, sender: Sender) -> Token | None:
        """Return the token of an `Authorization` header; None, without counting that, when it is none of ours.

        The very object of the header that its sender came with last is not hashed again as long as the tokens are the same.
        """
        token = sender.token
        if token is not None and header is sender.header and sender.generation == self._generation:
            return token if self._is_good(token, sender.digest) else None
        sender.header, sender.digest, sender.generation = header, _digest(_secret(header)), self._generation
        sender.token = self._find(sender.digest)
        return sender.token

    def _find(self, digest: bytes) -> Token | None:
        token = self._by_digest.get(digest) if digest else None
        if token is None:
            return None
        known = token.digest if hmac.compare_digest(token.digest, digest) else token.old_digest
        is_known = known is not None and hmac.compare_digest(known, digest)
        return token if is_known and self._is_good(token, digest) else None

    def _is_good(self, token: Token, digest: bytes) -> bool:
        """Whether a token that was found by its digest may be used now; if so that is noted."""
        now_ms = self._clock.now_ms()
        if not token.lives(digest, now_ms):
            return False
        if not token.provisioned:
            self._last_used[token.id] = now_ms
        return True


def _digest(secret: str) -> bytes:
    """Hash a secret; empty, which is nobody's, for no secret at all and for bytes that are no text."""
    try:
        return digest_of(secret) if secret else b""
    except UnicodeEncodeError:
        return b""


def _secret(header: str | None) -> str:
    """Return what follows `Bearer`; empty when that is nothing."""
    scheme, _, secret = (header or "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def caller(request: web.Request) -> Token:
    """Return the token that a request came with."""
    return request[TOKEN]


def require(request: web.Request, least: Role, workspace: str | None = None) -> Token:
    """Return the caller's token if its role is at least `least` and it belongs to `workspace` (None: to all).

    Raises ForbiddenError; of a token of another workspace it does not matter which role it has there.
    """
    token = caller(request)
    if token.workspace is not None and workspace is not None and token.workspace != workspace:
        raise WrongWorkspaceError(token.workspace, workspace)
    if token.role < least:
        raise ForbiddenError(f"this needs the role {least.word}; the token has {token.role.word}")
    if token.workspace is not None and workspace is None:
        raise ForbiddenError(f"the token belongs to the workspace {token.workspace!r}, this concerns all workspaces")
    return token


def may_send(request: web.Request) -> Token:
    """Return the caller's token if it may send events. Raises ForbiddenError."""
    token = caller(request)
    if token.role not in SENDERS:
        raise ForbiddenError(f"the role {token.role.word} may not send events")
    return token
