"""The vault: seals secrets before they are stored, with a key that is kept apart from the store.

Sealed text is `sealed:` and a Fernet token (AES-128-CBC with HMAC-SHA256, by the package `cryptography`).
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import TYPE_CHECKING, Final

from cryptography.fernet import Fernet, InvalidToken

from alertd.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

PREFIX: Final = "sealed:"
FILE_NAME: Final = "secrets.key"
"""The file beside the database that holds the key (mode 0600), unless the configuration gives one."""


class Vault:
    """Seals and opens with one key: 32 bytes in URL-safe base64. Raises ValueError when it is not such a key."""

    def __init__(self, key: str | bytes) -> None:
        self._fernet = Fernet(key)
        self._key = key.encode() if isinstance(key, str) else key

    def derive(self, purpose: str) -> str:
        """Return a secret that belongs to a purpose: always the same one, and unguessable without the key."""
        return hmac.new(self._key, f"derive:{purpose}".encode(), hashlib.sha256).hexdigest()[:40]

    def seal(self, secret: str) -> str:
        """Seal a text."""
        return PREFIX + self._fernet.encrypt(secret.encode("utf-8", "surrogatepass")).decode()

    def open(self, sealed: str) -> str:
        """Open what was sealed. Raises StoreError when it was sealed with another key."""
        try:
            return self._fernet.decrypt(sealed.removeprefix(PREFIX).encode()).decode("utf-8", "surrogatepass")
        except InvalidToken as error:
            raise StoreError(
                f"a secret in the store was sealed with another key than this one: bring back the {FILE_NAME} that"
                " belongs to the database, or the setting store.secrets_key"
            ) from error


def key_from_file(file: Path) -> str:
    """Read the key, making the file when there is none. Raises OSError."""
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        key = Fernet.generate_key().decode()
    make_private(file, key)
    return key


def make_private(file: Path, secret: str) -> None:
    """Make a file that only its owner may read, with a secret on a line; it lasts when this returns. Raises OSError if it is there."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(secret + "\n")
        stream.flush()
        os.fsync(stream.fileno())
