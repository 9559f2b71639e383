"""The first token: with no token anywhere, an admin of all workspaces is made and kept in a file for the CLI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alertd.model.token import PREFIX, Role, Token, digest_of, new_secret
from alertd.resources.vault import make_private

if TYPE_CHECKING:
    from pathlib import Path

    from alertd.clock import Clock
    from alertd.model.ids import IdSource

SECRET_MIN: Final = 40
"""What is shorter was not made by us, and is replaced."""
FILE_NAME: Final = "admin.token"
"""The file beside the database that holds the first token's secret (mode 0600)."""


@dataclass(frozen=True, slots=True)
class Access:
    """What somebody who sees the first screen can get in with.

    `first` is the secret that was just made (None: none was); `filed`: what the file holds is good here; `configured` and
    `stored`: whether the configuration holds tokens, and the store.
    """

    first: str | None = None
    filed: bool = False
    configured: bool = False
    stored: bool = False


def admin_token(file: Path, ids: IdSource, clock: Clock) -> tuple[Token, str | None]:
    """Make the first token, to be kept, and its secret; None when `file` already held one, which then serves this store too.

    Another store in the same folder may have made the file: it must not be locked out. The file is written before the
    token is kept: a crash in between leaves a file that the next start takes over, never a token that nobody holds.
    Raises OSError when the file cannot be read or written.
    """
    known = _known_secret(file)
    secret = known or new_secret()
    if known is None:
        write_secret(file, secret)
    token = Token(ids.take(), "admin", Role.ADMIN, None, digest_of(secret), clock.now_ms())
    return token, None if known else secret


def filed_secret(file: Path) -> str | None:
    """Read what the CLI would take from the file; None when that is nothing. Raises OSError when it cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip() or None
    except FileNotFoundError:
        return None


def _known_secret(file: Path) -> str | None:
    text = filed_secret(file) or ""
    return text if text.startswith(PREFIX) and len(text) >= SECRET_MIN else None


def write_secret(file: Path, secret: str) -> None:
    """Write a secret that only its owner may read, in one step."""
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    make_private(fresh, secret)
    fresh.replace(file)
