"""What `make` runs is what its help says."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def recipe(*words: str) -> list[list[str]]:
    """The commands that make would run, each as its words."""
    told = subprocess.run(  # noqa: S603 - make, and words of our own
        ["make", "--dry-run", *words],  # noqa: S607 - the developer's own make
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))},
        check=True,
        capture_output=True,
        text=True,
    )
    return [shlex.split(line, comments=True) for line in told.stdout.splitlines()]


def test_torture_plays_as_many_rounds_as_it_is_told() -> None:
    """`N` is the number of kills, 20 if nothing is said."""
    for words, rounds in ((["torture", "N=7"], "7"), (["torture"], "20")):
        assert recipe(*words)[-1][1:] == ["-m", "tests.torture", rounds]


def test_fuzzing_makes_up_as_many_cases_as_it_is_told() -> None:
    """`CASES` is how many for each operation and role, 100 if nothing is said; decoders have `SECONDS`. `make test` says nothing."""
    for words, cases, seconds in ((["fuzz", "CASES=7", "SECONDS=9"], "7", "9"), (["fuzz"], "100", "60")):
        commands = recipe(*words)
        tests = [command for command in commands if command[0] == f"FUZZ_CASES={cases}"]
        assert [command[-1] for command in tests] == ["tests/integration/test_openapi_fuzz.py", "hypothesis"]
        assert commands[-1][-3:] == ["-m", "tests.fuzzing", seconds]
    assert not any("FUZZ_CASES" in word for command in recipe("test") for word in command)


def test_no_command_sets_a_variable_that_the_daemon_refuses() -> None:
    """`ALERTD_…` in the environment is a setting, and an unknown one keeps every daemon below from starting."""
    assert "ALERTD_" not in (ROOT / "Makefile").read_text()
