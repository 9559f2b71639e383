"""The OpenAPI document: valid, complete, and true of roles."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from alertd.api.operation import OPERATIONS, STREAM, Operation
from alertd.api.resources import BELOW
from alertd.destinations.registry import REGISTRY
from alertd.errors import StoreUnavailableError
from alertd.model.token import Role
from tests.unit.api.bench import Bench, running

if TYPE_CHECKING:
    from collections.abc import Iterator

UNDOCUMENTED = ("/deliveries/stream",)


async def operations() -> dict[tuple[str, str], Operation]:
    """Every documented operation."""
    bench = Bench()
    await bench.start()
    return bench.app[OPERATIONS]


async def test_the_document_is_valid() -> None:
    """It is OpenAPI 3.1, served without a token, and every operation has a name of its own."""
    async with running() as call:
        status, document = await call("GET", "/api/openapi.json", None)
        assert status == 200
        OpenAPIV31SpecValidator(document).validate()
        every = [each["operationId"] for methods in document["paths"].values() for each in methods.values()]
        assert len(set(every)) == len(every)


async def test_each_example_is_taken() -> None:
    """What the document shows as the body of an intake is taken as it stands, in every content type."""
    async with running() as call:
        document = (await call("GET", "/api/openapi.json", None))[1]
        content = document["paths"]["/api/v1/events"]["post"]["requestBody"]["content"]
        assert len(content) == 4
        for kind, body in content.items():
            sent = body["example"] if isinstance(body["example"], str) else json.dumps(body["example"])
            headers = {"Authorization": "Bearer secret-root", "Content-Type": kind}
            async with call.client.post("/api/v1/events", data=sent, headers=headers) as answer:
                assert answer.status == 202, (kind, await answer.text())


def _shown(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], int | None]]:
    """Give every content of the document, its place, and the status that it comes with (None: it is sent)."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            at = f"{method.upper()} {path}"
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                yield f"{at} {kind}", content, None
            for status, answer in operation["responses"].items():
                for kind, content in answer.get("content", {}).items():
                    yield f"{at} {status} {kind}", content, int(status)


def examples_of(content: dict[str, Any]) -> list[Any]:
    """Give the one example of a content, or all of several."""
    several = [each["value"] for each in content.get("examples", {}).values()]
    return several or ([content["example"]] if "example" in content else [])


async def test_every_body_has_an_example() -> None:
    """No body that the API reads is without one, nor an error, nor an answer of a named shape or a page of such."""
    async with running() as call:
        document = (await call("GET", "/api/openapi.json", None))[1]
        without = []
        for at, content, status in _shown(document):
            schema = content["schema"]
            item = schema.get("properties", {}).get("items", {}).get("items", schema)
            if "example" not in content and "examples" not in content and (status is None or "$ref" in item):
                without.append(at)
        assert without == []


async def test_every_example_has_its_shape() -> None:
    """What is shown as an example fits the schema that it is shown for, formats included."""
    async with running() as call:
        document = (await call("GET", "/api/openapi.json", None))[1]
        wrong = []
        for at, content, _ in _shown(document):
            for example in examples_of(content):
                schema = {**content["schema"], "components": document["components"]}
                found = OAS31Validator(schema, format_checker=OAS31Validator.FORMAT_CHECKER)
                wrong += [(at, error.json_path, error.message) for error in found.iter_errors(example)]
        assert wrong == []


async def test_each_destination_type_has_an_example_and_a_schema() -> None:
    """For each type the document shows a whole destination, whose settings fit the schema that it names for the type."""
    async with running() as call:
        document = (await call("GET", "/api/openapi.json", None))[1]
        making = document["paths"][f"{BELOW}/destinations"]["post"]["requestBody"]["content"]["application/json"]
        shown = {example["type"]: example["settings"] for example in examples_of(making)}
        assert shown.keys() == making["examples"].keys() == REGISTRY.keys()
        components = document["components"]
        told = components["schemas"]["Destination"]["properties"]["settings"]["description"]
        for kind, settings in shown.items():
            name = REGISTRY[kind].settings_model.__name__
            assert f"{kind}: {name}" in told
            OAS31Validator({"$ref": f"#/components/schemas/{name}", "components": components}).validate(settings)


async def test_every_operation_says_who_may() -> None:
    """Each names the security schemes that guard it, of those that the document has; only open ones name none."""
    async with running() as call:
        document = (await call("GET", "/api/openapi.json", None))[1]
        schemes = document["components"]["securitySchemes"]
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                guards = [name for each in operation["security"] for name in each]
                assert set(guards) <= set(schemes)
                assert bool(guards) == ("x-alertd-role" in operation), (method, path)


IDS = {"alerts": "alt", "deliveries": "dlv", "issues": "iss", "incidents": "inc", "replays": "rpl", "rejected": "rej"}


def filled(path: str) -> str:
    """Fill a path in with what is there, or might be."""
    for collection, prefix in IDS.items():
        path = path.replace(f"/{collection}/{{id}}", f"/{collection}/{prefix}_{1 << 40:016x}")
    path = path.replace("/destinations/{name}", "/destinations/hook").replace(
        "/subscriptions/{name}", "/subscriptions/serious"
    )
    return (
        path.replace("{workspace}", "default").replace("{name}", "default").replace("{id}", "x").replace("{key}", "k")
    )


async def test_what_a_store_that_fails_makes_of_a_read_is_documented() -> None:
    """While nothing can be read of the store each read that needs it is 503, and says so in the document."""
    async with running() as call:

        async def fail(*args: Any, **options: Any) -> Any:
            raise StoreUnavailableError("the disk is broken")

        for name, _ in inspect.getmembers(call.bench.store, inspect.iscoroutinefunction):
            setattr(call.bench.store, name, fail)
        unavailable = set()
        document = (await call("GET", "/api/openapi.json", None))[1]
        for path, methods in document["paths"].items():
            if "get" in methods and not path.endswith(UNDOCUMENTED):
                status, body = await call("GET", filled(path))
                assert str(status) in methods["get"]["responses"], (path, status, body)
                unavailable |= {path} if status == 503 else set()
        assert {f"{BELOW}/events", f"{BELOW}/issues", f"{BELOW}/incidents/{{id}}", f"{BELOW}/audit"} <= unavailable


async def test_no_parameter_is_left_out_in_silence() -> None:
    """Where the document has no parameters of a query, any is refused by its name before anything is done."""
    async with running() as call:
        document = (await call("GET", "/api/openapi.json", None))[1]
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                taken = [each for each in operation["parameters"] if each["in"] == "query"]
                if "x-alertd-role" in operation and not taken and path != "/api/v1/events":
                    status, problem = await call(method.upper(), f"{filled(path)}?nonsense=1", data=b"{}")
                    assert status == 422, (method, path, problem)
                    assert [each["pointer"] for each in problem["errors"]] == ["/nonsense"]


async def test_every_body_may_be_late() -> None:
    """Whatever is asked for a body says what it answers when that does not arrive."""
    async with running() as call:
        document = (await call("GET", "/api/openapi.json", None))[1]
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                assert "requestBody" not in operation or "408" in operation["responses"], (method, path)


async def test_every_route_is_documented() -> None:
    """No route is missing from the document, and nothing is in it that is no route."""
    bench = Bench()
    await bench.start()
    routes = {
        (route.method, route.resource.canonical)
        for route in bench.app.router.routes()
        if route.resource is not None and route.method in {"GET", "POST", "PUT", "PATCH", "DELETE"}
    }
    known = set(bench.app[OPERATIONS])
    assert {each for each in routes - known if not each[1].endswith(UNDOCUMENTED)} == set()
    assert known <= routes


async def test_the_page_asks_nobody_else() -> None:
    """The page of the documentation names every path and refers to no other server."""
    async with running() as call:
        _, document = await call("GET", "/api/openapi.json", None)
        status, page, headers = await call.full("GET", "/api/docs", None)
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert all(f"<code>{path}</code>" in page for path in document["paths"])
        assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//|<script|@import|url\(""", page)
        assert "default-src 'none'" in headers["Content-Security-Policy"]


def _filled(path: str) -> str:
    path = path.replace("/workspaces/{name}", "/workspaces/default")
    return re.sub(r"\{(\w+)[^}]*\}", lambda found: "default" if found[1] == "workspace" else "nothing", path)


def _too_low(operation: Operation) -> Iterator[str]:
    """Name tokens that may not do it, and one of another workspace that would be high enough."""
    yield from (who for who in ("intake", "viewer", "operator", "admin") if not _may(operation, Role[who.upper()]))


def _may(operation: Operation, role: Role) -> bool:
    if operation.least is None:
        return True
    if operation.least is Role.INTAKE:
        return role is not Role.VIEWER
    return role >= operation.least and not operation.everywhere


@pytest.mark.parametrize("who", ["intake", "viewer", "operator", "admin"])
async def test_every_route_refuses_each_lower_role(who: str) -> None:
    """What the document says of roles is what happens: a lower role is 403, a sufficient one is not."""
    async with running() as call:
        wrong = []
        for (method, path), operation in (await operations()).items():
            if STREAM in operation.answer_types and who not in _too_low(operation):
                continue  # an endless answer, when it is let in
            body: dict[str, Any] = {} if method == "GET" else {"json": {}}
            status, _ = await call(method, _filled(path), who, headers={"If-Match": '"x"'}, **body)
            refused = who in _too_low(operation)
            if (status == 403) != refused:
                wrong.append((method, path, who, status))
        assert wrong == []


async def test_every_route_refuses_strangers() -> None:
    """Without a token every route but the open ones is 401; another workspace's admin gets 403."""
    async with running() as call:
        wrong = []
        for (method, path), operation in (await operations()).items():
            status, _ = await call(method, _filled(path), None)
            if (status == 401) != (operation.least is not None) and not operation.self_guarded:
                wrong.append((method, path, "nobody", status))
            if "{workspace}" in path:
                status, _ = await call(method, _filled(path), "other-admin", headers={"If-Match": '"x"'})
                if status != 403:
                    wrong.append((method, path, "other-admin", status))
        assert wrong == []
