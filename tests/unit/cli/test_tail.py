"""`alertd tail`: how it ends."""

from __future__ import annotations

import pytest
from aiohttp import web

from tests.unit.cli.stage import answering


@pytest.mark.parametrize(
    ("reason", "code", "said"),
    [
        ("stopping", 0, "the daemon ended the stream"),
        ("until", 0, "all until then was shown"),
        ("token", 1, "the daemon ended the stream: the token is no longer good"),
        ("workspace", 1, "the daemon ended the stream: the workspace is no more"),
        ("moon", 1, "the daemon ended the stream: moon"),
    ],
)
def test_what_ends_it_is_said_and_is_its_exit_code(reason: str, code: int, said: str) -> None:
    """An end in order is 0; one that is a refusal, or that nobody knows, is 1."""

    async def listen(request: web.Request) -> web.Response:
        return web.Response(
            text=f': ready\n\nevent: end\ndata: {{"reason": "{reason}"}}\n\n', content_type="text/event-stream"
        )

    app = web.Application()
    app.router.add_get("/api/v1/workspaces/default/deliveries/stream", listen)
    with answering(app) as stage:
        result = stage.typed("tail")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (code, f"alertd: {said}")
