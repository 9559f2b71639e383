"""Tokens, kept by the digest of their secret."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final

from alertd.errors import ConflictError, NotFoundError
from alertd.model.token import Role, Token
from alertd.store.sqlite.part import Part
from alertd.store.sqlite.resources import log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alertd.store.resource import AuditEntry

_COLUMNS: Final = (
    "id",
    "name",
    "role",
    "workspace",
    "digest",
    "created_at",
    "provisioned",
    "expires_at",
    "last_used_at",
    "old_digest",
    "old_until",
)
_ADD: Final = f"INSERT INTO token({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - fixed
_CHANGE: Final = "UPDATE token SET role = ?, digest = ?, expires_at = ?, old_digest = ?, old_until = ? WHERE id = ?"
_TOUCH: Final = "UPDATE token SET last_used_at = ? WHERE id = ?"


class Tokens(Part):
    """What authentication asks."""

    async def tokens(self) -> list[Token]:
        """All kept tokens."""
        rows = await self.core.reads.rows(f"SELECT {', '.join(_COLUMNS)} FROM token ORDER BY id")  # noqa: S608 - fixed
        return [Token(r[0], r[1], Role(r[2]), r[3], r[4], r[5], bool(r[6]), *r[7:]) for r in rows]

    async def add_token(self, token: Token, audit: Sequence[AuditEntry] = ()) -> None:
        """Keep a token. Raises ConflictError when its name is taken in its workspace, or its secret is known."""

        def add(conn: sqlite3.Connection) -> None:
            try:
                conn.execute(_ADD, _row(token))
            except sqlite3.IntegrityError as error:
                raise ConflictError(f"a token {token.name!r}, or one with its secret, is kept already") from error
            log(conn, audit)

        await self.core.writer.run(add)

    async def change_token(self, token: Token, audit: Sequence[AuditEntry] = ()) -> None:
        """Keep another state of a token. Raises NotFoundError."""
        values = (
            int(token.role),
            token.digest,
            token.expires_at_ms,
            token.old_digest,
            token.old_until_ms,
            token.id,
        )

        def change(conn: sqlite3.Connection) -> None:
            if not conn.execute(_CHANGE, values).rowcount:
                raise NotFoundError(f"there is no token {token.name!r}")
            log(conn, audit)

        await self.core.writer.run(change)

    async def remove_token(self, token_id: int, audit: Sequence[AuditEntry] = ()) -> None:
        """Forget a token. Raises NotFoundError."""

        def remove(conn: sqlite3.Connection) -> None:
            if not conn.execute("DELETE FROM token WHERE id = ?", (token_id,)).rowcount:
                raise NotFoundError(f"there is no token {token_id}")
            log(conn, audit)

        await self.core.writer.run(remove)

    async def touch_tokens(self, used: Mapping[int, int]) -> None:
        """Keep when tokens were last used."""
        rows = [(ms, token_id) for token_id, ms in used.items()]
        await self.core.writer.run(lambda conn: conn.executemany(_TOUCH, rows))


def _row(token: Token) -> tuple[Any, ...]:
    return (
        token.id,
        token.name,
        int(token.role),
        token.workspace,
        token.digest,
        token.created_at_ms,
        int(token.provisioned),
        token.expires_at_ms,
        token.last_used_ms,
        token.old_digest,
        token.old_until_ms,
    )
