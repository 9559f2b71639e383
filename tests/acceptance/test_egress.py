"""Acceptance: what must not be sent to is said when a destination is made, and kept as dead deliveries otherwise."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.daemon import BELOW, PROGRAM, Daemon, eventually
from tests.http_proxy import HttpProxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORBIDDEN: dict[str, tuple[str, dict[str, Any], str]] = {
    "private": ("webhook", {"url": "http://10.0.0.1/"}, "/settings/url"),
    "metadata": ("webhook", {"url": "http://169.254.169.254/latest/meta-data"}, "/settings/url"),
    "metadata-name": ("webhook", {"url": "http://metadata.google.internal/"}, "/settings/url"),
    "loopback-v6": ("webhook", {"url": "http://[::1]:8080/"}, "/settings/url"),
    "mapped": ("webhook", {"url": "http://[::ffff:10.0.0.1]/"}, "/settings/url"),
    "decimal": ("webhook", {"url": "http://2130706433/"}, "/settings/url"),
    "octal": ("webhook", {"url": "http://0177.0.0.1/"}, "/settings/url"),
    "scheme": ("webhook", {"url": "file:///etc/passwd"}, "/settings/url"),
    "port": ("webhook", {"url": "http://8.8.8.8:25/"}, "/settings/url"),
    "slack": ("slack", {"url": "https://192.168.1.1/services/s3cr3t"}, "/settings/url"),
    "slack-bot": ("slack", {"token": "xoxb-1", "channel": "C1", "api_url": "http://10.0.0.1/api"}, "/settings/api_url"),
    "discord": ("discord", {"url": "https://10.0.0.1/api/webhooks/1/s3cr3t"}, "/settings/url"),
    "alertmanager": ("alertmanager", {"url": "http://10.0.0.1:9093"}, "/settings/url"),
    "email": ("email", {"to": ["a@example.com"], "host": "10.0.0.1"}, "/settings/host"),
    "email-bare": ("email", {"to": ["a@example.com"], "host": "mail.example.com", "tls": "none"}, "/settings/tls"),
    "kafka": (
        "kafka",
        {"topic": "x", "bootstrap_servers": ["k.example.com:9092", "10.0.0.1:9092"]},
        "/settings/bootstrap_servers/1",
    ),
}


async def test_making_it_is_refused(tmp_path: Path) -> None:
    """A destination of any type that names a forbidden place is 422 at the setting that does, and is not made."""
    async with Daemon(tmp_path, {"egress": {"allow": ["127.0.0.1"]}}) as daemon:
        for name, (kind, settings, pointer) in FORBIDDEN.items():
            reply = await daemon.post("destinations", {"name": name, "type": kind, "settings": settings})
            assert (reply.status, reply.pointers) == (422, [pointer]), (name, reply.body)
            assert b"s3cr3t" not in reply.body
            assert (await daemon.call("GET", f"{BELOW}/destinations/{name}")).status == 404


async def test_changing_it_is_refused(tmp_path: Path, receiver: Receiver) -> None:
    """A change to a forbidden place is 422, by PUT and by PATCH, and what was there stays."""
    async with Daemon(tmp_path, {"egress": {"allow": ["127.0.0.1"]}}) as daemon:
        good = {"name": "hook", "type": "webhook", "settings": {"url": receiver.url("/changed")}}
        assert (await daemon.post("destinations", good)).status == 201
        for method, body in (
            ("PUT", {**good, "settings": {"url": "http://10.0.0.1/"}}),
            ("PATCH", {"settings": {"url": "http://10.0.0.1/"}}),
        ):
            reply = await daemon.call(method, f"{BELOW}/destinations/hook", body, headers={"If-Match": "*"})
            assert (reply.status, reply.pointers) == (422, ["/settings/url"]), reply.body
        assert (await daemon.get("destinations/hook"))["settings"]["url"] == receiver.url("/changed")


async def test_it_is_dead_when_the_exception_is_gone(tmp_path: Path, receiver: Receiver) -> None:
    """A reload that narrows egress.allow is taken and told of; what the guard refuses from then on is dead, and says why."""
    channels = [{"name": "all", "kind": "glob", "pattern": "*"}]
    routes = [{"name": "tell", "channels": ["all"], "destinations": ["hook"]}]
    hook = {"name": "hook", "type": "webhook", "settings": {"url": receiver.url("/narrowed")}}
    workspaces = [{"name": "default", "channels": channels, "destinations": [hook], "subscriptions": routes}]
    async with Daemon(tmp_path, {"workspaces": workspaces}) as daemon:
        await daemon.send("a.b")
        await receiver.expect("/narrowed")
        daemon.configure({"workspaces": workspaces, "egress": {"allow": []}})
        assert (await daemon.post("/-/reload")).status == 200
        (warned,) = await daemon.wait_log("destination.forbidden")
        assert (warned["workspace"], warned["destination"], warned["setting"]) == ("default", "hook", "url")
        [made] = await daemon.send("a.b")
        delivery = await daemon.wait_state(made, "dead")
        assert delivery["error"].startswith("webhook: egress refused: 127.0.0.1 is loopback")
        assert len(delivery["attempts"]) == 1
        await daemon.restart()
        [made] = await daemon.send("a.b")
        await daemon.wait_state(made, "dead")
    assert len(receiver.got("/narrowed")) == 1


async def test_everything_leaves_through_a_proxy(tmp_path: Path, receiver: Receiver) -> None:
    """With `egress.proxy` a delivery goes through it, a forbidden one does not, and its password is nowhere; a reload ends that."""
    channels = [{"name": "all", "kind": "glob", "pattern": "*"}]
    port = receiver.url("").rpartition(":")[2]
    hooks = [
        {"name": "far", "type": "webhook", "settings": {"url": f"http://far.example.com:{port}/proxied"}},
        {"name": "near", "type": "webhook", "settings": {"url": receiver.url("/near")}},
    ]
    routes = [{"name": each["name"], "channels": ["all"], "destinations": [each["name"]]} for each in hooks]
    workspaces = [{"name": "default", "channels": channels, "destinations": hooks, "subscriptions": routes}]
    async with HttpProxy({"far.example.com": "127.0.0.1"}) as proxy:
        egress = {"allow": [], "proxy": f"http://ann:s3cr3t-s3cr3t@127.0.0.1:{proxy.port}"}
        async with Daemon(tmp_path, {"workspaces": workspaces, "egress": egress}) as daemon:
            [made] = await daemon.send("a.b")
            await receiver.expect("/proxied")
            assert proxy.asked == [f"POST http://far.example.com:{port}/proxied HTTP/1.1"]

            async def dead() -> str | None:
                return next((each["error"] for each in await daemon.deliveries(made) if each["state"] == "dead"), None)

            assert "egress refused: 127.0.0.1 is loopback" in await eventually(
                dead, "the forbidden delivery to be dead"
            )
            daemon.configure({"workspaces": workspaces, "egress": {"allow": ["127.0.0.1"]}})
            assert (await daemon.post("/-/reload")).status == 200
            await daemon.send("a.b")
            await receiver.expect("/near")
        assert len(proxy.asked) == 1
        assert "s3cr3t" not in "".join(daemon.lines)


async def test_the_platforms_own_are_told_of(tmp_path: Path) -> None:
    """A mail server and a heartbeat that can never be reached keep nothing else from starting, and are warned of."""
    own = {"mail": {"host": "10.0.0.1"}, "heartbeat": {"url": "http://169.254.169.254/s3cr3t"}, "egress": {"allow": []}}
    async with Daemon(tmp_path, own) as daemon:
        warned = {each["setting"]: each["reason"] for each in await daemon.wait_log("setting.forbidden", 2)}
        assert set(warned) == {"mail.host", "heartbeat.url"}
        assert warned["heartbeat.url"].startswith("169.254.169.254 is a metadata service")
        assert "s3cr3t" not in str(warned)


async def test_check_refuses_it(tmp_path: Path) -> None:
    """`alertd check` names every such place with its line, ends with 1, and shows no secret."""
    destinations = [{"name": n, "type": k, "settings": s} for n, (k, s, _) in FORBIDDEN.items()]
    file = tmp_path / "alertd.yml"
    file.write_text(json.dumps({"workspaces": [{"name": "default", "destinations": destinations}]}, indent=1))
    done = subprocess.run([PROGRAM, "check", "--json", file], capture_output=True, check=False)  # noqa: S603, ASYNC221 - our own program
    found = json.loads(done.stdout)["problems"]
    assert done.returncode == 1
    lines = file.read_text().splitlines()
    for number, (_, _, pointer) in enumerate(FORBIDDEN.values()):
        setting, *index = pointer.split("/")[2:]
        path = f"workspaces[0].destinations[{number}].settings.{setting}{''.join(f'[{i}]' for i in index)}"
        (problem,) = [each for each in found if each["path"] == path]
        assert (setting in lines[problem["line"] - 1]) or index
        if "egress guard" in problem["expected"]:  # else it is no address at all
            assert problem["expected"].endswith("; alertd starts all the same, and reaches it never")
    assert len(found) == len(FORBIDDEN)
    assert b"s3cr3t" not in done.stdout + done.stderr
