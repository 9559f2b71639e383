"""An export is read back as it was written, whatever its texts look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.clock import SystemClock
from alertd.config.lines import read_document
from alertd.config.load import load_config
from alertd.resources.export import dump
from alertd.resources.judge import DEPTH_MAX
from alertd.resources.kinds import EVENT_TYPE
from alertd.store.memory import MemoryStore
from tests.unit.resources.test_registry import Live, registry_on

if TYPE_CHECKING:
    from pathlib import Path

LIKE_VALUES = [
    "09", "9", "-1", "+7", "1e3", "12e5", "1.", ".5", "-.5e-7", "0o17", "0x1F", "0b1", "1_000", "1:30", "2026-05-07",
    "2026-05-07T00:00:00Z", ".inf", "-.INF", ".nan", "~", "null", "", "true", "FALSE", "yes", "Off", "=", "<<", "- a",
    "a: b", "# c", "*x", "&x", "!x", "%x", "@x", "`x", "'x", '"x', "{x", "[x", " x ", "x\ny\n", "\t", "é😀", "\u2028", "\x85", "a\x85b", "\x00\x7f\ufeff",
]  # fmt: skip
"""Texts that some reader of YAML takes for something else."""
TEXTS = st.text(alphabet="0123456789eEoxX+-._ainf", max_size=8) | st.text(
    st.characters(blacklist_categories=("Cs",)), max_size=40
)
VALUES = st.recursive(
    TEXTS | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS.filter(bool), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("text", LIKE_VALUES)
def test_a_text_stays_a_text(text: str) -> None:
    """As a value, in a list and as a key, to the configuration's own reader."""
    document = {"value": text, "list": [text], "keys": {text or "x": 1}}
    assert read_document(dump(document), "a.yml").root == document


@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    """Any JSON value comes back as it is, numbers as numbers."""
    assert read_document(dump({"value": value}), "a.yml").root == {"value": value}


async def test_what_was_learnt_is_taken_back(tmp_path: Path) -> None:
    """A project is in the file under whatever name events gave it, and the file is taken with it."""
    registry = registry_on(MemoryStore(SystemClock()), Live())
    await registry.load({})
    await registry.learn([("default", "My Shop! ä", "Prod 1"), ("default", "09", "")])
    file = tmp_path / "alertd.yml"
    file.write_text(await registry.export("default"))
    (workspace,) = load_config(file, {}).workspaces
    assert [(project.name, project.environments) for project in workspace.projects] == [
        ("My Shop! ä", ("Prod 1",)),
        ("09", ()),
    ]


async def test_a_resource_as_deep_as_may_be_is_taken_back(tmp_path: Path) -> None:
    """What the API takes stands in a file as well, however deep it is."""
    registry = registry_on(MemoryStore(SystemClock()), Live())
    await registry.load({})
    deep: Any = 1
    for _ in range(DEPTH_MAX - 3):
        deep = {"a": deep}
    schema = {"enum": [deep]}
    await registry.create(EVENT_TYPE, "default", {"name": "deep", "data_schema": schema}, "ann")
    file = tmp_path / "alertd.yml"
    file.write_text(await registry.export("default"))
    (workspace,) = load_config(file, {}).workspaces
    assert workspace.event_types[0].data_schema == schema
