"""What tests tell of how they ran is seen at the end of a run, also where workers run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60
TELLING = """
def test_good(record_property):
    record_property("told", "Disk by: hand")

def test_bad(record_property):
    record_property("told", "Broken by: hand")
    assert False
"""


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["alone", "with a worker"])
def test_what_a_test_tells_stands_at_the_end(tmp_path: Path, workers: list[str]) -> None:
    """Each line once, below the list of what failed and above pytest's own last line; of a test that failed, too."""
    (tmp_path / "test_telling.py").write_text(TELLING)
    plain = ["-c", ROOT / "pyproject.toml", "-p", "no:cacheprovider", "--color=no"]
    command = [sys.executable, "-m", "pytest", *plain, "-p", "tests.conftest", *workers, tmp_path]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603 - ourselves
    *_, failed, bad, good, last = done.stdout.decode().splitlines()
    assert failed.startswith("FAILED ")
    assert (bad, good) == ("Broken by: hand", "Disk by: hand")
    assert "1 failed, 1 passed in " in last
