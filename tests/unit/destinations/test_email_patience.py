"""The longer wait for the reply to a whole letter."""

from __future__ import annotations

import asyncio

import pytest

from alertd.destinations.email_patience import patience


@pytest.mark.parametrize("error", [None, ValueError])
async def test_what_was_left_before_is_left_afterwards(error: type[Exception] | None) -> None:
    """Meanwhile the longer time counts; what was waited for is added to the bound, however the wait ended."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(60) as bound:
        before, began = bound.when() or 0.0, loop.time()
        try:
            with patience(bound, 1000):
                assert (bound.when() or 0.0) >= began + 1000
                await asyncio.sleep(0)
                if error is not None:
                    raise error
        except ValueError:
            assert error is not None
        assert before < (bound.when() or 0.0) <= before + loop.time() - began


async def test_it_has_an_end() -> None:
    """Who does not answer in the longer time either is left."""
    with pytest.raises(TimeoutError):
        await _unanswered()


async def _unanswered() -> None:
    async with asyncio.timeout(60) as bound:
        with patience(bound, 0):
            await asyncio.Event().wait()
