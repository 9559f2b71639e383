"""A token: what a caller of the API proves who they are with; kept only as a hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import AwareDatetime, Field

from alertd.model.fields import Resource, Slug
from alertd.model.worded import Worded

PREFIX: Final = "alertd_"


class Role(Worded):
    """What a token may do. `intake` may only send events; the others include what stands before them."""

    INTAKE = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


ROLES: Final = {role.word: role for role in Role}


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept: `digest` is the SHA-256 of the secret; `workspace` None means all of them (bootstrap).

    After a rotation the secret before it (`old_digest`) goes on working until `old_until_ms`. `origin` says where the
    configuration holds one that is provisioned (`alertd.yml:42`); it is not stored.
    """

    id: int
    name: str
    role: Role
    workspace: str | None
    digest: bytes
    created_at_ms: int
    provisioned: bool = False
    expires_at_ms: int | None = None
    last_used_ms: int | None = None
    old_digest: bytes | None = None
    old_until_ms: int | None = None
    origin: str | None = None

    def lives(self, digest: bytes, now_ms: int) -> bool:
        """Whether a secret with this digest, one of the token's two, is still good."""
        if self.expires_at_ms is not None and self.expires_at_ms <= now_ms:
            return False
        return digest == self.digest or (self.old_until_ms is not None and now_ms < self.old_until_ms)


class TokenSettings(Resource):
    """What is said of a token when it is made or changed; its secret is alertd's own choice."""

    name: Slug = Field(description="lower-case letters, digits, - and _, 1 to 64 characters")
    role: Literal["intake", "viewer", "operator", "admin"] = Field(description="what it may do")
    expires_at: AwareDatetime | None = Field(None, description="RFC 3339; null: never")


def new_secret() -> str:
    """Make a secret with 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(secret: str) -> bytes:
    """Hash a secret for keeping and comparing (it is random, so a plain SHA-256 is enough)."""
    return hashlib.sha256(secret.encode()).digest()
