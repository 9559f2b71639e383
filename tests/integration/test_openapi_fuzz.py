"""Every operation of the OpenAPI document, with made-up input and each role's token: the answers keep to the document.

`make fuzz` makes up many more cases than `make test`, and other ones each time.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.unit.cli.stage import Stage, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ROLES: Final = ("root", "admin", "operator", "viewer", "intake")
GIVEN: Final = os.environ.get("FUZZ_CASES")
CASES: Final = int(GIVEN or 3)
"""Cases for each operation and role."""
KNOWN: Final = {
    "channels": ["all", "run:failed"],
    "destinations": ["hook", "page"],
    "subscriptions": ["everything"],
    "tokens": ["viewer"],
}
"""Names that are there, so that not every case ends at a 404."""
ELSEWHERE: Final = "other"
"""A workspace that is there, and that no token but that of all workspaces belongs to."""
PLANTED: Final = "nobody-else-may-read-this"
"""What its event and its token say."""


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Serve the API, with something in the other workspace that must not be seen elsewhere; in the end all is read again."""
    with serving(deadline=60 + 300 * CASES) as served:
        for line in (
            ("send", PLANTED, "--id", PLANTED, "--message", PLANTED, "--project", PLANTED, "--severity", "critical"),
            ("token", "create", PLANTED, "--role", "viewer"),
        ):
            made = served.typed(*line, "--workspace", ELSEWHERE)
            assert made.exit_code == 0, made.output
        yield served
        assert served.bench is not None
        registry = served.bench.registry  # what was made up must not keep the next start from reading it
        served.on_loop(registry.load(registry.snapshot.provisioned))


@pytest.mark.timeout(300 + 60 * CASES)
@pytest.mark.parametrize("role", ROLES)
def test_answers_keep_to_the_document(stage: Stage, role: str) -> None:
    """No answer is a 5xx, has an undocumented status or content type, or another shape than the document says; and none
    tells anything of another workspace, which is refused.
    """  # noqa: D205 - one thought, two lines
    schema = schemathesis.openapi.from_url(f"{stage.url}/api/openapi.json")
    headers = {"Authorization": f"Bearer secret-{role}"}
    for found in schema.get_all_operations():
        operation = found.ok()
        if "stream" in operation.path or "reload" in operation.path:
            continue  # an endless answer; and one that ends in the test's own hands

        @settings(
            max_examples=CASES,
            database=None,
            derandomize=GIVEN is None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), data=st.data())
        def answered(case: Any, data: st.DataObject) -> None:
            _aim(case, data)
            answer = case.call(headers=headers, timeout=60)
            case.validate_response(answer, checks=CHECKS)
            if role != "root":
                assert PLANTED not in answer.text
                assert answer.status_code >= 400 or _workspace_of(case) != ELSEWHERE

        answered()


def _aim(case: Any, data: st.DataObject) -> None:
    """Point a case at what is there, most of the time."""
    given_path = case.path_parameters or {}
    if "workspace" in given_path:
        case.path_parameters["workspace"] = data.draw(st.sampled_from(["default"] * 6 + [ELSEWHERE, "nowhere"]))
    collection = case.path.rstrip("/").split("/")
    for name, names in KNOWN.items():
        if name in collection and "name" in given_path and data.draw(st.booleans()):
            case.path_parameters["name"] = data.draw(st.sampled_from(names))


def _workspace_of(case: Any) -> str | None:
    found: str | None = (case.path_parameters or {}).get("workspace")
    return found
