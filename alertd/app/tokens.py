"""Who may come in: the tokens of the store and of the configuration, and the first one where there is none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from alertd.api.bootstrap import FILE_NAME, Access, admin_token, filed_secret, write_secret
from alertd.app.translate import provisioned_tokens
from alertd.model.token import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from alertd.api.auth import Authenticator
    from alertd.clock import Clock
    from alertd.config.settings import Config
    from alertd.model.ids import IdSource
    from alertd.model.token import Token
    from alertd.store.base import TokenStore

_log = structlog.get_logger("alertd.app")


class Tokens:
    """Gives the authenticator its tokens. `config` answers with the configuration as it is now."""

    def __init__(
        self, authenticator: Authenticator, store: TokenStore, clock: Clock, ids: IdSource, config: Callable[[], Config]
    ) -> None:
        self._authenticator = authenticator
        self._store = store
        self._clock = clock
        self._ids = ids
        self._config = config
        self._loading = asyncio.Lock()

    async def load(self) -> None:
        """Know what the store and the configuration hold now. Raises StoreError.

        One after the other: a read that began before a token was revoked must not end after the one that came later.
        """
        async with self._loading:
            self._authenticator.replace([*await self._store.tokens(), *provisioned_tokens(self._config())])

    async def know(self, before: Token | None, after: Token | None) -> None:
        """Know at once what was just kept of one token: it was `before` (None: it is new) and is `after` (None: it is no more).

        Nothing is read, which may fail when the token is changed already; a read under way is waited for.
        """
        async with self._loading:
            others = [token for token in self._authenticator.tokens() if before is None or token.id != before.id]
            self._authenticator.replace(others if after is None else [*others, after])

    async def reconfigure(self) -> None:
        """Know the tokens of another configuration; those of the store are as they were, and not read again."""
        async with self._loading:
            kept = [token for token in self._authenticator.tokens() if not token.provisioned]
            self._authenticator.replace([*kept, *provisioned_tokens(self._config())])

    async def begin(self) -> Access:
        """Make the first token if there is none anywhere, and say what one can get in with.

        For the moment at which the daemon is ready: what a start makes that fails, nobody gets to see. The token is good
        before anything is waited for, so whoever finds the daemon ready finds the file. Raises OSError, StoreError.
        """
        known = self._authenticator.tokens()
        file = self._config().store.path.with_name(FILE_NAME)
        if known:
            return Access(None, self._is_filed(file, known), *_kinds(known))
        token, secret = admin_token(file, self._ids, self._clock)
        self._authenticator.replace([token])
        await self._store.add_token(token)
        return Access(secret, filed=True, stored=True)

    def refile(self, before: Token, secret: str | None) -> None:
        """Put a token's new secret where its old one is kept for the command line; None: it has none any more.

        A start that finds no token anywhere would take over what the file holds. A file that cannot be written is told.
        """
        file = self._config().store.path.with_name(FILE_NAME)
        try:
            if digest_of(filed_secret(file) or "") not in (before.digest, before.old_digest):
                return
            if secret is None:
                file.unlink()
            else:
                write_secret(file, secret)
        except OSError as error:
            _log.warning("token.not_filed", path=str(file), error=str(error))

    async def keep_used(self) -> None:
        """Keep when tokens were last used; what cannot be written now is written next time. Raises StoreError."""
        used = self._authenticator.unkept()
        if used:
            await self._store.touch_tokens(used)
            self._authenticator.kept(used)

    def _is_filed(self, file: Path, known: Sequence[Token]) -> bool:
        """Say whether the command line gets in with what the file holds; of one that cannot be read it does not."""
        try:
            secret = filed_secret(file)
        except OSError:
            return False
        if secret is None:
            return False
        digest, now_ms = digest_of(secret), self._clock.now_ms()
        return any(digest in (token.digest, token.old_digest) and token.lives(digest, now_ms) for token in known)


def _kinds(known: Sequence[Token]) -> tuple[bool, bool]:
    return any(token.provisioned for token in known), any(not token.provisioned for token in known)
