"""Tests never sleep to wait: they await a signal, or a condition with a deadline. Where something may sleep is listed here."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).resolve().parents[1]
SLEEPS = {"sleep", "wait_for_timeout"}

ALLOWED = {
    "daemon.py: eventually": "polls a condition with a deadline, for all tests",
    "broker.py: _until": "as above, in a file that must do without the others, and without a loop",
    "unit/delivery/world.py: passes": "simulated time",
}
"""Function -> why it sleeps for more than a turn of the loop (`sleep(0)`)."""


def name_of(called: ast.expr) -> str:
    """Name what is called, without what it belongs to."""
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def pauses(call: ast.Call) -> bool:
    """Tell whether a call sleeps, for more than no time."""
    first = call.args[0] if call.args else None
    return name_of(call.func) in SLEEPS and not (isinstance(first, ast.Constant) and first.value == 0)


def sleeping(node: ast.AST, function: str = "") -> Iterator[str]:
    """Name the function round each call that sleeps."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and pauses(child):
            yield function
        named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from sleeping(child, child.name if named else function)


def test_nothing_else_sleeps() -> None:
    """A test that sleeps is slow on a quiet machine and fails on a busy one. What no longer sleeps leaves the list."""
    found = set()
    for path in TESTS.rglob("*.py"):
        text = path.read_text()
        if any(f"{name}(" in text for name in SLEEPS):
            found |= {f"{path.relative_to(TESTS)}: {function}" for function in sleeping(ast.parse(text))}
    assert found == ALLOWED.keys()
