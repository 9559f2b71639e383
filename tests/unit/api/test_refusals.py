"""What the log says of refused requests."""

from __future__ import annotations

import structlog

from tests.unit.api.bench import HOME, running


async def test_repeated_refusals_are_one_line_for_each_kind() -> None:
    """Whoever asks without a token, or with too small a role, again and again does not fill the disk."""
    with structlog.testing.capture_logs() as lines:
        async with running() as call:
            for number in range(10):
                await call("GET", f"{HOME}/deliveries/{number}", None)
                await call("GET", f"{HOME}/deliveries", "intake")
    refused = [line for line in lines if line["event"] == "request.refused"]
    assert [(line["reason"], line["path"]) for line in refused] == [
        ("unauthorized", f"{HOME}/deliveries/0"),
        ("forbidden", f"{HOME}/deliveries"),
    ]
