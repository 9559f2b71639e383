"""The store in memory: tokens, the numbers of names, and small facts."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING

from alertd.errors import ConflictError, NotFoundError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alertd.model.ids import NameKey
    from alertd.model.token import Token
    from alertd.store.resource import AuditEntry


class MemoryNames:
    """The part of the store that knows who may call, and what things are called."""

    def __init__(self) -> None:
        self._closed = False
        self._writes = 0
        self._tokens: dict[int, Token] = {}
        self._audit: list[AuditEntry] = []
        self._names: dict[int, NameKey] = {}
        self._meta: dict[str, str] = {}

    async def tokens(self) -> list[Token]:
        """All tokens."""
        return [self._tokens[number] for number in sorted(self._tokens)]

    async def add_token(self, token: Token, audit: Sequence[AuditEntry] = ()) -> None:
        """Keep a token."""
        self._write()
        taken = {(t.workspace or "", t.name) for t in self._tokens.values()}
        digests = {t.digest for t in self._tokens.values()}
        if token.id in self._tokens or (token.workspace or "", token.name) in taken or token.digest in digests:
            raise ConflictError(f"a token {token.name!r}, or one with its secret, is kept already")
        self._tokens[token.id] = token
        self._audit += audit

    async def change_token(self, token: Token, audit: Sequence[AuditEntry] = ()) -> None:
        """Keep another state of a token."""
        self._write()
        before = self._tokens.get(token.id)
        if before is None:
            raise NotFoundError(f"there is no token {token.name!r}")
        self._tokens[token.id] = dataclasses.replace(token, last_used_ms=before.last_used_ms)
        self._audit += audit

    async def touch_tokens(self, used: Mapping[int, int]) -> None:
        """Keep when tokens were last used."""
        self._write()
        for token_id, ms in used.items():
            if token_id in self._tokens:
                self._tokens[token_id] = dataclasses.replace(self._tokens[token_id], last_used_ms=ms)

    async def remove_token(self, token_id: int, audit: Sequence[AuditEntry] = ()) -> None:
        """Forget a token."""
        self._write()
        if self._tokens.pop(token_id, None) is None:
            raise NotFoundError(f"there is no token {token_id}")
        self._audit += audit

    async def intern(self, keys: Sequence[NameKey]) -> dict[NameKey, int]:
        """Numbers of names."""
        self._write()
        known = {key: number for number, key in self._names.items()}
        for key in keys:
            if key not in known:
                known[key] = len(self._names) + 1
                self._names[known[key]] = key
        return {key: known[key] for key in keys}

    async def names(self) -> Mapping[int, NameKey]:
        """Every name."""
        return MappingProxyType(self._names)

    async def get_meta(self, key: str) -> str | None:
        """A small fact."""
        return self._meta.get(key)

    async def set_meta(self, key: str, value: str) -> None:
        """Keep a small fact."""
        self._write()
        self._meta[key] = value

    def _write(self) -> None:
        """Begin a write. Raises StoreUnavailableError."""
        if self._closed:
            raise StoreUnavailableError("the store is closed")
        self._writes += 1

    def _workspace_id(self, name: str) -> int | None:
        return next(iter(self._numbers("workspace", name)), None)

    def _numbers(self, kind: str, name: str, workspace: str | None = None) -> list[int]:
        return [
            number
            for number, key in self._names.items()
            if (key[0], key[2]) == (kind, name) and workspace in (None, key[1])
        ]
