"""How a server of one's own is told who sends: a bearer token, or a user's name and password."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from pydantic import SecretStr, ValidationInfo, field_validator

from alertd.model.fields import Resource

if TYPE_CHECKING:
    from alertd.destinations.settings_fields import SecretToken


class LoginRules(Resource):
    """What settings with `token`, `username` and `password` are held to: one way to log in, or none, and that whole."""

    @field_validator("username", check_fields=False)
    @classmethod
    def _plain(cls, username: str | None) -> str | None:
        if username is not None and ":" in username:
            raise ValueError("a user's name without a colon")
        return username

    @field_validator("password", check_fields=False)
    @classmethod
    def _one_way(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if "username" in info.data and (password is None) != (info.data["username"] is None):
            raise ValueError("both username and password, or neither")
        if password is not None and info.data.get("token") is not None:
            raise ValueError("either token, or username and password")
        return password


def authorization(token: SecretToken | None, username: str | None, password: SecretStr | None) -> dict[str, str]:
    """Make the header; nothing when neither is set."""
    if token is not None:
        return {"authorization": f"Bearer {token.get_secret_value()}"}
    if username is not None and password is not None:
        pair = f"{username}:{password.get_secret_value()}"
        return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}
