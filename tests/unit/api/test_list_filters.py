"""Lists of resources are filtered by their fields, in the values that an answer shows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.api.bench import HOME, running


async def found(call: Any, query: str) -> list[str]:
    """Name what a list answers to a query."""
    status, page = await call("GET", f"{HOME}/{query}", "viewer")
    assert status == 200, page
    return [each["name"] for each in page["items"]]


@pytest.mark.parametrize("number", ["300", "300.0", "3e2"])
async def test_a_number_is_found_however_it_is_written(number: str) -> None:
    """A field that holds a number is compared as one; a text that is none finds nothing."""
    async with running() as call:
        body = {"channels": ["all"], "destinations": ["hook"]}
        for name, seconds in (("slow", 300), ("quick", 0.5)):
            await call("POST", f"{HOME}/subscriptions", json={**body, "name": name, "cooldown_seconds": seconds})
        assert await found(call, f"subscriptions?cooldown_seconds={number}") == ["slow"]
        assert await found(call, "subscriptions?cooldown_seconds=0.50") == ["quick"]
        for other in ("301", "nan", "soon", ""):
            assert await found(call, f"subscriptions?cooldown_seconds={other}") == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("subscriptions", "enabled"),
        ("destinations", "per_subscription"),
        ("projects", "provisioned"),
        ("channels", "built_in"),
        ("event-types", "learnt"),
        ("intake-endpoints", "deploy_incidents"),
        ("metric-alerts", "enabled"),
    ],
)
async def test_true_or_false_and_nothing_else(path: str, name: str) -> None:
    """What is true or false is so in a filter; another word would find nothing, and is refused by name instead."""
    async with running() as call:
        for word in ("true", "false"):
            assert (await call("GET", f"{HOME}/{path}?{name}={word}", "viewer"))[0] == 200
        for word in ("True", "1", ""):
            status, problem = await call("GET", f"{HOME}/{path}?{name}={word}", "viewer")
            assert (status, problem["errors"]) == (
                422,
                [{"pointer": f"/{name}", "detail": "must be one of true, false"}],
            )


async def test_true_and_false_part_a_list() -> None:
    """Each is on one side."""
    async with running() as call:
        for name, enabled in (("on", True), ("off", False)):
            body = {"name": name, "type": "null", "enabled": enabled}
            await call("POST", f"{HOME}/destinations", json=body)
        assert "on" in await found(call, "destinations?enabled=true")
        assert await found(call, "destinations?enabled=false") == ["off"]


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("GET", "channels/all", "there are no parameters"),
        ("POST", "channels", "there are no parameters"),
        ("POST", "destinations/hook/test", "there are no parameters"),
        ("DELETE", "channels/all", "known is cascade"),
        ("GET", "tokens", "known are name, role, limit, cursor"),
    ],
)
async def test_a_parameter_that_is_unknown_is_told_what_there_is(method: str, path: str, told: str) -> None:
    """Every parameter that is known, one alone, or none."""
    async with running() as call:
        status, problem = await call(method, f"{HOME}/{path}?colour=red", "admin", json={})
        assert (status, problem["errors"]) == (
            422,
            [{"pointer": "/colour", "detail": f"is not known here; {told}"}],
        )
