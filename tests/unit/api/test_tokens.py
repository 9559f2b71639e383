"""Tokens: made, listed, revoked; their names and what stands in the way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alertd.clock import rfc3339
from alertd.errors import StoreUnavailableError
from tests.unit.api.bench import HOME, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKENS = f"{HOME}/tokens"


async def test_a_token_is_shown_once_and_works_at_once() -> None:
    """The answer alone holds the secret; with it the next request is let in, and lists never show it."""
    async with running() as call:
        status, made = await call("POST", TOKENS, "admin", json={"name": "ci", "role": "viewer"})
        assert status == 201
        headers = {"Authorization": f"Bearer {made['value']}"}
        assert (await call("GET", f"{HOME}/events", None, headers=headers))[0] == 200
        shown = made | {}
        del shown["value"]
        _, again = await call("GET", f"{TOKENS}/ci")
        assert again.pop("last_used_at") >= shown["created_at"]
        assert shown.pop("last_used_at") is None
        assert again == shown
        assert shown["created_at"].endswith("Z")
        assert set(shown) == {"id", "name", "role", "workspace", "created_at", "expires_at", "provisioned", "origin"}
        _, page, _ = await call.full("GET", TOKENS)
        assert shown["id"] in [item["id"] for item in page["items"]]
        assert made["value"] not in str(page)


async def test_a_revoked_token_is_refused_at_once() -> None:
    """After the 204 the very next request with it is 401; revoking again is 404."""
    async with running() as call:
        for by in ("name", "id"):
            _, made = await call("POST", TOKENS, json={"name": "ci", "role": "viewer"})
            headers = {"Authorization": f"Bearer {made['value']}"}
            assert (await call("DELETE", f"{TOKENS}/{made[by]}"))[0] == 204
            assert (await call("GET", f"{HOME}/events", None, headers=headers))[0] == 401
            assert (await call("DELETE", f"{TOKENS}/{made[by]}"))[0] == 404


@pytest.mark.parametrize("other", ["other", "", 7, None])
async def test_a_token_is_for_the_workspace_where_it_is_made(other: Any) -> None:
    """One for another is not made in its place; the workspace's own name may be given."""
    async with running() as call:
        asked = {"name": "ci", "role": "viewer"}
        status, problem = await call("POST", TOKENS, json={**asked, "workspace": other})
        assert (status, problem["errors"][0]["pointer"]) == (422, "/workspace")
        assert (await call("GET", f"{TOKENS}/ci"))[0] == 404
        assert (await call("POST", TOKENS, json={**asked, "workspace": "default"}))[0] == 201


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("other", ["other", "", 7])
async def test_a_token_stays_in_its_workspace(method: str, other: Any) -> None:
    """A change that names another one is refused and changes nothing; what a token shows can be given back."""
    async with running() as call:
        await call("POST", TOKENS, json={"name": "ci", "role": "viewer"})
        change, stale = {"role": "operator"}, {"headers": {"If-Match": "*"}}
        status, problem = await call(method, f"{TOKENS}/ci", json={**change, "workspace": other}, **stale)
        assert (status, problem["errors"][0]["pointer"]) == (422, "/workspace")
        assert (await call("GET", f"{TOKENS}/ci"))[1]["role"] == "viewer"
        status, changed = await call(method, f"{TOKENS}/ci", json={**change, "workspace": "default"}, **stale)
        assert (status, changed["role"]) == (200, "operator")


@pytest.mark.parametrize("name", ["", "A", "a b", "ü", "x" * 65, None, 1, "a\n", ["a"]])
async def test_a_name_is_a_slug(name: Any) -> None:
    """Anything else is 422 at /name."""
    async with running() as call:
        status, problem = await call("POST", TOKENS, json={"name": name, "role": "viewer"})
        assert (status, problem["errors"][0]["pointer"]) == (422, "/name")


async def test_all_that_is_wrong_is_said_at_once() -> None:
    """Unknown fields, a bad name and a bad role are named together."""
    async with running() as call:
        status, problem = await call("POST", TOKENS, json={"nam": "x", "role": "king"})
        assert status == 422
        assert {error["pointer"] for error in problem["errors"]} == {"/nam", "/name", "/role"}


@pytest.mark.parametrize(("body", "expected"), [(b"{", 400), (b"", 400), (b"[]", 422), (b'"x"', 422), (b"\xff", 400)])
async def test_what_is_no_object_is_refused(body: bytes, expected: int) -> None:
    """What is not JSON is 400, JSON that is no object is 422."""
    async with running() as call:
        assert (await call("POST", TOKENS, data=body))[0] == expected


async def test_a_patch_says_that_it_is_a_merge_patch() -> None:
    """As of every resource: JSON Patch and the like are 415, and nothing is changed."""
    async with running() as call:
        await call("POST", TOKENS, json={"name": "ci", "role": "viewer"})
        for kind, status, role in (
            ("application/json-patch+json", 415, "viewer"),
            ("text/plain", 415, "viewer"),
            ("application/merge-patch+json", 200, "operator"),
        ):
            headers = {"If-Match": "*", "Content-Type": kind}
            answered, problem = await call("PATCH", f"{TOKENS}/ci", data='{"role": "operator"}', headers=headers)
            assert answered == status
            assert status == 200 or "send application/merge-patch+json or application/json" in problem["detail"]
            assert (await call("GET", f"{TOKENS}/ci"))[1]["role"] == role


async def test_a_name_is_taken_once_in_a_workspace() -> None:
    """A second token of a name is 409, also when the first is provisioned; another workspace has names of its own."""
    async with running() as call:
        body = {"name": "ci", "role": "viewer"}
        assert (await call("POST", TOKENS, json=body))[0] == 201
        assert (await call("POST", TOKENS, json=body))[0] == 409
        assert (await call("POST", TOKENS, json={"name": "viewer", "role": "viewer"}))[0] == 409
        assert (await call("POST", "/api/v1/workspaces/other/tokens", json=body))[0] == 201


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "", None),
        ("PATCH", "", {"role": "admin"}),
        ("PUT", "", {"role": "admin"}),
        ("POST", "/rotate", {}),
    ],
    ids=["revoke", "patch", "replace", "rotate"],
)
async def test_a_provisioned_token_stays(method: str, path: str, body: Any) -> None:
    """What the configuration file holds is 409 to change or revoke, which names file and line; it has no time of its making."""
    async with running() as call:
        status, problem = await call(method, f"{TOKENS}/viewer{path}", json=body, headers={"If-Match": "*"})
        assert status == 409
        assert "provisioned by alertd.yml:2" in problem["detail"]
        _, token = await call("GET", f"{TOKENS}/viewer")
        assert (token["provisioned"], token["origin"], token["created_at"]) == (True, "alertd.yml:2", None)
        assert token["role"] == "viewer"


async def test_two_of_the_same_name_at_once_make_one() -> None:
    """Of requests that race for a name one wins and the others get 409."""
    async with running() as call:
        body = {"name": "ci", "role": "viewer"}
        answers = await asyncio.gather(*(call("POST", TOKENS, json=body) for _ in range(5)))
        assert sorted(status for status, _ in answers) == [201, 409, 409, 409, 409]


async def test_a_long_list_comes_in_pages() -> None:
    """Pages in order of making hold every token once; filters are named as the fields."""
    async with running() as call:
        for number in range(5):
            await call("POST", TOKENS, json={"name": f"t{number}", "role": "intake"})
        names, cursor = [], ""
        while True:
            _, page = await call("GET", f"{TOKENS}?limit=2&role=intake{cursor}")
            names += [token["name"] for token in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert names == ["intake", "t0", "t1", "t2", "t3", "t4"]
        assert [t["name"] for t in (await call("GET", f"{TOKENS}?name=t3"))[1]["items"]] == ["t3"]
        assert (await call("GET", f"{TOKENS}?role=king"))[0] == 422


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "role", "x"]), inner, max_size=3)
    ),
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(JSON.map(orjson.dumps) | st.binary(max_size=20), max_size=10))
def test_no_body_is_answered_with_5xx(bodies: list[bytes]) -> None:
    """Whatever is sent to make a token or an event is 2xx or 4xx."""

    async def fuzz() -> None:
        async with running() as call:
            for body in bodies:
                for path in (TOKENS, "/api/v1/events"):
                    assert (await call("POST", path, data=body))[0] < 500

    asyncio.run(fuzz())


async def test_a_token_ends() -> None:
    """A token works until its end, which may be changed; from then on it is refused like an unknown one."""
    async with running() as call:
        later = rfc3339(call.bench.clock.now_ms() + 60_000)
        _, made = await call("POST", TOKENS, "admin", json={"name": "ci", "role": "viewer", "expires_at": later})
        assert made["expires_at"] == later
        headers = {"Authorization": f"Bearer {made['value']}"}
        assert (await call("GET", f"{HOME}/events", None, headers=headers))[0] == 200
        past = {"expires_at": "2020-01-01T00:00:00Z"}
        assert (await call("PATCH", f"{TOKENS}/ci", "admin", json=past))[0] == 428
        assert (await call("PATCH", f"{TOKENS}/ci", "admin", json=past, headers={"If-Match": "*"}))[0] == 200
        assert (await call("GET", f"{HOME}/events", None, headers=headers))[0] == 401
        for wrong in ("tomorrow", "2030-01-01", "2030-01-01T00:00:00", 5):
            status, problem = await call("POST", TOKENS, json={"name": "x", "role": "viewer", "expires_at": wrong})
            assert (status, problem["errors"][0]["pointer"]) == (422, "/expires_at")


async def test_no_token_is_made_that_has_ended() -> None:
    """An end that is not to come is 422 at `/expires_at`, to the millisecond, and nothing is made."""
    async with running() as call:
        now_ms = call.bench.clock.now_ms()
        for end in ("2020-01-01T00:00:00Z", rfc3339(now_ms)):
            body = {"name": "ci", "role": "viewer", "expires_at": end}
            status, problem = await call("POST", TOKENS, json=body)
            assert (status, [error["pointer"] for error in problem["errors"]]) == (422, ["/expires_at"])
            assert "is over; expected a time to come" in problem["errors"][0]["detail"]
        assert (await call("GET", f"{TOKENS}/ci"))[0] == 404
        later = {"name": "ci", "role": "viewer", "expires_at": rfc3339(now_ms + 60_000)}
        assert (await call("POST", TOKENS, json=later))[0] == 201


async def test_a_role_changes_at_once() -> None:
    """PUT gives another role, which counts for the next request; a stale tag is 412; the name stays."""
    async with running() as call:
        _, made, headers = await call.full("POST", TOKENS, "admin", json={"name": "ci", "role": "viewer"})
        own = {"Authorization": f"Bearer {made['value']}"}
        body, tag = {"role": "admin"}, {"If-Match": headers["ETag"]}
        assert (await call("POST", TOKENS, None, headers=own, json={"name": "x", "role": "viewer"}))[0] == 403
        assert (await call("PUT", f"{TOKENS}/ci", "admin", json={**body, "name": "other"}, headers=tag))[0] == 422
        assert (await call("PUT", f"{TOKENS}/ci", "admin", json=body, headers=tag))[1]["role"] == "admin"
        assert (await call("POST", TOKENS, None, headers=own, json={"name": "x", "role": "viewer"}))[0] == 201
        assert (await call("PUT", f"{TOKENS}/ci", "admin", json=body, headers=tag))[0] == 412
        assert (await call("PUT", f"{TOKENS}/admin", "admin", json=body, headers={"If-Match": "*"}))[0] == 409


async def test_rotation_overlaps() -> None:
    """After a rotation both secrets work until the overlap is over; with none the old one ends at once."""
    async with running() as call:
        _, made = await call("POST", TOKENS, "admin", json={"name": "ci", "role": "viewer"})

        async def works(value: str) -> bool:
            headers = {"Authorization": f"Bearer {value}"}
            return bool((await call("GET", f"{HOME}/events", None, headers=headers))[0] == 200)

        status, second = await call("POST", f"{TOKENS}/ci/rotate", "admin")
        assert (status, second["id"]) == (201, made["id"])
        assert (await works(made["value"]), await works(second["value"])) == (True, True)
        _, third = await call("POST", f"{TOKENS}/ci/rotate", "admin", json={"overlap_seconds": 0})
        assert [await works(each["value"]) for each in (made, second, third)] == [False, False, True]
        for wrong in (-1, 2_592_001, "1", None):
            status, told = await call("POST", f"{TOKENS}/ci/rotate", json={"overlap_seconds": wrong})
            assert status == 422
            if wrong == 2_592_001:
                assert told["detail"].endswith("a number of seconds of at most 2592000 (30 days)")


async def test_a_change_whose_body_is_late_undoes_no_other() -> None:
    """What a change is based on is looked at when all of it is there: a rotation meanwhile stays, and makes a tag stale."""
    async with running() as call:
        _, made, headers = await call.full("POST", TOKENS, "admin", json={"name": "ci", "role": "viewer"})
        for tag, expected in (("*", 200), (headers["ETag"], 412)):
            fresh = ""

            async def body() -> AsyncIterator[bytes]:
                nonlocal fresh
                yield b'{"role": '
                _, rotated = await call("POST", f"{TOKENS}/ci/rotate", "admin", json={"overlap_seconds": 0})
                fresh = rotated["value"]
                yield b'"operator"}'

            asked = {"If-Match": tag, "Content-Type": "application/json"}
            assert (await call("PATCH", f"{TOKENS}/ci", "admin", data=body(), headers=asked))[0] == expected
            for secret, status in ((fresh, 200), (made["value"], 401)):
                own = {"Authorization": f"Bearer {secret}"}
                assert (await call("GET", f"{HOME}/events", None, headers=own))[0] == status


async def test_no_token_is_made_for_a_workspace_that_goes_while_its_body_comes() -> None:
    """It is 404, and nothing is kept that would be good in another workspace of the name."""
    async with running() as call:
        await call("POST", "/api/v1/workspaces", json={"name": "lab"})
        body = call.late_for("lab", b'{"name": "late", ', b'"role": "admin"}')
        assert (await call("POST", "/api/v1/workspaces/lab/tokens", data=body))[0] == 404
        assert [token.name for token in await call.bench.store.tokens()] == ["root"]


async def test_guessing_is_slowed_down() -> None:
    """Of more than 20 wrong tokens a minute from one address the further ones are 429 with Retry-After; a missing token
    stays 401, and a right one is let in all the while.
    """  # noqa: D205 - one thought, two lines
    async with running() as call:
        for _ in range(30):
            assert (await call("GET", f"{HOME}/events", None))[0] == 401
        statuses = [(await call("GET", f"{HOME}/events", f"wrong-{n}"))[0] for n in range(22)]
        assert statuses == [401] * 20 + [429] * 2
        status, _, headers = await call.full("GET", "/api/v1/nowhere", "wrong")
        assert status == 429
        assert 1 <= int(headers["Retry-After"]) <= 60
        assert (await call("GET", f"{HOME}/events", "viewer"))[0] == 200
        assert (await call("GET", f"{HOME}/events", None))[0] == 401


async def test_changes_of_tokens_are_logged_without_secrets() -> None:
    """Making, changing, rotating and revoking are in the audit log, no secret and no hash among them."""
    async with running() as call:
        _, made = await call("POST", TOKENS, "admin", json={"name": "ci", "role": "viewer"})
        await call("PATCH", f"{TOKENS}/ci", "admin", json={"role": "operator"}, headers={"If-Match": "*"})
        _, second = await call("POST", f"{TOKENS}/ci/rotate", "admin")
        await call("DELETE", f"{TOKENS}/ci", "admin")
        _, log = await call("GET", f"{HOME}/audit?kind=token")
        assert [entry["action"] for entry in log["items"]] == ["deleted", "rotated", "updated", "created"]
        assert (log["items"][2]["before"]["role"], log["items"][2]["after"]["role"]) == ("viewer", "operator")
        assert made["value"] not in str(log)
        assert second["value"] not in str(log)


async def _cannot(*_: object) -> None:
    raise StoreUnavailableError("the disk does not answer")


@pytest.mark.parametrize("broken", ["tokens", "change_resources"])
async def test_a_change_that_was_kept_is_in_force(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the store cannot do afterwards: the secret is told, a revoked token is refused, and both are in the log."""
    async with running() as call:
        monkeypatch.setattr(call.bench.store, broken, _cannot)
        status, made = await call("POST", TOKENS, json={"name": "ci", "role": "viewer"})
        assert status == 201
        headers = {"Authorization": f"Bearer {made['value']}"}
        assert (await call("GET", f"{HOME}/events", None, headers=headers))[0] == 200
        assert (await call("PATCH", f"{TOKENS}/ci", json={"role": "operator"}, headers={"If-Match": "*"}))[0] == 200
        assert (await call("POST", f"{TOKENS}/ci/rotate", json={"overlap_seconds": 60}))[0] == 201
        assert (await call("DELETE", f"{TOKENS}/ci"))[0] == 204
        assert (await call("GET", f"{HOME}/events", None, headers=headers))[0] == 401
        _, page = await call("GET", f"{HOME}/audit?kind=token")
        assert [line["action"] for line in page["items"]] == ["deleted", "rotated", "updated", "created"]


async def test_a_change_that_cannot_be_kept_is_in_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is 503, and the token is as it was."""
    async with running() as call:
        assert (await call("POST", TOKENS, json={"name": "ci", "role": "viewer"}))[0] == 201
        for method in ("add_token", "change_token", "remove_token"):
            monkeypatch.setattr(call.bench.store, method, _cannot)
        assert (await call("POST", TOKENS, json={"name": "other", "role": "viewer"}))[0] == 503
        assert (await call("POST", f"{TOKENS}/ci/rotate"))[0] == 503
        assert (await call("DELETE", f"{TOKENS}/ci"))[0] == 503
        assert (await call("GET", f"{TOKENS}/other"))[0] == 404
        _, page = await call("GET", f"{HOME}/audit?kind=token")
        assert [line["action"] for line in page["items"]] == ["created"]


async def test_the_tokens_of_a_deleted_workspace_end_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, whatever cannot be read then; one of the same name that is made later knows none of them."""
    async with running() as call:
        place = "/api/v1/workspaces/third"
        assert (await call("POST", "/api/v1/workspaces", json={"name": "third"}))[0] == 201
        _, made = await call("POST", f"{place}/tokens", json={"name": "ci", "role": "viewer"})
        headers = {"Authorization": f"Bearer {made['value']}"}
        assert (await call("GET", f"{place}/events", None, headers=headers))[0] == 200
        monkeypatch.setattr(call.bench.store, "tokens", _cannot)
        assert (await call("DELETE", place))[0] == 204
        assert (await call("POST", "/api/v1/workspaces", json={"name": "third"}))[0] == 201
        assert (await call("GET", f"{place}/events", None, headers=headers))[0] == 401


EVERYWHERE = "/api/v1/tokens"
FIRST = f"{EVERYWHERE}/root"
ROTATE = f"{FIRST}/rotate"


def bearer(made: dict[str, Any]) -> dict[str, str]:
    """Show a secret."""
    return {"Authorization": f"Bearer {made['value']}"}


async def test_those_of_all_workspaces_are_for_their_admins() -> None:
    """They are listed apart from those of a workspace, to whom they belong alone."""
    async with running() as call:
        _, page = await call("GET", EVERYWHERE)
        assert [(item["name"], item["workspace"]) for item in page["items"]] == [("root", None)]
        assert "root" not in [item["name"] for item in (await call("GET", TOKENS))[1]["items"]]
        for who in ("admin", "viewer"):
            for method, path in (("GET", EVERYWHERE), ("POST", EVERYWHERE), ("POST", ROTATE)):
                assert (await call(method, path, who, json={}))[0] == 403
        assert (await call("GET", f"{EVERYWHERE}?workspace=default"))[0] == 422
        status, problem = await call("GET", f"{EVERYWHERE}/ci")
        assert (status, problem["detail"]) == (404, "there is no token 'ci' of all workspaces")


async def test_one_of_all_workspaces_is_made_and_revoked() -> None:
    """It opens every workspace; the log of `default` tells of it."""
    async with running() as call:
        status, made = await call("POST", EVERYWHERE, json={"name": "ci", "role": "viewer"})
        assert (status, made["workspace"]) == (201, None)
        for home in (HOME, "/api/v1/workspaces/other"):
            assert (await call("GET", f"{home}/events", None, headers=bearer(made)))[0] == 200
        assert (await call("POST", EVERYWHERE, json={"name": "ci", "role": "viewer"}))[0] == 409
        assert (await call("DELETE", f"{EVERYWHERE}/ci"))[0] == 204
        assert (await call("GET", f"{HOME}/events", None, headers=bearer(made)))[0] == 401
        lines = (await call("GET", f"{HOME}/audit?kind=token"))[1]["items"]
        assert [(line["name"], line["action"]) for line in lines] == [("ci", "deleted"), ("ci", "created")]


async def test_the_first_one_is_rotated() -> None:
    """Printed at the first start, it has to end some time; who keeps it for the command line is told the new one."""
    async with running() as call:
        status, made = await call("POST", ROTATE, json={"overlap_seconds": 0})
        assert status == 201
        assert call.bench.refiled == [("root", made["value"])]
        assert (await call("GET", EVERYWHERE))[0] == 401
        assert (await call("GET", EVERYWHERE, None, headers=bearer(made)))[0] == 200


async def test_the_last_that_opens_everything_stays() -> None:
    """Neither revoked, nor made less, nor given an end; beside another one it goes. Rotating it is no loss."""
    async with running() as call:
        late = {"If-Match": "*"}
        for method, body in (
            ("DELETE", None),
            ("PATCH", {"role": "viewer"}),
            ("PATCH", {"expires_at": rfc3339(2_000_000_000_000)}),
        ):
            status, problem = await call(method, FIRST, json=body, headers=late)
            assert status == 409
            assert problem["detail"].startswith("'root' is the last admin of all workspaces that does not end")
        for settings_ in ({"role": "viewer"}, {"role": "admin", "expires_at": rfc3339(2_000_000_000_000)}):
            assert (await call("POST", EVERYWHERE, json={"name": settings_["role"], **settings_}))[0] == 201
        assert (await call("DELETE", FIRST))[0] == 409
        _, made = await call("POST", EVERYWHERE, json={"name": "second", "role": "admin"})
        assert (await call("DELETE", FIRST))[0] == 204
        assert (await call("DELETE", f"{EVERYWHERE}/second", None, headers=bearer(made)))[0] == 409


async def test_who_is_revoked_while_the_body_comes_changes_nothing() -> None:
    """A request that was let in makes no token once its own is gone."""
    async with running() as call:
        _, made = await call("POST", EVERYWHERE, json={"name": "leaked", "role": "admin"})

        async def late() -> AsyncIterator[bytes]:
            yield b'{"name": "backdoor",'
            assert (await call("DELETE", f"{EVERYWHERE}/leaked"))[0] == 204
            yield b'"role": "admin"}'

        headers = {**bearer(made), "Content-Type": "application/json"}
        status, problem = await call("POST", EVERYWHERE, None, data=late(), headers=headers)
        assert status == 401
        assert problem["detail"] == "the token was revoked, or has expired, since the request began"
        assert [item["name"] for item in (await call("GET", EVERYWHERE))[1]["items"]] == ["root"]
        assert call.bench.refiled == [("leaked", None)]


async def test_an_old_secret_changes_no_token() -> None:
    """In its overlap it does all else: whoever else has it must not shut out its owner."""
    async with running() as call:
        assert (await call("POST", ROTATE))[0] == 201
        assert (await call("GET", FIRST))[0] == 200
        for method, where in (("POST", ROTATE), ("DELETE", FIRST)):
            status, problem = await call(method, where)
            assert (status, problem["detail"]) == (403, "the token 'root' was rotated: this needs its present secret")
        assert (await call("POST", TOKENS, json={"name": "ci", "role": "viewer"}))[0] == 403
