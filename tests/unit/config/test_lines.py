"""YAML documents: values as YAML 1.2 has them, each with its line."""

from __future__ import annotations

import math

import pytest

from alertd.config.lines import MAX_DEPTH, Mark, dotted, read_document
from alertd.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("0x1F", 31),
        ("0o17", 15),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("Null", None),
        ("''", ""),
        ("yes", "yes"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-05-07", "2026-05-07"),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    """Plain scalars follow YAML 1.2's core schema; quoted ones are texts."""
    assert read_document(f"x: {text}", "f").root == {"x": value}


def test_every_value_has_its_line() -> None:
    """Keys, items and values know where they are written, also when a value begins on a later line."""
    document = read_document("a:\n  b: 1\n  c:\n    - x\n    - y: {z: 2,\n          w: 3}\nd: |\n  t\n", "f")
    assert document.marks[("a",)] == Mark("f", 1, 2)
    assert document.marks["a", "b"] == Mark("f", 2, 2)
    assert document.marks["a", "c", 0] == Mark("f", 4, 4)
    assert document.marks["a", "c", 1] == Mark("f", 5, 5)
    assert document.marks["a", "c", 1, "y", "w"] == Mark("f", 6, 6)
    assert document.marks[("d",)].key == 7


def test_aliases_stand_for_their_anchor() -> None:
    """A value may be written once and used twice."""
    assert read_document("a: &x {b: 1}\nc: *x\n", "f").root == {"a": {"b": 1}, "c": {"b": 1}}


def test_deep_nesting_is_refused() -> None:
    """Nesting is bounded, so no document can exhaust the stack."""
    for text in ["- " * 900 + "a", "[" * 100_000, "{a: " * 100_000]:
        with pytest.raises(ConfigError, match=f"at most {MAX_DEPTH} levels"):
            read_document(text, "f")


def test_deep_nesting_by_aliases_is_refused() -> None:
    """Aliases count as what they stand for."""
    chain = "".join(f"a{i}: &a{i} {'[' * 40}{f'*a{i - 1}' if i else 'x'}{']' * 40}\n" for i in range(60))
    document = read_document(chain, "f")
    assert f"at most {MAX_DEPTH} levels" in str(document.problems[0][1])


def test_places_are_written_for_people() -> None:
    """Keys with dots between them, indices in brackets."""
    assert dotted(("workspaces", 0, "channels", 2, "pattern")) == "workspaces[0].channels[2].pattern"
    assert dotted(()) == "(file)"
