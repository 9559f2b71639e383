"""Who may do what: authentication before everything, roles exactly as promised, workspaces apart."""

from __future__ import annotations

import asyncio
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alertd.model.token import Role, Token, digest_of
from tests.unit.api.bench import DEADLINE, HOME, Caller, running

OPEN = ("/", "/metrics", "/-/healthy", "/-/ready")
READ = ("events", "alerts", "deliveries", "destinations")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/events",
        f"{HOME}/tokens",
        f"{HOME}/deliveries/stream",
        "/api/v1/nothing",
        "/api/",
        "/api",
        "/api/v2/x?y=z",
        "/-/reload",
        "/sentry",
        "/%00/%ff",
    ],
)
async def test_without_a_token_everything_is_401(method: str, path: str) -> None:
    """Known or not, any method: 401 with a problem and how to do better, before anything else is looked at."""
    async with running() as call:
        status, body, headers = await call.full(method, path, None)
        assert status == 401
        assert headers["WWW-Authenticate"].startswith("Bearer")
        assert headers["Content-Type"].startswith("application/problem+json")
        if method != "HEAD":
            assert body["status"] == 401
            assert body["title"] == "Unauthorized"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PROPFIND"])
async def test_doors_of_outside_services_are_shut(method: str) -> None:
    """Below /api/v1/webhooks/ what is unknown is 401, below /sentry/ it is 403, whatever the method, token or not."""
    async with running() as call:
        for path in (
            "/api/v1/webhooks/",
            "/api/v1/webhooks/sentry/",
            "/api/v1/webhooks/nobody/x",
            "/api/v1/webhooks/x/y/z",
        ):
            assert (await call(method, path, None))[0] == 401
        for path in ("/sentry/", "/sentry/api/1/envelope/", "/sentry/x"):
            assert (await call(method, path, None))[0] == 403


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"x" * 3_000_000], ids=["empty", "broken", "bytes", "oversized"]
)
async def test_without_a_token_the_body_does_not_matter(body: bytes) -> None:
    """What a stranger sends is not read: 401, not 400, 413 or 422."""
    async with running() as call:
        for path in ("/api/v1/events", f"{HOME}/tokens"):
            data = io.BytesIO(body)
            status, _ = await call("POST", path, None, data=data, headers={"Content-Type": "application/json"})
            assert status == 401


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic c2VjcmV0", "Bearer wrong", "secret-root", "Bearer secret-root x"]
)
async def test_what_is_not_a_known_token_is_401(header: str) -> None:
    """Another scheme, no secret, a wrong one: 401."""
    async with running() as call:
        status, _ = await call("GET", f"{HOME}/events", None, headers={"Authorization": header})
        assert status == 401


async def test_a_token_of_bytes_that_are_no_text_is_401() -> None:
    """Bytes that are not UTF-8 in the header are a wrong token, not an error of ours."""
    async with running() as call:
        answer = await raw(call, b"GET /api/v1/rejected HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 401 ")


async def test_a_path_of_bytes_that_are_no_text_is_404() -> None:
    """Bytes that are not UTF-8 in a path name nothing."""
    async with running() as call:
        head = b"\r\nHost: x\r\nAuthorization: Bearer secret-root\r\n\r\n"
        for path in (b"/api/v1/workspaces/default/events/\xff", b"/api/v1/workspaces/\xff/events", b"/\xff"):
            answer = await raw(call, b"GET " + path + b" HTTP/1.1" + head)
            assert answer.split(b" ")[1] in {b"400", b"404"}


async def raw(call: Caller, request: bytes) -> bytes:
    """Send bytes as they are and return the beginning of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", call.client.port)
    try:
        writer.write(request)
        return await reader.readline()
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("path", OPEN)
async def test_open_paths_need_no_token(path: str) -> None:
    """Probes, metrics and the front page are for everybody, also by HEAD; they take nothing else."""
    async with running() as call:
        assert (await call("GET", path, None))[0] == 200
        assert (await call("HEAD", path, None))[0] == 200
        status, _, headers = await call.full("OPTIONS", path, None)
        assert (status, headers["Allow"]) == (405, "GET,HEAD")


async def test_every_role_may_do_exactly_its_part() -> None:
    """Intake only sends; viewer reads; operator also sends, tests, replays, switches; admin also minds tokens."""
    reading = {f"GET {HOME}/{name}": "viewer" for name in READ} | {"GET /api/v1/rejected": "viewer"}
    steering = {f"POST {HOME}/destinations/hook/{verb}": "operator" for verb in ("test", "enable", "disable")}
    minding = {f"GET {HOME}/tokens": "admin", f"GET {HOME}/tokens/admin": "admin"}
    ranks = ["intake", "viewer", "operator", "admin", "root"]
    async with running() as call:
        for what, least in (reading | steering | minding).items():
            for who in ranks:
                method, path = what.split(" ")
                status, _ = await call(method, path, who)
                assert status == (200 if ranks.index(who) >= ranks.index(least) else 403), (what, who)
        for who in ranks:
            status, _ = await call("POST", "/api/v1/events", who, json={"type": "t"})
            assert status == (403 if who == "viewer" else 202), who
            status, _ = await call("POST", f"{HOME}/tokens", who, json={"name": f"by-{who}", "role": "viewer"})
            assert status == (201 if who in {"admin", "root"} else 403), who
            status, _ = await call("POST", "/-/reload", who)
            assert status == (200 if who == "root" else 403), who


async def test_replay_and_cancel_are_for_operators() -> None:
    """A viewer may look at a delivery, not send it again."""
    async with running() as call:
        await call.sent({"type": "t"})
        [delivery] = await call.settled(f"{HOME}/deliveries")
        path = f"{HOME}/deliveries/{delivery['id']}"
        assert (await call("GET", path, "viewer"))[0] == 200
        assert (await call("POST", f"{path}/replay", "viewer"))[0] == 403
        assert (await call("POST", f"{path}/cancel", "viewer"))[0] == 403
        assert (await call("POST", f"{path}/replay", "operator"))[0] == 201
        assert (await call("POST", f"{path}/cancel", "operator"))[0] == 409


async def test_a_token_of_another_workspace_is_403_and_its_ids_are_404() -> None:
    """Workspaces are apart: neither lists nor single things of one are seen from the other."""
    async with running() as call:
        [event] = await call.sent({"type": "t"})
        [delivery] = await call.settled(f"{HOME}/deliveries")
        for name in (*READ, "tokens", "deliveries/stream", f"events/{event}", f"deliveries/{delivery['id']}"):
            status, told = await call("GET", f"{HOME}/{name}", "other-admin")
            assert (status, told["token_workspace"]) == (403, "other"), name
            assert told["detail"] == "the token belongs to the workspace 'other', this concerns the workspace 'default'"
        away = "/api/v1/workspaces/other"
        for name in (f"events/{event}", f"deliveries/{delivery['id']}", f"alerts/{delivery['alert_id']}"):
            assert (await call("GET", f"{away}/{name}", "other-admin"))[0] == 404, name
        assert (await call("POST", f"{away}/deliveries/{delivery['id']}/replay", "other-admin"))[0] == 404
        assert (await call("POST", f"{away}/deliveries/{delivery['id']}/cancel", "other-admin"))[0] == 404
        assert (await call("GET", f"/api/v1/alerts/{delivery['alert_id']}", "other-admin"))[0] == 404
        assert (await call("GET", f"/api/v1/alerts/{delivery['alert_id']}", "viewer"))[0] == 200
        body = {"type": "t", "workspace": "other"}
        assert (await call("POST", "/api/v1/events", "intake", json=body))[0] == 403


async def test_an_unknown_workspace_tells_a_stranger_nothing() -> None:
    """A token of one workspace gets 403 for any other, whether it exists or not; only the bootstrap token gets 404."""
    async with running() as call:
        for path in ("events", "tokens", "deliveries/stream"):
            assert (await call("GET", f"/api/v1/workspaces/nope/{path}", "admin"))[0] == 403
            assert (await call("GET", f"/api/v1/workspaces/nope/{path}", "root"))[0] == 404


async def test_refusals_of_the_intake_are_counted_and_no_others() -> None:
    """`alertd_intake_refused_total` is about events: a wrong query elsewhere is not among them."""
    async with running() as call:
        await call("POST", "/api/v1/events", None, json={})
        await call("POST", "/api/v1/events", "viewer", json={"type": "t"})
        await call("POST", "/api/v1/events", "root", data=b"{")
        await call("GET", f"{HOME}/events?limit=x")
        await call("GET", f"{HOME}/events", None)
        value = call.bench.metrics.registry.get_sample_value
        for reason in ("unauthorized", "forbidden", "malformed"):
            assert value("alertd_intake_refused_total", {"reason": reason}) == 1, reason


@pytest.mark.parametrize(
    ("body", "headers"),
    [(b"{", {}), (b"x", {"Content-Encoding": "compress"}), (b"[1]", {})],
)
async def test_every_body_that_cannot_be_read_is_counted(body: bytes, headers: dict[str, str]) -> None:
    """As a rejected event, whether its compression, its JSON or its fields are wrong."""
    async with running() as call:
        await call("POST", "/api/v1/events", data=body, headers={"Content-Type": "application/json", **headers})
        value = call.bench.metrics.registry.get_sample_value
        assert value("alertd_events_total", {"source": "http", "result": "rejected"}) == 1


METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
SEGMENTS = st.sampled_from(
    [
        "api",
        "v1",
        "workspaces",
        "default",
        "other",
        "events",
        "alerts",
        "deliveries",
        "stream",
        "tokens",
        "rejected",
        "destinations",
        "hook",
        "test",
        "replay",
        "cancel",
        "enable",
        "disable",
        "-",
        "healthy",
        "..",
        ".",
    ]
) | st.text(max_size=8)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(METHODS, st.lists(SEGMENTS, max_size=7), st.binary(max_size=40)), max_size=12))
def test_no_request_is_answered_with_5xx_or_without_a_token(requests: list[tuple[str, list[str], bytes]]) -> None:
    """Whatever path, method and body: 401 below /api/ without a token, and never a 5xx with one."""
    asyncio.run(_fuzz(requests))


async def _fuzz(requests: list[tuple[str, list[str], bytes]]) -> None:
    from yarl import URL  # noqa: PLC0415 - only here

    async with running() as call, asyncio.timeout(DEADLINE):
        for method, segments, body in requests:
            if method == "GET" and "stream" in segments:
                continue  # it has no end
            url = URL.build(scheme="http", host="127.0.0.1", port=call.client.port, path="/" + "/".join(segments))
            for who in (None, "root"):
                headers = {"Authorization": "Bearer secret-root"} if who else {}
                async with call.client.session.request(method, url, headers=headers, data=body) as answer:
                    await answer.read()
                    assert answer.status < 500, (method, url)
                    if who is None and url.path.startswith("/api/"):
                        assert answer.status == 401


async def test_a_token_of_a_workspace_that_is_no_more_may_not_send() -> None:
    """A token may outlive its workspace: its events are refused, and others' go on being accepted."""
    async with running() as call:
        token = Token(call.bench.ids.take(), "late", Role.ADMIN, "gone", digest_of("secret-late"), 1)
        await call.bench.store.add_token(token)
        await call.bench.reload_tokens()
        for event in ({"type": "t"}, {"type": "t", "workspace": "gone"}, {"type": "t", "workspace": "default"}):
            status, problem = await call("POST", "/api/v1/events", "late", json=event)
            assert status == 403
            assert "'gone'" in problem["detail"]
        await call.sent({"type": "t"})


async def test_a_workspace_that_the_configuration_had_is_not_taken_over() -> None:
    """One that is made under its name begins empty: what was made in it over the API, tokens too, ends, and the log says so."""
    async with running() as call:
        home, channel = "/api/v1/workspaces/other", {"name": "mine", "kind": "literal", "pattern": "run:failed"}
        _, made = await call("POST", f"{home}/tokens", json={"name": "late", "role": "admin"})
        own = {"Authorization": f"Bearer {made['value']}"}
        assert (await call("POST", f"{home}/channels", None, json=channel, headers=own))[0] == 201
        async with call.bench.registry.rebased({}):
            pass
        assert (await call("GET", f"{home}/channels"))[0] == 404
        assert (await call("POST", "/api/v1/workspaces", json={"name": "other"}))[0] == 201
        assert (await call("GET", f"{home}/channels", None, headers=own))[0] == 401
        assert [
            each["name"] for each in (await call("GET", f"{home}/channels"))[1]["items"] if not each["built_in"]
        ] == []
        assert [(each.kind, each.name) for each in await call.bench.store.resources()] == [("workspace", "other")]
        assert [token.name for token in await call.bench.store.tokens()] == ["root"]
        _, told = await call("GET", f"{home}/audit")
        said = [(each["action"], each["kind"], each["name"]) for each in told["items"]]
        assert said[:3] == [
            ("created", "workspace", "other"),
            ("deleted", "channel", "mine"),
            ("deleted", "token", "late"),
        ]


async def test_a_token_does_not_come_back_with_another_workspace_of_the_name() -> None:
    """A workspace takes its tokens with it: who makes one of that name later has let nobody in."""
    async with running() as call:
        await call("POST", "/api/v1/workspaces", json={"name": "lab"})
        _, made = await call("POST", "/api/v1/workspaces/lab/tokens", json={"name": "late", "role": "admin"})
        own = {"Authorization": f"Bearer {made['value']}"}
        assert (await call("GET", "/api/v1/workspaces/lab/channels", None, headers=own))[0] == 200
        assert (await call("DELETE", "/api/v1/workspaces/lab"))[0] == 204
        assert (await call("GET", "/api/v1/workspaces/lab/channels", None, headers=own))[0] == 401
        await call("POST", "/api/v1/workspaces", json={"name": "lab"})
        assert (await call("GET", "/api/v1/workspaces/lab/channels", None, headers=own))[0] == 401
        assert (await call("GET", "/api/v1/workspaces/lab/tokens"))[1]["items"] == []
        assert [token.name for token in await call.bench.store.tokens()] == ["root"]
        _, told = await call("GET", "/api/v1/workspaces/lab/audit?kind=token")
        assert [(each["action"], each["name"]) for each in told["items"]] == [("deleted", "late"), ("created", "late")]
        assert (told["items"][0]["before"]["role"], told["items"][0]["after"]) == ("admin", None)
        assert made["value"] not in str(told)
