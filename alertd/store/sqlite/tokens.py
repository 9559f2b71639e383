"""Tokens, kept by the digest of their secret."""

from __future__ import annotations

import sqlite3

from alertd.errors import ConflictError, NotFoundError
from alertd.model.token import Role, Token
from alertd.store.sqlite.part import Part


class Tokens(Part):
    """What authentication asks."""

    async def tokens(self) -> list[Token]:
        """All kept tokens."""
        rows = await self.core.reads.rows(
            "SELECT id, name, role, workspace, digest, created_at, provisioned FROM token ORDER BY id"
        )
        return [Token(r[0], r[1], Role(r[2]), r[3], r[4], r[5], bool(r[6])) for r in rows]

    async def add_token(self, token: Token) -> None:
        """Keep a token. Raises ConflictError when its name is taken in its workspace, or its secret is known."""

        def add(conn: sqlite3.Connection) -> None:
            values = (token.id, token.name, int(token.role), token.workspace, token.digest, token.created_at_ms)
            sql = "INSERT INTO token(id, name, role, workspace, digest, created_at, provisioned) VALUES (?,?,?,?,?,?,?)"
            try:
                conn.execute(sql, (*values, token.provisioned))
            except sqlite3.IntegrityError as error:
                raise ConflictError(f"a token {token.name!r}, or one with its secret, is kept already") from error

        await self.core.writer.run(add)

    async def remove_token(self, token_id: int) -> None:
        """Forget a token. Raises NotFoundError."""

        def remove(conn: sqlite3.Connection) -> None:
            if not conn.execute("DELETE FROM token WHERE id = ?", (token_id,)).rowcount:
                raise NotFoundError(f"there is no token {token_id}")

        await self.core.writer.run(remove)
