"""Resources over HTTP: made, read, replaced, patched and deleted, each live for the next event."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from tests.unit.api.bench import HOME, running

RUNS = {"name": "runs", "kind": "regex", "pattern": "run:.*"}
HOOK = {"name": "new-hook", "type": "webhook", "settings": {"url": "https://hooks.example.com/x", "secret": "s3cr3t"}}
TELL = {"name": "tell", "channels": ["runs"], "destinations": ["new-hook"]}
MADE: dict[str, dict[str, Any]] = {
    "projects": {"name": "shop", "environments": ["prod"], "owner": {"name": "Ann", "email": "ann@example.com"}},
    "event-types": {"name": "run:slow", "title": "Slow run", "severity": "warning"},
    "channels": RUNS,
    "destinations": HOOK,
    "subscriptions": {"name": "tell", "channels": ["all"], "destinations": ["hook"]},
    "derived-types": {"name": "often", "type": "run:often", "types": ["run:failed"], "occurrences": [2]},
    "metric-alerts": {"name": "cpu", "types": ["metric"], "field": "data.cpu", "when": "above", "limit": 90},
}
MERGE = {"Content-Type": "application/merge-patch+json"}


async def make(call: Any, path: str, document: dict[str, Any], who: str = "admin") -> Any:
    """Make a resource and return what is answered."""
    status, answer = await call("POST", f"{HOME}/{path}", who, json=document)
    assert status == 201, answer
    return answer


@pytest.mark.parametrize("path", MADE)
async def test_every_kind_lives_its_life(path: str) -> None:
    """Each kind is made, listed, shown, replaced by what was read, patched and deleted, with tags that change."""
    document = MADE[path]
    async with running() as call:
        made = await make(call, path, document)
        where = f"{HOME}/{path}/{document['name']}"
        assert made["provisioned"] is False
        assert made["created_at"] == made["updated_at"] is not None
        _, listed = await call("GET", f"{HOME}/{path}?name={document['name']}", "viewer")
        assert [item["name"] for item in listed["items"]] == [document["name"]]
        status, shown, headers = await call.full("GET", where, "viewer")
        assert (status, shown) == (200, made)
        fresh = {"If-Match": headers["ETag"]}
        status, again, after = await call.full("PUT", where, "admin", json=shown, headers=fresh)
        assert status == 200, again
        assert {**again, "updated_at": 0} == {**shown, "updated_at": 0}
        assert after["ETag"] != headers["ETag"]
        status, patched = await call("PATCH", where, "admin", json={"title": "T"}, headers={"If-Match": after["ETag"]})
        assert (status, patched["title"]) == (200, "T")
        assert (await call("DELETE", where, "admin"))[0] == 204
        assert (await call("GET", where, "viewer"))[0] == 404


@pytest.mark.parametrize("path", MADE)
async def test_only_admins_change(path: str) -> None:
    """Viewers and operators read; whoever only sends does not; another workspace's admin does neither."""
    async with running() as call:
        for who in ("intake", "viewer", "operator", "other-admin"):
            assert (await call("POST", f"{HOME}/{path}", who, json=MADE[path]))[0] == 403
        await make(call, path, MADE[path])
        where = f"{HOME}/{path}/{MADE[path]['name']}"
        for who in ("intake", "viewer", "operator", "other-admin"):
            for method in ("PUT", "PATCH", "DELETE"):
                assert (await call(method, where, who, json={}, headers={"If-Match": "*"}))[0] == 403
        assert [(await call("GET", where, who))[0] for who in ("intake", "other-admin", "viewer")] == [403, 403, 200]


async def test_a_made_route_delivers_the_next_event() -> None:
    """Channel, destination and subscription made over the API take the very next event; a change counts at once."""
    async with running() as call:
        for path, document in (("channels", RUNS), ("destinations", HOOK), ("subscriptions", TELL)):
            await make(call, path, document)
        await call.sent({"type": "run:failed", "id": "one"})
        _, event = await call("GET", f"{HOME}/events/one")
        assert "tell" in [v["subscription"] for v in event["verdicts"] if v["verdict"] == "sent"]
        patched = await call(
            "PATCH",
            f"{HOME}/subscriptions/tell",
            "admin",
            json={"min_severity": "error"},
            headers={"If-Match": "*", **MERGE},
        )
        assert patched[0] == 200
        await call.sent({"type": "run:failed", "id": "two"})
        _, event = await call("GET", f"{HOME}/events/two")
        assert [v["reason"] for v in event["verdicts"] if v["subscription"] == "tell"] == ["severity"]


async def test_secrets_never_come_back() -> None:
    """A secret is answered as `***` by every route that shows a destination, and by the audit log."""
    async with running() as call:
        answers = [await make(call, "destinations", HOOK)]
        where = f"{HOME}/destinations/new-hook"
        for method, path in (
            ("GET", where),
            ("GET", f"{HOME}/destinations"),
            ("POST", f"{where}/disable"),
            ("GET", f"{HOME}/audit"),
        ):
            answers.append((await call(method, path))[1])
        assert "s3cr3t" not in str(answers)
        assert "'secret': '***'" in str(answers[1])


async def test_conditions() -> None:
    """PUT and PATCH without If-Match are 428, stale ones 412; DELETE honours it; POST does not look at it."""
    async with running() as call:
        where = f"{HOME}/channels/runs"
        status, _ = await call("POST", f"{HOME}/channels", json=RUNS, headers={"If-Match": '"9"'})
        assert status == 201
        assert (await call("PUT", where, json=RUNS))[0] == 428
        assert (await call("PATCH", where, json={}))[0] == 428
        for method in ("PUT", "PATCH", "DELETE"):
            assert (await call(method, where, json=RUNS, headers={"If-Match": '"9"'}))[0] == 412
        _, _, headers = await call.full("GET", where)
        assert (await call("GET", where, headers={"If-None-Match": headers["ETag"]}))[0] == 304
        assert (await call("DELETE", where, headers={"If-Match": headers["ETag"]}))[0] == 204


async def test_what_changes_by_itself_is_shown_to_who_knows_its_tag() -> None:
    """The tag is that of what was configured: a destination that was disabled since is no 304."""
    async with running() as call:
        await make(call, "destinations", HOOK)
        where = f"{HOME}/destinations/{HOOK['name']}"
        _, shown, headers = await call.full("GET", where)
        assert (await call("POST", f"{where}/disable"))[0] == 200
        status, now = await call("GET", where, headers={"If-None-Match": headers["ETag"]})
        assert (status, shown["state"], now["state"]) == (200, "enabled", "disabled")


async def test_patch_is_a_merge_patch() -> None:
    """A null takes a field away, an object is merged, a list is replaced; JSON Patch is 415."""
    async with running() as call:
        await make(call, "projects", MADE["projects"])
        where, fresh = f"{HOME}/projects/shop", {"If-Match": "*"}
        status, shown = await call(
            "PATCH", where, json={"owner": None, "environments": ["a", "b"]}, headers=fresh | MERGE
        )
        assert (status, shown["owner"], shown["environments"]) == (200, None, ["a", "b"])
        status, problem = await call(
            "PATCH", where, data="[]", headers=fresh | {"Content-Type": "application/json-patch+json"}
        )
        assert status == 415
        assert "send application/merge-patch+json or application/json" in problem["detail"]


async def test_system_channels_are_built_in() -> None:
    """They are listed and shown, and making, changing or deleting one is 409."""
    async with running() as call:
        _, listed = await call("GET", f"{HOME}/channels?built_in=true")
        assert [c["name"] for c in listed["items"]] == [
            "deploy:failed",
            "deploy:succeeded",
            "run:cancelled",
            "run:failed",
        ]
        where = f"{HOME}/channels/run:failed"
        assert (await call("GET", where))[1]["built_in"] is True
        document = {"name": "run:failed", "kind": "literal", "pattern": "run:failed"}
        assert (await call("POST", f"{HOME}/channels", json=document))[0] == 409
        for method in ("PUT", "PATCH", "DELETE"):
            assert (await call(method, where, json=document, headers={"If-Match": "*"}))[0] == 409


async def test_provisioned_are_read_only() -> None:
    """What the configuration holds is shown with its place; changing or deleting it is 409 that names the place."""
    async with running() as call:
        where = f"{HOME}/subscriptions/everything"
        _, shown, headers = await call.full("GET", where)
        assert (shown["provisioned"], shown["origin"]) == (True, "alertd.yml:10")
        for method in ("PUT", "PATCH", "DELETE"):
            status, problem = await call(method, where, json=shown, headers={"If-Match": headers["ETag"]})
            assert status == 409
            assert "alertd.yml:10" in problem["detail"]


async def test_used_is_409_with_its_users() -> None:
    """Deleting what others use lists them; with cascade it is taken out of them."""
    async with running() as call:
        for path, document in (("channels", RUNS), ("destinations", HOOK), ("subscriptions", TELL)):
            await make(call, path, document)
        status, problem = await call("DELETE", f"{HOME}/channels/runs")
        assert status == 409
        assert [e["pointer"] for e in problem["errors"]] == ["/subscriptions/tell"]
        assert problem["detail"].endswith(
            "?cascade=true takes it out of them, and deletes altogether what has no other"
        )
        assert (await call("DELETE", f"{HOME}/channels/runs?cascade=perhaps"))[0] == 422
        assert (await call("DELETE", f"{HOME}/channels/runs?cascade=true"))[0] == 204
        assert (await call("GET", f"{HOME}/subscriptions/tell"))[0] == 404


async def test_pages_hold_everything_once() -> None:
    """Pages in the order of names hold each item once, whatever the size; a cursor that is none is 422."""
    async with running() as call:
        for n in range(7):
            await make(call, "channels", {**RUNS, "name": f"c{n}"})
        seen, cursor = [], ""
        for _ in range(9):
            status, page = await call("GET", f"{HOME}/channels?limit=2&kind=regex{cursor}")
            assert status == 200
            seen += [item["name"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert seen == [f"c{n}" for n in range(7)]
        for bad in ("x", "after_", "after_%FF", "cur_1"):
            assert (await call("GET", f"{HOME}/channels?cursor={bad}"))[0] == 422


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (b"{", 400, ""),
        (b"[]", 422, ""),
        (b"null", 422, ""),
        (b"{}", 422, "/name"),
        (b'{"name": "a b", "kind": "glob", "pattern": "*"}', 422, "/name"),
        (b'{"name": "x", "kind": "glob", "pattern": "*", "more": 1}', 422, "/more"),
        (b'{"name": "x", "kind": "regex", "pattern": "(" }', 422, "/pattern"),
        (b'{"name": "x", "kind": "group", "pattern": 7}', 422, "/pattern"),
        (b'{"name": "x", "kind": "list", "types": "y"}', 422, "/types"),
        (b"[" * 100_000, 400, ""),
        (b'{"name": "' + b"x" * 3_000_000 + b'"}', 413, ""),
    ],
)
async def test_bad_bodies_change_nothing(body: bytes, status: int, pointer: str) -> None:
    """What is no channel is refused with the place, and nothing was made."""
    async with running() as call:
        found, problem = await call(
            "POST", f"{HOME}/channels", data=BytesIO(body), headers={"Content-Type": "application/json"}
        )
        assert found == status, problem
        if pointer:
            assert pointer in [e["pointer"] for e in problem["errors"]]
        assert (await call("GET", f"{HOME}/audit"))[1]["items"] == []


async def test_workspaces_over_http() -> None:
    """The bootstrap token makes and deletes workspaces; a workspace's admin sees and changes only that one."""
    async with running() as call:
        for who in ("admin", "operator", "viewer"):
            assert (await call("POST", "/api/v1/workspaces", who, json={"name": "lab"}))[0] == 403
        status, made = await call("POST", "/api/v1/workspaces", json={"name": "lab", "title": "Lab"})
        assert (status, made["title"]) == (201, "Lab")
        assert (await call("POST", "/api/v1/workspaces/lab/channels", json=RUNS))[0] == 201
        names = {
            who: [w["name"] for w in (await call("GET", "/api/v1/workspaces", who))[1]["items"]]
            for who in ("root", "viewer")
        }
        assert names == {"root": ["default", "lab", "other"], "viewer": ["default"]}
        assert (await call("GET", "/api/v1/workspaces/lab", "viewer"))[0] == 403
        assert (await call("GET", "/api/v1/workspaces/default", "viewer"))[0] == 200
        assert (await call("HEAD", "/api/v1/workspaces/default", "viewer"))[0] == 200
        assert (await call("HEAD", "/api/v1/workspaces", "viewer"))[0] == 200
        assert (await call("GET", "/api/v1/workspaces", "intake"))[0] == 403
        assert (await call("PATCH", "/api/v1/workspaces/lab", json={"title": "L"}, headers={"If-Match": "*"}))[1][
            "title"
        ] == "L"
        assert (await call("DELETE", "/api/v1/workspaces/lab"))[0] == 409
        assert (await call("DELETE", "/api/v1/workspaces/lab?cascade=true"))[0] == 204
        assert (await call("GET", "/api/v1/workspaces/lab"))[0] == 404
        assert (await call("GET", "/api/v1/workspaces/lab/channels"))[0] == 404


async def test_the_log_tells_who_did_what() -> None:
    """Every change is in the log with its actor, before and after; it is filtered and paged."""
    async with running() as call:
        await make(call, "channels", RUNS)
        await call("PATCH", f"{HOME}/channels/runs", "admin", json={"title": "T"}, headers={"If-Match": "*"})
        await call("DELETE", f"{HOME}/channels/runs")
        await call("POST", f"{HOME}/destinations/hook/disable", "operator")
        _, log = await call("GET", f"{HOME}/audit", "viewer")
        assert [(e["actor"], e["action"], e["kind"], e["name"]) for e in log["items"]] == [
            ("operator", "disabled", "destination", "hook"),
            ("root", "deleted", "channel", "runs"),
            ("admin", "updated", "channel", "runs"),
            ("admin", "created", "channel", "runs"),
        ]
        assert log["items"][2]["before"] == RUNS
        assert log["items"][2]["after"] == {**RUNS, "title": "T"}
        _, page = await call("GET", f"{HOME}/audit?kind=channel&limit=2")
        _, rest = await call("GET", f"{HOME}/audit?kind=channel&limit=2&cursor={page['next_cursor']}")
        assert [e["action"] for e in (*page["items"], *rest["items"])] == ["deleted", "updated", "created"]
        assert (rest["next_cursor"], (await call("GET", f"{HOME}/audit?actor=nobody"))[1]["items"]) == (None, [])


async def test_an_intake_endpoint_has_its_url() -> None:
    """Who may send sees the URL to give away, a viewer does not; one that is made anew has another."""
    async with running() as call:
        document = {"name": "gh", "source": "github", "secret": "s3cr3t"}
        made = await make(call, "intake-endpoints", document)
        assert made["url"].startswith("https://alerts.example.com/base/api/v1/webhooks/github/")
        assert (made["secret"], made["verified"]) == ("***", True)
        where = f"{HOME}/intake-endpoints/gh"
        assert (await call("GET", where, "operator"))[1]["url"] == made["url"]
        assert (await call("GET", where, "viewer"))[1]["url"] is None
        assert (await call("DELETE", where))[0] == 204
        again = await make(call, "intake-endpoints", {**document, "secret": None})
        assert again["url"] != made["url"]
        assert again["verified"] is False


async def test_sdk_keys_of_a_project() -> None:
    """A key is made for a project, shown with the whole DSN that has the project's number, listed and revoked."""
    async with running() as call:
        project = await make(call, "projects", {"name": "shop"})
        where = f"{HOME}/projects/shop/keys"
        for who in ("intake", "viewer", "operator"):
            assert (await call("POST", where, who))[0] == 403
        status, key = await call("POST", where, "admin")
        assert status == 201
        assert key["dsn"] == f"https://{key['public_key']}@alerts.example.com/base/sentry/{project['number']}"
        assert isinstance(project["number"], int)
        status, named = await call("POST", where, "admin", json={"title": "browser"})
        assert (status, named["title"]) == (201, "browser")
        _, listed = await call("GET", where, "operator")
        assert [each["public_key"] for each in listed["items"]] == [key["public_key"], named["public_key"]]
        assert (await call("DELETE", f"{where}/{key['public_key']}"))[0] == 204
        assert (await call("DELETE", f"{where}/{key['public_key']}"))[0] == 404
        assert (await call("POST", f"{HOME}/projects/nothing/keys"))[0] == 404
        assert (await call("POST", where, json={"titel": "x"}))[0] == 422
        assert (await call("DELETE", f"{HOME}/projects/shop"))[0] == 409
        assert (await call("DELETE", f"{HOME}/projects/shop?cascade=true"))[0] == 204


async def test_the_log_gives_no_sdk_key_away() -> None:
    """Who may not send reads in the log that a key was made and revoked, and for what, but not the key."""
    async with running() as call:
        await make(call, "projects", {"name": "shop"})
        _, made = await call("POST", f"{HOME}/projects/shop/keys", json={"title": "web"})
        assert (await call("DELETE", f"{HOME}/projects/shop/keys/{made['public_key']}"))[0] == 204
        _, log = await call("GET", f"{HOME}/audit?kind=sdk_key", "viewer")
        assert [(e["action"], (e["after"] or e["before"])["project"]) for e in log["items"]] == [
            ("deleted", "shop"), ("created", "shop"),
        ]  # fmt: skip
        assert made["public_key"] not in str(log)
        assert all(made["public_key"].startswith(e["name"].rstrip("…")) for e in log["items"])


async def test_a_subscription_tells_what_became_of_its_events() -> None:
    """When it fired last, what it sent, delivered and failed, and why, without reading the history."""
    async with running() as call:
        _, before = await call("GET", f"{HOME}/subscriptions/everything")
        assert (before["last_fired_at"], before["fired_total"]) == (None, 0)
        await call.sent({"type": "x", "id": "one"})
        await call.settled(f"{HOME}/deliveries?subscription=everything")
        _, after = await call("GET", f"{HOME}/subscriptions/everything", "viewer")
        assert after["last_fired_at"] is not None
        assert (after["fired_total"], after["sent_total"], after["delivered_total"]) == (1, 1, 1)
        _, elsewhere = await call("GET", f"{HOME}/subscriptions/elsewhere")
        assert elsewhere["last_fired_at"] is None


async def test_a_subscription_is_tested() -> None:
    """Each of its destinations gets a marked message of the type that is asked for; nothing is stored."""
    async with running() as call:
        where = f"{HOME}/subscriptions/everything/test"
        assert (await call("POST", where, "viewer"))[0] == 403
        status, answer = await call("POST", where, "operator", json={"type": "run:failed"})
        assert status == 200
        assert [(r["destination"], r["outcome"]) for r in answer["results"]] == [("hook", "delivered")]
        (message,) = call.bench.doors["default", "hook"].messages
        assert (message.test, message.event_type, message.subscription) == (True, "run:failed", "everything")
        assert (await call("GET", f"{HOME}/deliveries"))[1]["items"] == []
        for bad in ({"typ": "x"}, {"type": "a b"}, {"type": 5}, {"type": ""}, {"type": "x" * 257}):
            assert (await call("POST", where, "operator", json=bad))[0] == 422
        assert (await call("POST", f"{HOME}/subscriptions/nothing/test"))[0] == 404


async def test_event_types_are_discovered() -> None:
    """Types of the catalogues are listed as built in, those that events brought as learnt, with counts and times."""
    async with running() as call:
        await call.sent({"type": "never.heard.of"}, {"type": "never.heard.of"}, {"type": "app_deployed"})
        _, page = await call("GET", f"{HOME}/event-types?learnt=true", "viewer")
        assert [(t["name"], t["events_total"]) for t in page["items"]] == [("never.heard.of", 2)]
        assert page["items"][0]["first_seen_at"] is not None
        _, known = await call("GET", f"{HOME}/event-types/app_deployed")
        assert (known["built_in"], known["group"], known["events_total"]) == (True, "deployments", 1)
        _, group = await call("GET", f"{HOME}/event-types?group=deployments")
        assert "app_deployed" in [t["name"] for t in group["items"]]
        for method in ("PUT", "PATCH", "DELETE"):
            assert (await call(method, f"{HOME}/event-types/app_deployed", json={}, headers={"If-Match": "*"}))[
                0
            ] == 409
        await make(call, "event-types", {"name": "app_deployed", "title": "Shipped"})
        _, own = await call("GET", f"{HOME}/event-types/app_deployed")
        assert (own["title"], own["built_in"], own["events_total"]) == ("Shipped", False, 1)
