"""Who sends on one connection: what was proved of a header is not proved again, and ends when its token does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from alertd.api import auth
from alertd.api.auth import Authenticator, Sender
from alertd.clock import SystemClock
from alertd.model.token import Role, Token, digest_of

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = "Bearer s1"
CI = Token(7, "ci", Role.INTAKE, "default", digest_of("s1"), 1)


class StillClock(SystemClock):
    """A clock that is set."""

    ms = 1000

    @override
    def now_ms(self) -> int:
        """The time that it was set to."""
        return self.ms


class Door:
    """An authenticator that knows one token, and somebody who sends on one connection."""

    def __init__(self, *tokens: Token) -> None:
        self.clock = StillClock()
        self.authenticator = Authenticator(self.clock, tokens)
        self.sender = Sender()

    def ask(self, header: str | None = HEADER) -> Token | None:
        """Send a request."""
        return self.authenticator.recognise(header, self.sender)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Sequence[str]:
    """Give what was hashed, as it is."""
    secrets: list[str] = []

    def noting(secret: str) -> bytes:
        secrets.append(secret)
        return digest_of(secret)

    monkeypatch.setattr(auth, "digest_of", noting)
    return secrets


def test_a_header_is_hashed_once(hashed: Sequence[str]) -> None:
    """It is the same object as long as the connection's head is the same; each use is noted."""
    door = Door(CI)
    for ms in (1000, 1001, 1005):
        door.clock.ms = ms
        assert door.ask() is CI
        assert door.authenticator.last_used_ms(CI) == ms
    assert hashed == ["s1"]


def test_what_is_refused_is_not_remembered(hashed: Sequence[str]) -> None:
    """A token that is made while somebody asks with it in vain lets them in."""
    door = Door()
    assert door.ask() is None
    door.authenticator.replace([CI])
    assert door.ask() is CI
    assert hashed == ["s1", "s1"]


@pytest.mark.parametrize("tokens", [(), (replace(CI, digest=digest_of("s2")),), (replace(CI, id=8, digest=b"x" * 32),)])
def test_a_token_that_is_no_more(tokens: Sequence[Token]) -> None:
    """Revoked, rotated without an overlap, or another one in its place: the very next request is refused."""
    door = Door(CI)
    assert door.ask() is CI
    door.authenticator.replace(tokens)
    assert door.ask() is None


def test_a_token_that_changed() -> None:
    """Whoever had it has what it may do now."""
    door = Door(CI)
    assert door.ask() is CI
    changed = replace(CI, role=Role.VIEWER)
    door.authenticator.replace([changed])
    assert door.ask() is changed


@pytest.mark.parametrize(
    "token",
    [replace(CI, expires_at_ms=2000), replace(CI, digest=digest_of("s2"), old_digest=CI.digest, old_until_ms=2000)],
    ids=["expires", "rotated"],
)
def test_a_secret_ends_in_its_millisecond(token: Any) -> None:
    """The last one lets in, the next does not, and that use is not noted; all on one connection."""
    door = Door(token)
    for ms, expected in ((1000, token), (1999, token), (2000, None), (2001, None)):
        door.clock.ms = ms
        assert door.ask() is expected
    assert door.authenticator.last_used_ms(token) == 1999


@pytest.mark.parametrize("other", ["Bearer s2", "Basic s1", "Bearer", "", None, "Bearer \udcff"])
def test_another_header_on_the_connection(other: str | None) -> None:
    """It is looked at by itself, and so is the first one when it comes back."""
    door = Door(CI)
    assert door.ask() is CI
    assert door.ask(other) is None
    assert door.ask(other) is None
    assert door.ask() is CI


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic s1", "Bearer \udcff"])
def test_no_secret_is_nobody(header: str | None) -> None:
    """Not even where the store holds a token without a digest."""
    door = Door(replace(CI, digest=b""))
    assert door.ask(header) is None
    with pytest.raises(auth.UnauthorizedError):
        door.authenticator.identify(header)


def test_two_tokens_on_a_connection() -> None:
    """A proxy sends for many: each request is its own token's."""
    other = replace(CI, id=8, digest=digest_of("s2"))
    door = Door(CI, other)
    assert [door.ask(header) for header in (HEADER, "Bearer s2", "Bearer s2", HEADER)] == [CI, other, other, CI]
