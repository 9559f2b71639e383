"""The first token: with no token anywhere, an admin of all workspaces is made and kept in a file for the CLI."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from alertd.model.token import Role, Token, digest_of, new_secret

if TYPE_CHECKING:
    from pathlib import Path

    from alertd.clock import Clock
    from alertd.model.ids import IdSource
    from alertd.store.base import TokenStore

FILE_NAME = "admin.token"
"""The file beside the database that holds the first token's secret (mode 0600)."""


async def admin_token(store: TokenStore, file: Path, ids: IdSource, clock: Clock) -> str:
    """Make the first token, write its secret to `file`, keep its hash, and return the secret.

    The file is written first: a crash in between leaves a file that the next start replaces, never a token that
    nobody holds. Raises OSError when the file cannot be written.
    """
    secret = new_secret()
    write_secret(file, secret)
    await store.add_token(Token(ids.take(), "admin", Role.ADMIN, None, digest_of(secret), clock.now_ms()))
    return secret


def write_secret(file: Path, secret: str) -> None:
    """Write a secret that only its owner may read, in one step."""
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(secret + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)
