"""Acceptance: what an operator is told of destinations later: after a restart, and in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.daemon import Daemon, eventually, hook, route, workspace
from tests.receiver import SECRET, status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = ("works", "fails", "idle", "gone")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> AsyncIterator[Daemon]:
    """A daemon with a hook for each scenario."""
    hooks = [hook(name, receiver.url(f"/{name}"), secret=SECRET) for name in NAMES]
    config = {"workspaces": [workspace(hooks, [route(name, f"{name}.*", name) for name in NAMES])]}
    async with Daemon(tmp_path_factory.mktemp("remembering"), config) as made:
        yield made


async def past(daemon: Daemon, name: str) -> dict[str, Any]:
    """Say what is shown of a destination's past."""
    shown = await daemon.get(f"destinations/{name}")
    return {key: shown[key] for key in ("last_success_at", "last_failure_at", "last_error")}


async def test_a_restart_forgets_no_success_and_no_failure(daemon: Daemon, receiver: Receiver) -> None:
    """A crash, too: both are told with the times and the error that were told before; what never was is still null."""
    receiver.script("/fails", status(400))
    [works, fails] = await daemon.send("works.x", "fails.x")
    await daemon.wait_state(works, "delivered")
    await daemon.wait_state(fails, "dead")
    before = {name: await past(daemon, name) for name in NAMES}
    assert before["works"]["last_success_at"] is not None
    assert "400" in before["fails"]["last_error"]

    async def same() -> bool:
        return {name: await past(daemon, name) for name in NAMES} == before

    for again in (daemon.restart, daemon.stop, daemon.start):
        await again()
        if again != daemon.stop:
            await eventually(same, "what was known before the restart")
    assert set(before["idle"].values()) == {None}


async def test_a_destination_that_is_gone_stands_in_the_audit_log(daemon: Daemon, receiver: Receiver) -> None:
    """410 disables it: a line names the daemon and the reason, and stands below that of who enables it again."""
    receiver.script("/gone", status(410))
    [made] = await daemon.send("gone.x")
    await daemon.wait_state(made, "dead")

    async def lines() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await daemon.get("audit?kind=destination&name=gone"))["items"]
        return items

    [line] = await eventually(lines, "a line in the audit log")
    assert (line["actor"], line["action"], line["before"]) == ("alertd", "disabled", None)
    shown = await daemon.get("destinations/gone")
    assert line["after"] == {"reason": shown["disabled_reason"]}
    assert "410" in shown["disabled_reason"]
    await daemon.post("destinations/gone/enable")
    assert [each["action"] for each in await lines()] == ["enabled", "disabled"]
