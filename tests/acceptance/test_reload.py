"""Acceptance: a configuration read again while events flow, by SIGHUP and by POST /-/reload."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.daemon import Daemon, eventually, hook, route, workspace
from tests.receiver import Gate, status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Site:
    """A daemon whose destinations are added and removed by name; each has the types `<name>.*`."""

    def __init__(self, daemon: Daemon, receiver: Receiver) -> None:
        self.daemon = daemon
        self.receiver = receiver

    def config(self, *names: str, **more: Any) -> dict[str, Any]:
        """Configure exactly these destinations."""
        hooks = [hook(name, self.receiver.url(f"/{name}"), queue={"concurrency": 1}) for name in names]
        retry = {"initial_seconds": 0.05, "max_seconds": 0.1, "jitter": "none", "max_attempts": 50}
        routes = [route(name, f"{name}.*", name) for name in names]
        return {
            "delivery": {"retry": retry, "breaker": {"failures": 1000}},
            "workspaces": [workspace(hooks, routes)],
            **more,
        }

    async def reload(self, *names: str, **more: Any) -> None:
        """Take exactly these destinations."""
        self.daemon.configure(self.config(*names, **more))
        reply = await self.daemon.post("/-/reload")
        assert reply.status == 200, reply.body


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> AsyncIterator[Site]:
    """One daemon for the module; each test brings the destinations that it needs."""
    daemon = Daemon(tmp_path_factory.mktemp("reload"))
    made = Site(daemon, receiver)
    daemon.configure(made.config("base"))
    async with daemon:
        yield made


async def test_sighup_swaps_the_rules(site: Site, receiver: Receiver) -> None:
    """After SIGHUP the new destinations deliver, and the change is logged and counted."""
    daemon = site.daemon
    before = len(daemon.log("config.reloaded"))
    daemon.configure(site.config("base", "added"))
    daemon.signal(signal.SIGHUP)
    await daemon.wait_log("config.reloaded", before + 1)
    await daemon.send("added.x")
    await receiver.expect("/added")
    metrics = await daemon.metrics()
    assert metrics["alertd_config_reload_success"] == 1
    assert {d["name"] for d in (await daemon.get("destinations"))["items"]} == {"base", "added"}


@pytest.mark.parametrize("how", ["signal", "http"])
async def test_a_broken_file_changes_nothing(site: Site, receiver: Receiver, how: str) -> None:
    """A broken file is refused whole: all errors told, the metric at 0, the old rules at work; a good one ends that."""
    daemon = site.daemon
    await site.reload("base", "steady")
    broken = site.config("base", extra={"x": 1})
    broken["workspaces"][0]["channels"][0]["pattern"] = "[a-"
    broken["workspaces"][0]["subscriptions"][0]["destinations"] = ["nobody"]
    daemon.configure(broken)
    before = len(daemon.log("config.refused"))
    if how == "signal":
        daemon.signal(signal.SIGHUP)
    else:
        reply = await daemon.post("/-/reload")
        assert reply.status == 422
        assert len(reply.json["errors"]) == 3
    refused = (await daemon.wait_log("config.refused", before + 3))[before:]
    assert len(refused) == 3
    assert all(entry["file"].endswith("alertd.yml") and entry["line"] > 0 for entry in refused)
    assert {entry["path"].rpartition(".")[2].split("[")[0] for entry in refused} == {"extra", "pattern", "destinations"}

    async def value() -> float:
        return (await daemon.metrics())["alertd_config_reload_success"]

    await eventually(lambda: _is(value, 0), "the metric to fall")
    [made] = await daemon.send("steady.x")
    assert (await daemon.wait_state(made, "delivered"))["destination"] == "steady"
    await site.reload("base")
    assert await value() == 1


async def _is(look: Any, wanted: float) -> bool:
    return bool(await look() == wanted)


async def test_removed_destination(site: Site, receiver: Receiver) -> None:
    """A removed destination ends the attempt in flight; the rest of its deliveries is cancelled with the reason."""
    daemon = site.daemon
    await site.reload("base", "leaving")
    gate = Gate()
    receiver.script("/leaving", gate)
    first, *rest = await daemon.send(*["leaving.x"] * 4)
    await receiver.expect("/leaving")
    await site.reload("base")
    gate.open()
    await daemon.wait_state(first, "delivered")
    for made in rest:
        assert (await daemon.wait_state(made, "cancelled"))["error"] == "destination_removed"
    assert len(receiver.got("/leaving")) == 1
    [later] = await daemon.send("leaving.x")
    assert (await daemon.get(f"events/{later}"))["matched"] is False


async def test_brought_back_while_it_leaves(site: Site, receiver: Receiver) -> None:
    """A destination that comes back while its last attempt is in the air waits for nobody, and loses nothing from then on."""
    daemon = site.daemon
    await site.reload("base", "boomerang")
    gate = Gate()
    receiver.script("/boomerang", gate)
    [old] = await daemon.send("boomerang.x")
    await receiver.expect("/boomerang")
    await site.reload("base")
    reloading = asyncio.ensure_future(site.reload("base", "boomerang", "newcomer"))
    sent: list[str] = []
    while not reloading.done():
        sent += await daemon.send("boomerang.y", "newcomer.y")
    await reloading
    sent += await daemon.send("boomerang.y", "newcomer.y")
    for made in sent:
        page = await daemon.get(f"events/{made}")
        if page["matched"]:
            await daemon.wait_state(made, "delivered")
    assert page["matched"]
    assert receiver.events("/boomerang").count(old) == 1
    gate.open()
    await daemon.wait_state(old, "delivered")


async def test_nothing_is_lost_while_rules_change(site: Site, receiver: Receiver) -> None:
    """Events that arrive during many reloads are all delivered once, by the rules before or after, never by none."""
    daemon = site.daemon
    await site.reload("base", "stream")
    done = asyncio.Event()
    sent: list[str] = []

    async def pour() -> None:
        while not done.is_set():
            sent.extend(await daemon.send(*["stream.x"] * 5))

    pouring = [asyncio.ensure_future(pour()) for _ in range(4)]
    for number in range(12):
        await site.reload("base", "stream", *(["extra"] if number % 2 else []))
    done.set()
    await asyncio.gather(*pouring)
    await receiver.until(lambda: len(receiver.got("/stream")) >= len(sent), "all of the stream")
    assert sorted(receiver.events("/stream")) == sorted(sent)
    assert len({request.delivery_id for request in receiver.got("/stream")}) == len(sent)


async def test_changed_destination(site: Site, receiver: Receiver) -> None:
    """A changed address is used from the next attempt on; what is in flight ends where it began."""
    daemon = site.daemon
    await site.reload("base", "moving")
    gate = Gate()
    receiver.script("/moving", gate)
    first, second = await daemon.send("moving.x", "moving.y")
    await receiver.expect("/moving")
    config = site.config("base", "moving")
    config["workspaces"][0]["destinations"][1]["settings"]["url"] = receiver.url("/moved")
    daemon.configure(config)
    assert (await daemon.post("/-/reload")).status == 200
    gate.open()
    await daemon.wait_state(first, "delivered")
    await daemon.wait_state(second, "delivered")
    assert [len(receiver.got(path)) for path in ("/moving", "/moved")] == [1, 1]


async def test_switched_off_and_on(site: Site, receiver: Receiver) -> None:
    """A destination that is switched off by the file keeps what waits; switched on again it delivers it."""
    daemon = site.daemon
    await site.reload("base", "switch")
    gate = Gate(status(503))
    receiver.script("/switch", gate)
    [made] = await daemon.send("switch.x")
    await receiver.expect("/switch")
    config = site.config("base", "switch")
    config["workspaces"][0]["destinations"][1]["enabled"] = False
    daemon.configure(config)
    assert (await daemon.post("/-/reload")).status == 200
    gate.open()
    await daemon.wait_state(made, "retrying")
    assert (await daemon.get("destinations/switch"))["state"] == "disabled"
    await site.reload("base", "switch")
    await daemon.wait_state(made, "delivered")


async def test_tokens_and_bounds_follow(site: Site) -> None:
    """Tokens and the intake's bounds of the file are in force with the reload, and end with it."""
    daemon = site.daemon
    await site.reload(
        "base",
        tokens=[{"name": "new", "role": "intake", "value": "new-secret"}],
        intake={"http": {"max_events": 2, "rate_per_second": 0.5}},
    )
    assert (await daemon.offer("a", "b", "c", token="new-secret")).status == 413  # noqa: S106 - the test's own
    assert (await daemon.offer("a", token="new-secret")).status == 202  # noqa: S106 - the same
    limited = await daemon.offer("a", token="new-secret")  # noqa: S106 - the same
    assert (limited.status, int(limited.headers["retry-after"]) >= 1) == (429, True)
    await site.reload("base")
    assert (await daemon.offer("a", token="new-secret")).status == 401  # noqa: S106 - the same
    assert (await daemon.offer("a", "b", "c")).status == 202


async def test_the_log_and_what_needs_a_restart(site: Site) -> None:
    """The log's level follows at once; what a reload cannot change is named in the answer and in the log."""
    daemon = site.daemon
    quiet = [f"quiet-{n}" for n in range(9)]
    await site.reload(*quiet, log={"level": "error"})
    daemon.configure(site.config("base", intake={"queue": {"max_events": 4321}}))
    reply = await daemon.post("/-/reload")
    assert reply.status == 200
    assert "intake.queue.max_events" in str(reply.json)
    await daemon.wait_log("config.restart_needed", 1)
    assert daemon.log("config.restart_needed")[-1]["settings"] == ["intake.queue.max_events"]
    await site.reload("base")
    await daemon.wait_log("config.reloaded", 2)
    channels = daemon.log("config.reloaded")[-1]["channels"]
    assert channels + len(quiet) - 1 not in [entry["channels"] for entry in daemon.log("config.reloaded")]


async def test_each_delivered_attempt_is_logged_while_the_level_is_debug(site: Site) -> None:
    """Also when that began with a reload."""
    daemon = site.daemon
    await site.reload("base", log={"level": "debug", "format": "json"})
    [made] = await daemon.send("base.debug")
    delivery = (await daemon.wait_state(made, "delivered"))["id"]

    def lines() -> list[dict[str, Any]]:
        return [entry for entry in daemon.log("delivery.attempted") if entry["delivery"] == delivery]

    assert [line["level"] for line in await eventually(lines, "the line of the attempt")] == ["debug"]
    await site.reload("base")


async def test_what_listens_is_where_links_lead(site: Site, receiver: Receiver) -> None:
    """An address that waits for the next start is in no link yet: nothing answers there."""
    daemon = site.daemon
    daemon.configure(site.config("linked", server={"listen": "0.0.0.0:9"}))
    assert (await daemon.post("/-/reload")).json["restart_needed"] == ["server.listen"]
    await daemon.send("linked.x")
    [request] = await receiver.expect("/linked")
    assert request.data["url"].startswith(f"{daemon.base_url}/")
    await site.reload("base")


async def test_what_does_not_fit_the_api_is_refused_like_any_other(site: Site) -> None:
    """Derived types that feed themselves together with one of the API: the file is named, and what was goes on."""
    daemon = site.daemon
    await site.reload("base")
    there = {"name": "there", "types": ["loop-a"], "type": "loop-b", "occurrences": [1]}
    assert (await daemon.post("derived-types", there)).status == 201
    config = site.config("base")
    config["workspaces"][0]["derived_types"] = [
        {"name": "back", "types": ["loop-b"], "type": "loop-a", "occurrences": [1]}
    ]
    daemon.configure(config)
    before, kept = len(daemon.log("config.refused")), len(daemon.log("config.kept"))
    daemon.signal(signal.SIGHUP)
    await daemon.wait_log("config.kept", kept + 1)
    [refused] = daemon.log("config.refused")[before:]
    assert refused["file"].endswith("alertd.yml")
    assert "derived types that feed themselves" in refused["problem"]
    reply = await daemon.post("/-/reload")
    assert (reply.status, "nothing was changed" in reply.json["detail"]) == (422, True)
    assert daemon.log("config.reload_failed") == []
    assert (await daemon.call("DELETE", "/api/v1/workspaces/default/derived-types/there")).status == 204
    await site.reload("base")
