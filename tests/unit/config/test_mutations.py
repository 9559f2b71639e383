"""Random damage to a good file: whatever comes of it, it is a Config or a ConfigError."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from alertd.config.load import load_config
from alertd.errors import ConfigError, ConfigProblem
from tests.unit.config.files import VALID

if TYPE_CHECKING:
    from pathlib import Path

TREE = yaml.safe_load(VALID)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["${X}", "${X:-a}", "$$", "file:/", "credential:x", "run:failed", "default", "a(", "regex", "null"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the places of all values in a tree."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for key, item in inner for found in places(item, (*place, key)))]


def changed(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """Copy a tree with another value at a place."""
    if not place:
        return new
    if isinstance(value, dict):
        return {key: changed(item, place[1:], new) if key == place[0] else item for key, item in value.items()}
    return [changed(item, place[1:], new) if index == place[0] else item for index, item in enumerate(value)]


def attempt(path: Path, raw: bytes) -> None:
    """Load bytes as a configuration, whatever they are."""
    path.write_bytes(raw)
    problems: tuple[ConfigProblem, ...] = ()
    try:
        load_config(path, {"X": "put in"})
    except ConfigError as error:
        problems = error.problems
    assert all(p.path and p.expected and (p.line or p.path == "(file)") for p in problems)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a path for all examples."""
    return tmp_path_factory.mktemp("mutations") / "alertd.yml"


@settings(max_examples=150)
@given(place=st.sampled_from(places(TREE)), value=VALUES)
def test_any_value_anywhere_is_read_or_refused(path: Path, place: tuple[Any, ...], value: object) -> None:
    """One value replaced by any other never raises anything but ConfigError."""
    attempt(path, yaml.safe_dump(changed(TREE, place, value)).encode())


@settings(max_examples=150)
@given(data=st.data())
def test_any_damage_to_the_bytes_is_read_or_refused(path: Path, data: st.DataObject) -> None:
    """Bytes cut out, put in or replaced never raise anything but ConfigError."""
    raw = VALID.encode()
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 40)))
    new = data.draw(
        st.binary(max_size=8) | st.sampled_from([b"\t", b"\n", b": ", b"- ", b"{", b"*a", b"&a ", b"!!int ", b"? "])
    )
    attempt(path, raw[:start] + new + raw[end:])
