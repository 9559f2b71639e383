"""The `Expect` header: what the server library would answer before anybody was asked who they are."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aiohttp import HttpVersion11, hdrs, web

from alertd.api.problems import problem

if TYPE_CHECKING:
    from collections.abc import Awaitable

Gate: TypeAlias = Callable[[web.Request], web.Response | None]
"""Asks a request who it is; returns the answer for a stranger, None for others."""
GATE: Final[web.AppKey[Gate]] = web.AppKey("gate")
"""Under this key an application carries its gate."""
CONTINUE: Final = "100-continue"
"""The one expectation that there is (RFC 9110, 10.1.1)."""


def behind(
    gate: Gate, handle: Callable[[Any], Awaitable[web.StreamResponse]]
) -> Callable[[Any], Awaitable[web.StreamResponse]]:
    """Let a request that expects something through the gate first, which answers for those that it keeps out.

    Who is kept out is not told to send a body, and hears nothing about what else is wrong.
    """

    async def first(request: web.Request) -> web.StreamResponse:
        expected = request.headers.get(hdrs.EXPECT) if request.version >= HttpVersion11 else None
        if expected is None:
            return await handle(request)
        refusal = gate(request)
        if refusal is None and expected.lower() != CONTINUE:
            refusal = problem(HTTPStatus.EXPECTATION_FAILED, f"Expect can be {CONTINUE} and nothing else")
        return await handle(request) if refusal is None else refusal

    return first
