"""Broken resources of every kind: each is answered with the field that is wrong, and nothing has changed."""

from __future__ import annotations

from copy import deepcopy
from io import BytesIO
from typing import Any, Final

import orjson
import pytest

from alertd.api.examples import MADE
from alertd.resources.judge import AROUND, DEPTH_MAX
from alertd.resources.kinds import KINDS, WORKSPACE
from tests.unit.api.bench import HOME, Caller, running

PATHS: Final = {kind.word: f"{HOME}/{kind.path}" for kind in KINDS} | {WORKSPACE.word: "/api/v1/workspaces"}
JSON: Final = {"Content-Type": "application/json"}
DEEP: Final[dict[str, Any]] = orjson.loads(b'{"a":' * 200 + b"1" + b"}" * 200)
EXPLODING: Final = "((((a{1,100}){1,100}){1,100}){1,100})"
BROKEN: Final[list[tuple[str, dict[str, Any], str]]] = [
    *((word, {"name": 5}, "/name") for word in PATHS),
    *((word, {"name": "x" * 65} if word != "event_type" else {"name": "x y"}, "/name") for word in PATHS),
    *((word, {"unknown": 1}, "/unknown") for word in PATHS),
    *((word, {"title": ["x"]}, "/title") for word in PATHS),
    ("workspace", {"owner": {"name": "Ann"}}, "/owner/email"),
    ("workspace", {"schema_policy": "perhaps"}, "/schema_policy"),
    ("workspace", {"catalogues": ["unknown"]}, "/catalogues/0"),
    ("workspace", {"learnt_types_max": 0}, "/learnt_types_max"),
    ("project", {"owner": {"name": "Ann", "email": "nobody"}}, "/owner/email"),
    ("project", {"environments": "prod"}, "/environments"),
    ("project", {"collaborators": [{"name": "bob"}]}, "/collaborators/0/email"),
    ("event_type", {"severity": "loud"}, "/severity"),
    ("event_type", {"group": "A group"}, "/group"),
    ("event_type", {"data_schema": {"type": "nothing"}}, "/data_schema/type"),
    ("event_type", {"data_schema": DEEP}, "/data_schema"),
    ("channel", {"kind": "globb"}, "/kind"),
    ("channel", {"kind": "regex", "pattern": "("}, "/pattern"),
    ("channel", {"kind": "regex", "pattern": "a(?=b)"}, "/pattern"),
    ("channel", {"kind": "regex", "pattern": EXPLODING}, "/pattern"),
    ("channel", {"kind": "glob", "pattern": "x["}, "/pattern"),
    ("channel", {"kind": "glob", "pattern": "{a,b}" * 800}, "/pattern"),
    ("channel", {"kind": "group", "pattern": "no-such-group"}, "/pattern"),
    ("channel", {"kind": "list", "pattern": None}, "/types"),
    ("channel", {"types": ["x"]}, "/types"),
    ("destination", {"type": "slak"}, "/type"),
    ("destination", {"settings": {"url": "nowhere"}}, "/settings/url"),
    ("destination", {"settings": {}}, "/settings/url"),
    ("destination", {"settings": {"url": "http://169.254.169.254/"}}, "/settings/url"),
    ("destination", {"settings": {"url": "https://x.example/", "metod": "PUT"}}, "/settings/metod"),
    ("destination", {"settings": {"url": "https://x.example/", "headers": {"Host": "x"}}}, "/settings/headers"),
    ("destination", {"type": "email", "settings": {"to": [f"a{n}@x.example" for n in range(11)]}}, "/settings/to"),
    ("destination", {"type": "slack", "settings": {"webhook_url": "https://x.example/"}}, "/settings/webhook_url"),
    ("destination", {"queue": {"concurrency": 0}}, "/queue/concurrency"),
    ("destination", {"retry": {"jitter": "some"}}, "/retry/jitter"),
    ("destination", {"timeout_seconds": -1}, "/timeout_seconds"),
    ("destination", {"templates": {"body": "{{ a b }}"}}, "/templates/body"),
    ("subscription", {"channels": []}, "/channels"),
    ("subscription", {"channels": ["rums"]}, "/channels/0"),
    ("subscription", {"destinations": ["hook", "nowhere"]}, "/destinations/1"),
    ("subscription", {"min_severity": "high"}, "/min_severity"),
    ("subscription", {"matchers": ["x"]}, "/matchers/0"),
    ("subscription", {"matchers": ['a="b"', 'a=~"("']}, "/matchers/1"),
    ("subscription", {"triggers": ["boom"]}, "/triggers/0"),
    ("subscription", {"cooldown_seconds": "5m"}, "/cooldown_seconds"),
    ("subscription", {"occurrences": [5, 2]}, "/occurrences"),
    ("subscription", {"enabled": "yes"}, "/enabled"),
    ("derived_type", {"type": "a b"}, "/type"),
    ("derived_type", {"types": []}, "/channel"),
    ("derived_type", {"channel": "all"}, "/channel"),
    ("derived_type", {"occurrences": [0]}, "/occurrences/0"),
    ("derived_type", {"types": [], "channel": "nothing"}, "/channel"),
    ("metric_alert", {"field": ""}, "/field"),
    ("metric_alert", {"when": "over"}, "/when"),
    ("metric_alert", {"limit": "high"}, "/limit"),
    ("metric_alert", {"subscriptions": ["nobody"]}, "/subscriptions/0"),
    ("metric_alert", {"for_seconds": -1}, "/for_seconds"),
    ("intake_endpoint", {"source": "pager"}, "/source"),
    ("intake_endpoint", {"severities": {"page": "loud"}}, "/severities/page"),
    ("intake_endpoint", {"max_body_bytes": 0}, "/max_body_bytes"),
    ("intake_endpoint", {"max_body_bytes": 2**27 + 1}, "/max_body_bytes"),
]
OWN: Final = {"subscription": {"channels": ["all"], "destinations": ["hook"]}, "metric_alert": {"subscriptions": []}}
"""What the examples refer to is made by earlier ones; here it is what the bench has."""


def document(word: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Write the example of a kind with some fields broken."""
    return {**deepcopy(MADE[word]), **OWN.get(word, {}), **changes}


async def state(call: Caller) -> Any:
    """Everything that a change would have changed."""
    return [(await call("GET", path))[1]["items"] for path in PATHS.values()], (await call("GET", f"{HOME}/audit"))[1]


@pytest.mark.parametrize(("word", "changes", "pointer"), BROKEN, ids=lambda each: str(each)[:60])
async def test_a_broken_resource_is_named_and_nothing_changes(word: str, changes: dict[str, Any], pointer: str) -> None:
    """422 with a problem at the field, made or put in the place of a good one; resources and audit log stay as they are."""
    async with running() as call:
        before = await state(call)
        status, problem = await call("POST", PATHS[word], json=document(word, changes))
        assert status == 422, problem
        assert pointer in [each["pointer"] for each in problem["errors"]], problem
        assert await state(call) == before
        good = document(word, {})
        assert (await call("POST", PATHS[word], json=good))[0] == 201
        after = await state(call)
        where = f"{PATHS[word]}/{good['name']}"
        kept = {key: value for key, value in changes.items() if key != "name"}
        if kept:
            status, problem = await call("PUT", where, json=document(word, kept), headers={"If-Match": "*"})
            assert status == 422, problem
            assert pointer in [each["pointer"] for each in problem["errors"]], problem
            assert await state(call) == after


@pytest.mark.parametrize(
    ("settings", "pointers"),
    [
        ({"to": ["nobody"]}, ["/settings/to/0"]),
        ({"to": ["nobody", "ops@example.com", "@"]}, ["/settings/to/0", "/settings/to/2"]),
        ({"to": []}, ["/settings/to"]),
    ],
)
async def test_a_list_with_something_wrong_in_it_is_not_called_empty(
    settings: dict[str, Any], pointers: list[str]
) -> None:
    """Each bad entry is one problem, and the list as a whole is none; an empty one is."""
    async with running() as call:
        broken = {"name": "mail", "type": "email", "settings": settings}
        status, problem = await call("POST", PATHS["destination"], json=broken)
    assert status == 422, problem
    assert [each["pointer"] for each in problem["errors"]] == pointers


@pytest.mark.parametrize("word", PATHS)
async def test_what_is_too_large_or_taken_changes_nothing(word: str) -> None:
    """A body of 10 MB is 413, one that is nested without end 400, a name that is taken 409."""
    async with running() as call:
        good = document(word, {})
        assert (await call("POST", PATHS[word], json=good))[0] == 201
        before = await state(call)
        large = orjson.dumps({**good, "description": "x" * 10_000_000})
        for body, expected in ((large, 413), (b'{"a":' * 100_000, 400), (orjson.dumps(good), 409)):
            status, problem = await call("POST", PATHS[word], data=BytesIO(body), headers=JSON)
            assert status == expected, problem
        assert await state(call) == before


@pytest.mark.parametrize(("levels", "status"), [(DEPTH_MAX, 201), (DEPTH_MAX + 1, 422)])
async def test_how_deep_a_resource_may_be(levels: int, status: int) -> None:
    """As many levels as the bound says are taken, and one more is refused at the field that has it."""
    async with running() as call:
        inner = b'{"a":' * (levels - 2) + b"1" + b"}" * (levels - 2)
        schema = {"enum": [orjson.loads(inner)["a"]]}
        good = document("event_type", {"data_schema": schema})
        found, problem = await call("POST", PATHS["event_type"], json=good)
        assert found == status, problem
        if status != 201:
            assert [each["pointer"] for each in problem["errors"]] == ["/data_schema"]


@pytest.mark.parametrize("name", ["tokens", "diff", "incidents/simulate"])
@pytest.mark.parametrize("levels", [DEPTH_MAX + AROUND + 1, 260, 1000])
async def test_a_body_that_is_too_deep_is_told_so(name: str, levels: int) -> None:
    """Whatever is read as a whole is refused at the field that has too many levels, and not as something else."""
    async with running() as call:
        body = b'{"a":' * levels + b"1" + b"}" * levels
        status, problem = await call("POST", f"{HOME}/{name}", data=body)
        assert status == 422
        (error,) = problem["errors"]
        assert (error["pointer"], "levels of nesting" in error["detail"]) == ("/a", True)


@pytest.mark.parametrize("levels", [DEPTH_MAX, 1000])
async def test_a_patch_that_is_too_deep_is_told_so(levels: int) -> None:
    """It is refused at the field that has too many levels before it is merged, and changes nothing; as deep as may be is taken."""
    async with running() as call:
        assert (await call("POST", PATHS["event_type"], json=document("event_type", {"name": "deep"})))[0] == 201
        assert (await call("POST", f"{HOME}/tokens", json={"name": "deep", "role": "viewer"}))[0] == 201
        for kind, field, expected in (("event-types", "data_schema", 200), ("tokens", "expires_at", 422)):
            body = b'{"%b":%b1%b}' % (field.encode(), b'{"not":' * (levels - 2) + b'{"const":', b"}" * (levels - 1))
            before = await call("GET", f"{HOME}/{kind}/deep")
            status, answer = await call("PATCH", f"{HOME}/{kind}/deep", data=body, headers={"If-Match": "*"} | JSON)
            assert status == (expected if levels == DEPTH_MAX else 422), answer
            if status == 422:
                assert [each["pointer"].split("/")[1] for each in answer["errors"]] == [field]
                assert await call("GET", f"{HOME}/{kind}/deep") == before


async def test_a_workspace_is_compared_with_resources_as_deep_as_they_may_be() -> None:
    """What may be made may stand in a file."""
    async with running() as call:
        inner = b'{"a":' * (DEPTH_MAX - 2) + b"1" + b"}" * (DEPTH_MAX - 2)
        own = document("event_type", {"data_schema": {"enum": [orjson.loads(inner)["a"]]}})
        assert (await call("POST", f"{HOME}/diff", json={"name": "default", "event_types": [own]}))[0] == 200
