"""A token: what a caller of the API proves who they are with; kept only as a hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

PREFIX: Final = "alertd_"


class Role(IntEnum):
    """What a token may do. `intake` may only send events; the others include what stands before them."""

    INTAKE = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """The word used in YAML and JSON."""
        return self.name.lower()


ROLES: Final = {role.word: role for role in Role}


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept: `digest` is the SHA-256 of the secret; `workspace` None means all of them (bootstrap)."""

    id: int
    name: str
    role: Role
    workspace: str | None
    digest: bytes
    created_at_ms: int
    provisioned: bool = False


def new_secret() -> str:
    """Make a secret with 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(secret: str) -> bytes:
    """Hash a secret for keeping and comparing (it is random, so a plain SHA-256 is enough)."""
    return hashlib.sha256(secret.encode()).digest()
