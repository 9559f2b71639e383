"""How deep a resource may be in the file: as deep as over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from alertd.app.known_types import KnownTypes
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.mail_server import MailServer
from alertd.errors import InvalidError
from alertd.resources.judge import DEPTH_MAX, read
from alertd.resources.kinds import EVENT_TYPE
from alertd.resources.snapshot import Snapshot
from tests.unit.config.files import load, problem

if TYPE_CHECKING:
    from pathlib import Path

TYPES = KnownTypes(EgressPolicy, MailServer)


def _nested(inner: Any, levels: int) -> Any:
    """Put something into so many levels."""
    for _ in range(levels):
        inner = {"not": inner}
    return inner


@pytest.mark.parametrize("inner", [{"type": "string"}, {}], ids=["full", "empty"])
@pytest.mark.parametrize(("levels", "fits"), [(DEPTH_MAX, True), (DEPTH_MAX + 1, False), (DEPTH_MAX + 50, False)])
def test_a_schema_is_as_deep_as_over_the_api(tmp_path: Path, inner: Any, levels: int, fits: bool) -> None:
    """One bound, in the same words; the line is that of the schema."""
    event_type = {
        "name": "x.y",
        "data_schema": _nested(inner, levels - 2),
    }  # in the resource, with one level of its own
    text = (
        f"workspaces:\n- name: default\n  event_types:\n  - name: x.y\n    data_schema: {event_type['data_schema']}\n"
    )
    if fits:
        load(tmp_path, text)
        read(EVENT_TYPE, "default", event_type, Snapshot({}, {}), TYPES)
        return
    found = problem(tmp_path, text)
    with pytest.raises(InvalidError) as refused:
        read(EVENT_TYPE, "default", event_type, Snapshot({}, {}), TYPES)
    assert (found.path, found.line) == ("workspaces[0].event_types[0].data_schema", 5)
    assert [(each.pointer, each.detail) for each in refused.value.problems] == [
        ("/data_schema", f"expected {found.expected}")
    ]
