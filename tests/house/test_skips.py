"""What a test does that this machine cannot run, and that all of them do it in one place."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.machine import NPM_SECONDS, lacks, npm, program

TESTS = Path(__file__).resolve().parents[1]
SKIPPING = re.compile(r"\b(?:pytest|mark)\.(?:skip|skipif|importorskip|xfail)\b(?!\.Exception)|\b[Ss]kipTest\b")


@pytest.mark.parametrize("permitted", [None, "", "0"])
def test_what_the_machine_lacks_skips_a_test(monkeypatch: pytest.MonkeyPatch, permitted: str | None) -> None:
    """The reason is what is told of it."""
    monkeypatch.delenv("NO_SKIPS", raising=False)
    if permitted is not None:
        monkeypatch.setenv("NO_SKIPS", permitted)
    with pytest.raises(pytest.skip.Exception, match=r"^there is no broker here$"):
        lacks("there is no broker here")


def test_where_none_may_be_skipped_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `NO_SKIPS` a test that cannot run has failed, for the same reason."""
    monkeypatch.setenv("NO_SKIPS", "1")
    with pytest.raises(pytest.fail.Exception, match=r"^NO_SKIPS is set, and there is no broker here$"):
        lacks("there is no broker here")


@pytest.mark.parametrize("words", ["exit 1", "exec sleep 60"], ids=["refuses", "hangs"])
def test_what_npm_cannot_bring_the_machine_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str) -> None:
    """Whether it says so or, without a network, says nothing."""
    monkeypatch.setenv("NO_SKIPS", "1")
    monkeypatch.setattr("tests.machine.NPM_SECONDS", 0.2 if "sleep" in words else NPM_SECONDS)
    (tmp_path / "npm").write_text(f"#!/bin/sh\n{words}\n")
    (tmp_path / "npm").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(pytest.fail.Exception, match=r"^NO_SKIPS is set, and npm ci --ignore-scripts fails$"):
        npm(tmp_path, "ci", "--ignore-scripts")


def test_a_program_is_found_by_any_of_its_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first that there is counts; where there is none, the reason names them all."""
    monkeypatch.setenv("NO_SKIPS", "1")
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("second", "third"):
        (tmp_path / name).symlink_to(sys.executable)
    assert program("first", "second", "third") == str(tmp_path / "second")
    with pytest.raises(pytest.fail.Exception, match=r"fourth or fifth is not installed$"):
        program("fourth", "fifth")


def test_ci_skips_nothing() -> None:
    """Whatever the machine is, and whoever calls it."""
    assert "\nexport NO_SKIPS=1\n" in (TESTS.parent / ".ci/run").read_text()


def test_nothing_else_skips() -> None:
    """A test that skips itself, or may fail, would do so where `NO_SKIPS` is set as well."""
    found = {str(path.relative_to(TESTS)) for path in TESTS.rglob("*.py") if SKIPPING.search(path.read_text())}
    assert found == {"machine.py"}
