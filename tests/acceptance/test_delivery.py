"""Acceptance: what becomes of an event between its 202 and its receiver, and what an operator can do about it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.daemon import Daemon, Reply, eventually, hook, route, workspace
from tests.machine import program
from tests.receiver import SECRET, Gate, reset, status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOOKS = (
    "retry",
    "never",
    "polite",
    "gone",
    "moved",
    "missing",
    "again",
    "waiting",
    "tail",
    "probe",
    "bearer",
    "shared",
)
FORBIDDEN = "http://169.254.169.254/latest/meta-data"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> AsyncIterator[Daemon]:
    """One daemon for the module: each scenario has a hook, and the types `<scenario>.*`, of its own."""
    narrow = {"queue": {"concurrency": 1}}
    hooks = [hook(name, receiver.url(f"/{name}"), secret=SECRET, **narrow) for name in HOOKS]
    hooks += [
        hook("forbidden", FORBIDDEN),
        hook("off", receiver.url("/off"), enabled=False),
        hook("each", receiver.url("/each"), per_subscription=True),
        {"name": "null", "type": "null"},
    ]
    routes = [route(name, f"{name}.*", name) for name in (*HOOKS, "forbidden", "off")]
    routes += [
        route("prod", "scope.*", "null", environments=["prod"], projects=["shop"]),
        route("loud", "loud.*", "null", min_severity="error"),
        route("match", "match.*", "null", matchers=['team="payments"', "data.size=~2+", 'severity!="info"']),
        route("asleep", "asleep.*", "null", enabled=False),
        route("cool", "cool.*", "null", cooldown_seconds=600),
        route("brief", "brief.*", "null", cooldown_seconds=0.3),
        route("first", "both.*", "shared", "each"),
        route("second", "both.*", "shared", "each"),
    ]
    config = {
        "delivery": {
            "retry": {"initial_seconds": 0.02, "max_seconds": 0.1, "jitter": "none", "max_attempts": 4},
            "breaker": {"failures": 1000},
        },
        "workspaces": [workspace(hooks, routes)],
    }
    async with Daemon(tmp_path_factory.mktemp("delivery"), config) as made:
        yield made


async def verdict(daemon: Daemon, subscription: str, **event: Any) -> tuple[str, str | None]:
    """Send an event and return what one subscription decided about it, and why."""
    [made] = await daemon.send(event)
    verdicts = (await daemon.get(f"events/{made}"))["verdicts"]
    [found] = [v for v in verdicts if v["subscription"] == subscription]
    return found["verdict"], found["reason"]


def disposition(reply: Reply) -> tuple[int, str]:
    """Return a refusal's status and its words."""
    assert reply.headers["content-type"] == "application/problem+json"
    return reply.status, reply.json["detail"]


# -- which subscriptions fire -----------------------------------------------------------------------------------------


async def test_scope(daemon: Daemon) -> None:
    """A subscription looks only at its projects and environments, and says which field decided."""
    event = {"type": "scope.x", "project": "shop", "environment": "prod"}
    assert await verdict(daemon, "prod", **event) == ("sent", None)
    assert await verdict(daemon, "prod", **{**event, "environment": "staging"}) == ("environment", "environment")
    assert await verdict(daemon, "prod", **{**event, "project": "blog"}) == ("project", "project")
    assert (await verdict(daemon, "prod", type="scope.x"))[0] in ("project", "environment")


@pytest.mark.parametrize(("severity", "word"), [("warning", "severity"), ("error", "sent"), ("fatal", "sent")])
async def test_severity_floor(daemon: Daemon, severity: str, word: str) -> None:
    """Events below min_severity are not sent, those at it and above are."""
    assert (await verdict(daemon, "loud", type="loud.x", severity=severity))[0] == word


async def test_matchers(daemon: Daemon) -> None:
    """All matchers must hold, on labels, on paths into data and on fields."""
    event: dict[str, Any] = {
        "type": "match.x",
        "severity": "error",
        "labels": {"team": "payments"},
        "data": {"size": 22},
    }
    assert await verdict(daemon, "match", **event) == ("sent", None)
    for other in ({"labels": {}}, {"data": {"size": 21}}, {"severity": "info"}):
        assert await verdict(daemon, "match", **{**event, **other}) == ("matcher", "matcher")


async def test_disabled_subscription(daemon: Daemon) -> None:
    """A disabled subscription sends nothing and says so."""
    assert await verdict(daemon, "asleep", type="asleep.x") == ("disabled", "disabled")


async def test_cooldown(daemon: Daemon) -> None:
    """Within cooldown_seconds one alert is sent per project, environment and key."""
    assert (await verdict(daemon, "cool", type="cool.x", key="a"))[0] == "sent"
    assert await verdict(daemon, "cool", type="cool.x", key="a") == ("cooldown", "cooldown")
    for other in ({"key": "b"}, {"key": "a", "project": "shop"}, {"key": "a", "environment": "prod"}):
        assert (await verdict(daemon, "cool", type="cool.x", **other))[0] == "sent"
    within = [{"type": "cool.x", "key": "array"}] * 5
    ids = await daemon.send(*within)
    words = [(await daemon.get(f"events/{made}"))["verdicts"][0]["verdict"] for made in ids]
    assert words == ["sent", *["cooldown"] * 4]


async def test_cooldown_ends(daemon: Daemon) -> None:
    """After the cooldown the next alert is sent."""
    assert (await verdict(daemon, "brief", type="brief.x"))[0] == "sent"

    async def again() -> bool:
        return (await verdict(daemon, "brief", type="brief.x"))[0] == "sent"

    await eventually(again, "the cooldown to end")


async def test_one_delivery_per_destination(daemon: Daemon, receiver: Receiver) -> None:
    """Several subscriptions bring an alert to a destination once; with per_subscription once for each."""
    [made] = await daemon.send({"type": "both.x", "id": "both"})
    each = await receiver.expect("/each", 2)
    assert {request.data["subscription"] for request in each} == {"first", "second"}
    assert each[0].delivery_id != each[1].delivery_id
    shared = await receiver.expect("/shared")
    assert [request.data["subscription"] for request in shared] == ["first"]
    page = await daemon.get(f"events/{made}")
    assert sorted(d["destination"] for d in page["deliveries"]) == ["each", "each", "shared"]
    assert [v["verdict"] for v in page["verdicts"] if v["subscription"] in ("first", "second")] == ["sent", "sent"]


async def test_disabled_destination(daemon: Daemon, receiver: Receiver) -> None:
    """A destination that the configuration has off gets nothing, and cannot be enabled around it."""
    assert await verdict(daemon, "off", type="off.x") == ("destination_disabled", "destination_disabled")
    assert disposition(await daemon.post("destinations/off/enable"))[0] == 409
    assert not receiver.got("/off")


async def test_unmatched_events_are_listed(daemon: Daemon) -> None:
    """An event that no channel knows is kept, and shown as not matched."""
    [made] = await daemon.send("unheard.of")
    page = await daemon.get(f"events/{made}")
    assert (page["matched"], page["alert_id"], page["deliveries"]) == (False, None, [])


# -- attempts ---------------------------------------------------------------------------------------------------------


async def test_retries_share_the_delivery_id(daemon: Daemon, receiver: Receiver) -> None:
    """A failed attempt is made again with the same id and a good signature, and all attempts are on record."""
    receiver.script("/retry", status(503, b"busy"), reset, status(429))
    [made] = await daemon.send("retry.x")
    requests = await receiver.expect("/retry", 4)
    assert len({request.delivery_id for request in requests}) == 1
    assert len({request.body for request in requests}) == 1
    for request in requests:
        request.verify()
    delivery = await daemon.wait_state(made, "delivered")
    assert delivery["id"] == requests[0].delivery_id
    attempts = delivery["attempts"]
    assert [a["number"] for a in attempts] == [1, 2, 3, 4]
    assert [a["status"] for a in attempts] == [503, None, 429, 204]
    assert [a["outcome"] for a in attempts[2:]] == ["retry_later", "delivered"]
    assert attempts[0]["answer"] == "busy"


async def test_max_attempts(daemon: Daemon, receiver: Receiver) -> None:
    """After max_attempts a delivery is dead, and says of what."""
    receiver.script("/never", then=status(500))
    [made] = await daemon.send("never.x")
    delivery = await daemon.wait_state(made, "dead")
    assert [a["status"] for a in delivery["attempts"]] == [500] * 4
    assert delivery["error"] == "webhook: returned 500"
    assert len(receiver.got("/never")) == 4


@pytest.mark.parametrize(("name", "code"), [("moved", 302), ("missing", 404)])
async def test_rejections_are_dead_at_once(daemon: Daemon, receiver: Receiver, name: str, code: int) -> None:
    """Redirects are not followed; they and other 4xx are final after one attempt."""
    receiver.script(f"/{name}", then=status(code, Location=receiver.url("/elsewhere")))
    [made] = await daemon.send(f"{name}.x")
    delivery = await daemon.wait_state(made, "dead")
    assert [(a["outcome"], a["status"]) for a in delivery["attempts"]] == [("rejected", code)]
    assert not receiver.got("/elsewhere")


async def test_egress_guard(daemon: Daemon) -> None:
    """An address that the guard refuses makes a dead delivery that names the reason."""
    [made] = await daemon.send("forbidden.x")
    delivery = await daemon.wait_state(made, "dead")
    assert delivery["error"].startswith("webhook: egress refused: 169.254.169.254")
    assert len(delivery["attempts"]) == 1


async def test_retry_after_rests_the_whole_lane(daemon: Daemon, receiver: Receiver) -> None:
    """Retry-After holds back every delivery to the destination, beyond max_seconds, not only the one that heard it."""
    receiver.script("/polite", status(429, Retry_After="1"))
    ids = await daemon.send(*[{"type": "polite.x", "id": f"polite-{n}"} for n in range(4)])
    requests = await receiver.expect("/polite", 5)
    assert requests[1].at - requests[0].at >= 0.95
    assert sorted({request.event["id"] for request in requests}) == ids
    shown = await daemon.get("destinations/polite")
    assert shown["paused_until"] is None


async def test_gone_disables_and_enable_resumes(daemon: Daemon, receiver: Receiver) -> None:
    """410 ends that delivery and disables the destination; what waits goes on waiting until `enable`."""
    gate = Gate(status(410))
    receiver.script("/gone", gate)
    first, second = await daemon.send("gone.x", "gone.y")
    await receiver.expect("/gone")
    gate.open()
    assert (await daemon.wait_state(first, "dead"))["attempts"][0]["outcome"] == "gone"
    shown = await daemon.get("destinations/gone")
    assert shown["state"] == "disabled"
    assert "410" in shown["disabled_reason"]
    assert await verdict(daemon, "gone", type="gone.z") == ("destination_disabled", "destination_disabled")
    assert (await daemon.deliveries(second))[0]["state"] == "pending"
    assert len(receiver.got("/gone")) == 1
    assert (await daemon.metrics())['alertd_destination_disabled{destination="gone",workspace="default"}'] == 1
    reply = await daemon.post("destinations/gone/enable")
    assert (reply.status, reply.json["disabled_reason"]) == (200, None)
    await daemon.wait_state(second, "delivered")
    assert len(receiver.got("/gone")) == 2


# -- what an operator does --------------------------------------------------------------------------------------------


async def test_replay(daemon: Daemon, receiver: Receiver) -> None:
    """A final delivery is sent again as a new one that names its origin; one that is not final is 409."""
    gate = Gate(status(400))
    receiver.script("/again", gate)
    [made] = await daemon.send("again.x")
    [request] = await receiver.expect("/again")
    assert disposition(await daemon.post(f"deliveries/{request.delivery_id}/replay"))[0] == 409
    gate.open()
    origin = await daemon.wait_state(made, "dead")
    reply = await daemon.post(f"deliveries/{origin['id']}/replay")
    assert (reply.status, reply.json["replay_of"]) == (201, origin["id"])
    second = (await receiver.expect("/again", 2))[1]
    assert (second.delivery_id, second.event) == (reply.json["id"], request.event)

    async def delivered() -> bool:
        return bool((await daemon.get(f"deliveries/{second.delivery_id}"))["state"] == "delivered")

    await eventually(delivered, "the replay to be delivered")
    assert [d["state"] for d in await daemon.deliveries(made)] == ["dead", "delivered"]
    assert disposition(await daemon.post("deliveries/dlv_0000000000000001/replay"))[0] == 404
    assert disposition(await daemon.post("deliveries/nonsense/replay"))[0] == 404


async def test_cancel(daemon: Daemon, receiver: Receiver) -> None:
    """A waiting delivery can be cancelled, one in flight or final cannot; a cancelled one can be replayed."""
    gate = Gate()
    receiver.script("/waiting", gate)
    first, second = await daemon.send("waiting.x", "waiting.y")
    [request] = await receiver.expect("/waiting")
    assert disposition(await daemon.post(f"deliveries/{request.delivery_id}/cancel"))[0] == 409
    waiting = (await daemon.deliveries(second))[0]
    assert waiting["state"] == "pending"
    reply = await daemon.post(f"deliveries/{waiting['id']}/cancel")
    assert (reply.status, reply.json["state"]) == (200, "cancelled")
    gate.open()
    await daemon.wait_state(first, "delivered")
    assert disposition(await daemon.post(f"deliveries/{request.delivery_id}/cancel"))[0] == 409
    assert len(receiver.got("/waiting")) == 1
    reply = await daemon.post(f"deliveries/{waiting['id']}/replay")
    assert reply.status == 201
    assert (await receiver.expect("/waiting", 2))[1].event["id"] == second


async def test_lists_and_filters(daemon: Daemon) -> None:
    """Lists come in pages by cursor, newest first, and can be filtered; a bad parameter is named."""
    ids = await daemon.send(*[{"type": "paged", "id": f"paged-{n}"} for n in range(5)])
    seen: list[str] = []
    cursor = ""
    while True:
        page = await daemon.get(f"events?type=paged&limit=2{cursor}")
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ids[::-1]
    for query, pointer in (("limit=0", "/limit"), ("cursor=x", "/cursor"), ("state=lost", "/state")):
        reply = await daemon.call("GET", f"/api/v1/workspaces/default/deliveries?{query}")
        assert (reply.status, reply.pointers) == (422, [pointer])
    dead = await daemon.get("deliveries?state=dead&destination=forbidden")
    assert {item["destination"] for item in dead["items"]} <= {"forbidden"}


async def test_tail(daemon: Daemon, receiver: Receiver) -> None:
    """The live stream tells verdicts and deliveries while they happen, and a listener that leaves does no harm."""
    receiver.script("/tail", status(503))
    told: list[tuple[str, dict[str, Any]]] = []
    async with asyncio.timeout(60), daemon.tail_stream() as entries:
        [made] = await daemon.send("tail.x")
        async for kind, entry in entries:
            if entry.get("event_id") == made or entry.get("destination") == "tail":
                told.append((kind, entry))
            if len(told) == 3:
                break
    assert [kind for kind, _ in told] == ["verdict", "delivery", "delivery"]
    assert (told[0][1]["subscription"], told[0][1]["verdict"]) == ("tail", "sent")
    assert [entry["state"] for _, entry in told[1:]] == ["retrying", "delivered"]
    assert len({entry["delivery"] for _, entry in told[1:]}) == 1
    await daemon.send("tail.y", "tail.z")
    await receiver.expect("/tail", 4)
    assert not daemon.log("request.failed")


async def test_destination_test(daemon: Daemon, receiver: Receiver) -> None:
    """A test message takes the real path, is marked as a test, answers with the outcome, and is not stored."""
    before = len((await daemon.get("deliveries?limit=200"))["items"])
    receiver.script("/probe", status(200, b"thanks"), status(500, b"oops"))
    good, bad = [(await daemon.post("destinations/probe/test")).json for _ in range(2)]
    assert (good["outcome"], good["status"], good["answer"]) == ("delivered", 200, "thanks")
    assert (bad["outcome"], bad["status"], bad["error"]) == ("retry_later", 500, "webhook: returned 500")
    first, second = receiver.got("/probe")
    assert first.verify()["data"]["test"] is True
    assert first.delivery_id != second.delivery_id
    assert len((await daemon.get("deliveries?limit=200"))["items"]) == before
    assert disposition(await daemon.post("destinations/nobody/test"))[0] == 404


async def test_tokens(daemon: Daemon) -> None:
    """A token is shown once, works at once, is listed without its secret, and ends with its revocation."""
    made = await daemon.post("tokens", {"name": "ci", "role": "intake"})
    assert made.status == 201
    secret = made.json["value"]
    assert (await daemon.offer("token.sent", token=secret)).status == 202
    listed = await daemon.call("GET", "/api/v1/workspaces/default/tokens")
    assert "ci" in [item["name"] for item in listed.json["items"]]
    assert secret.encode() not in listed.body
    assert disposition(await daemon.post("tokens", {"name": "ci", "role": "intake"}))[0] == 409
    bad = await daemon.post("tokens", {"name": "C I", "role": "king", "x": 1})
    assert (bad.status, sorted(bad.pointers)) == (422, ["/name", "/role", "/x"])
    assert (await daemon.call("DELETE", "/api/v1/workspaces/default/tokens/ci")).status == 204
    assert (await daemon.offer("token.sent", token=secret)).status == 401
    assert (await daemon.call("DELETE", "/api/v1/workspaces/default/tokens/ci")).status == 404
    assert secret not in "\n".join(daemon.lines)
    for file in daemon.state.iterdir():
        assert secret.encode() not in file.read_bytes()


# -- what is measured -------------------------------------------------------------------------------------------------


async def test_metrics_tell_what_happened(daemon: Daemon, receiver: Receiver) -> None:
    """Counters follow an event from its acceptance to its delivery."""
    where = 'destination="bearer",workspace="default"'
    receiver.script("/bearer", status(503))
    before = await daemon.metrics()
    [made] = await daemon.send({"type": "bearer.x", "id": "measured"})
    await daemon.send({"type": "bearer.x", "id": "measured"})
    await daemon.wait_state(made, "delivered")
    after = await daemon.metrics()

    def grew(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert grew('alertd_events_total{result="accepted",source="http"}') == 1
    assert grew('alertd_events_total{result="duplicate",source="http"}') == 1
    assert grew('alertd_verdicts_total{subscription="bearer",verdict="sent",workspace="default"}') == 1
    assert grew('alertd_attempts_total{destination="bearer",outcome="retry_later",workspace="default"}') == 1
    assert grew('alertd_attempts_total{destination="bearer",outcome="delivered",workspace="default"}') == 1
    assert grew('alertd_deliveries_total{destination="bearer",state="delivered",workspace="default"}') == 1
    assert grew(f"alertd_attempt_seconds_count{{{where}}}") == 2
    assert grew("alertd_event_to_delivery_seconds_count") == 1
    assert after["alertd_config_reload_success"] == 1
    assert after[f"alertd_lane_capacity{{{where}}}"] == 1000
    assert after["alertd_ruleset_channels"] > 0


async def test_metrics_pass_promtool(daemon: Daemon) -> None:
    """`promtool check metrics` has nothing to say about /metrics."""
    page = (await daemon.call("GET", "/metrics", token="")).body
    process = await asyncio.create_subprocess_exec(
        program("promtool"),
        "check",
        "metrics",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate(page)
    assert (process.returncode, said) == (0, b"")
