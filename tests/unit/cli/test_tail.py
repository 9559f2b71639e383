"""`alertd tail`: how it ends, and what it says of what ended."""

from __future__ import annotations

import pytest
from aiohttp import web

from alertd.cli.tail import line_of
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


def test_tail_says_in_a_sentence_how_a_delivery_ended() -> None:
    """One that is dead or cancelled says after how many attempts and why, each once, and no outcome that promises another."""
    ended = {"type": "t", "destination": "d", "state": "dead", "delivery": "dlv_1", "attempt": 1, "status": None}
    for more, said in (
        ({"outcome": "retry_later", "detail": "webhook: refused"}, "dead after 1 attempt, and not tried again: webhook: refused"),
        ({"outcome": "retry_later", "attempt": 3, "status": 503, "detail": "webhook: returned 503"},
         "dead after 3 attempts, and not tried again: webhook: returned 503"),
        ({"outcome": "rejected", "status": 404, "detail": "no such channel"},
         "dead after 1 attempt, and not tried again: no such channel (404)"),
        ({"outcome": "gone", "status": 410, "detail": ""}, "dead after 1 attempt, and not tried again: answered 410"),
        ({"outcome": "rejected", "detail": ""}, "dead after 1 attempt, and not tried again: rejected"),
        ({"outcome": None, "detail": "gave_up"}, "dead, and not tried again: gave up"),
        ({"outcome": None, "detail": "destination_removed", "state": "cancelled"},
         "cancelled, and not tried again: destination removed"),
    ):  # fmt: skip
        assert line_of("delivery", ended | more) == f"delivery  t  d: {said}  (dlv_1)"
