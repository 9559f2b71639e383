"""What a run of the tests says of those that it skipped, and what it ends with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPARED = ["-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:anyio"]
"""Plugins that take a second to load and have no part in this."""
SKIPPING = """
import pytest

@pytest.fixture
def broker():
    pytest.skip("there is no broker here")

def test_one(broker): ...

def test_two(broker): ...

@pytest.mark.xfail(reason="known")
def test_three(): assert False

def test_four(): ...
"""


@pytest.mark.parametrize(("forbidden", "workers", "status"), [("", [], 0), ("1", ["-n", "1"], 1)])
def test_a_skip_is_named_and_fails_where_none_may_be(
    tmp_path: Path, forbidden: str, workers: list[str], status: int
) -> None:
    """Each skipped test is listed with its reason; with `NO_SKIPS` the run has then failed, also when workers ran it."""
    (tmp_path / "test_it.py").write_text(SKIPPING)
    command = [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "-p", "tests.conftest", *SPARED, *workers]
    done = subprocess.run(  # noqa: S603 - this very Python, and words of our own
        [*command, tmp_path],
        cwd=ROOT,
        env={**os.environ, "NO_SKIPS": forbidden},
        check=False,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == status, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    listed = [line.rpartition("::")[2] for line in lines if line.startswith("SKIPPED")]
    assert listed == [f"test_{name} - Skipped: there is no broker here" for name in ("one", "two")]
    assert ("NO_SKIPS is set, and 2 skipped (above): this run has failed" in lines) is (status == 1)
