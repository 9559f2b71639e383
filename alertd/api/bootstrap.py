"""The first token: with no token anywhere, an admin of all workspaces is made and kept in a file for the CLI."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from alertd.model.token import PREFIX, Role, Token, digest_of, new_secret

if TYPE_CHECKING:
    from pathlib import Path

    from alertd.clock import Clock
    from alertd.model.ids import IdSource
    from alertd.store.base import TokenStore

SECRET_MIN: Final = 40
"""What is shorter was not made by us, and is replaced."""
FILE_NAME: Final = "admin.token"
"""The file beside the database that holds the first token's secret (mode 0600)."""


async def admin_token(store: TokenStore, file: Path, ids: IdSource, clock: Clock) -> str | None:
    """Make the first token and return its secret; None when `file` already held one, which then serves this store too.

    Another store in the same folder may have made the file: it must not be locked out. The file is written before the
    token is kept: a crash in between leaves a file that the next start takes over, never a token that nobody holds.
    Raises OSError when the file cannot be read or written.
    """
    known = _known_secret(file)
    secret = known or new_secret()
    if known is None:
        write_secret(file, secret)
    await store.add_token(Token(ids.take(), "admin", Role.ADMIN, None, digest_of(secret), clock.now_ms()))
    return None if known else secret


def _known_secret(file: Path) -> str | None:
    try:
        text = file.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None
    return text if text.startswith(PREFIX) and len(text) >= SECRET_MIN else None


def write_secret(file: Path, secret: str) -> None:
    """Write a secret that only its owner may read, in one step."""
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(secret + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)
