"""Who may come in: what the store holds and what the authenticator knows never part."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from alertd.api.auth import Authenticator, UnauthorizedError
from alertd.app.tokens import Tokens
from alertd.clock import SystemClock
from alertd.config.load import load_config
from alertd.errors import StoreUnavailableError
from alertd.model.ids import IdSource
from alertd.model.token import Role, Token, digest_of
from alertd.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Mapping

CI = Token(7, "ci", Role.OPERATOR, "default", digest_of("ci"), 1)
BEARER = "Bearer ci"


class Slow(MemoryStore):
    """A store whose reads of tokens end when they are let go, with what was there when they began."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.reading: list[asyncio.Event] = []
        self.broken = False

    @override
    async def tokens(self) -> list[Token]:
        """Read now, answer later."""
        found = await super().tokens()
        self.reading.append(let_go := asyncio.Event())
        await let_go.wait()
        return found

    @override
    async def touch_tokens(self, used: Mapping[int, int]) -> None:
        """Keep, unless the disk is full."""
        if self.broken:
            raise StoreUnavailableError("the disk is full")
        await super().touch_tokens(used)


def parts(store: Any) -> tuple[Authenticator, Tokens]:
    """Make an authenticator, and what tells it the tokens of a store."""
    clock = SystemClock()
    authenticator, config = Authenticator(clock), load_config(None, {})
    return authenticator, Tokens(authenticator, store, clock, IdSource(clock), lambda: config)


async def turns() -> None:
    """Let everything go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_revoked_token_does_not_come_back() -> None:
    """A read that began before a token was revoked, and ends after the one that began later, brings nothing back."""
    store = Slow()
    authenticator, tokens = parts(store)
    await store.add_token(CI)
    early = asyncio.create_task(tokens.load())
    await turns()
    await store.remove_token(CI.id)
    late = asyncio.create_task(tokens.load())
    await turns()
    for reading in reversed(store.reading):
        reading.set()
        await turns()
    store.reading[-1].set()
    async with asyncio.timeout(60):
        await asyncio.gather(early, late)
    with pytest.raises(UnauthorizedError):
        authenticator.identify(BEARER)


async def test_what_was_changed_is_known_after_a_read_under_way() -> None:
    """A token that was made, changed or revoked is known as it is now, whatever a read says that began before."""
    store = Slow()
    authenticator, tokens = parts(store)
    await store.add_token(CI)
    changed, fresh = replace(CI, role=Role.VIEWER), replace(CI, id=9, name="fresh")
    for before, after, known in ((CI, changed, [changed]), (CI, None, []), (None, fresh, [CI, fresh])):
        authenticator.replace([CI])
        reading = asyncio.create_task(tokens.load())
        await turns()
        knowing = asyncio.create_task(tokens.know(before, after))
        await turns()
        assert [*authenticator.tokens()] == [CI]
        store.reading[-1].set()
        async with asyncio.timeout(60):
            await asyncio.gather(reading, knowing)
        assert [*authenticator.tokens()] == known


async def test_another_configuration_takes_no_token_of_the_store() -> None:
    """Those of the configuration before go, those of this one come, and nothing is read for it."""
    store = Slow()
    authenticator, tokens = parts(store)
    authenticator.replace([CI, replace(CI, id=8, name="was", provisioned=True)])
    await tokens.reconfigure()
    assert ([*authenticator.tokens()], store.reading) == ([CI], [])


async def test_what_could_not_be_kept_is_kept_later() -> None:
    """When a token was last used is written again until it is stored, and shown meanwhile; nothing is written twice."""
    store = Slow()
    authenticator, tokens = parts(store)
    await store.add_token(CI)
    authenticator.replace([CI])
    authenticator.identify(BEARER)
    shown = authenticator.last_used_ms(CI)
    store.broken = True
    with pytest.raises(StoreUnavailableError):
        await tokens.keep_used()
    authenticator.replace([CI])
    assert authenticator.last_used_ms(CI) == shown is not None
    store.broken = False
    await tokens.keep_used()
    (kept,) = await MemoryStore.tokens(store)
    assert (kept.last_used_ms, authenticator.unkept()) == (shown, {})
