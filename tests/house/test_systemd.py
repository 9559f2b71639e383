"""The unit files: systemd accepts them, and they lock the daemon in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine import lacks, program

UNITS = Path(__file__).resolve().parents[2] / "systemd"
USERS, FOLDERS = UNITS / "alertd.sysusers.conf", UNITS / "alertd.tmpfiles.conf"
UNIT, OPERATING = UNITS / "alertd.service", UNITS.parent / "docs" / "operating.md"
COMMENTED_CREDENTIAL = re.compile(r"(?<=^#)LoadCredential=\S+$", re.MULTILINE)
SECONDS = 60


def run(*command: str | Path) -> str:
    """Run a program that must succeed and return all that it said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603 - fixed words
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def settings() -> dict[str, str]:
    """Read the unit's settings; of repeated ones the last."""
    pairs = re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE)
    return dict(pairs)


def seconds(span: str) -> float:
    """Read a time span of systemd with one unit."""
    number, unit = re.fullmatch(r"(\d+)(s|min)", span).groups()  # type: ignore[union-attr]  # the unit is written so
    return int(number) * {"s": 1, "min": 60}[unit]


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Copy the unit, its program replaced by one that exists here."""
    text = UNIT.read_text()
    copy = tmp_path / "alertd.service"
    copy.write_text(re.sub(r"^ExecStart=\S+", f'ExecStart="{sys.executable}"', text, flags=re.MULTILINE))
    return copy


def test_systemd_accepts_the_unit(unit: Path) -> None:
    """`systemd-analyze verify` finds nothing to say about the unit."""
    assert run(program("systemd-analyze"), "verify", "--man=no", unit) == ""


def test_the_unit_is_locked_in(unit: Path) -> None:
    """`systemd-analyze security` gives an exposure of at most 2.0 of 10."""
    run(program("systemd-analyze"), "security", "--offline=true", "--threshold=20", "--no-pager", unit)


def test_sysusers_accepts_the_user() -> None:
    """Nobody need be root to try it."""
    run(program("systemd-sysusers"), "--dry-run", USERS)


def test_the_user_and_the_folders_can_be_made(tmp_path: Path) -> None:
    """Sysusers and tmpfiles carry their files out, here below a folder."""
    if os.geteuid() != 0:
        lacks("only root may make users and give folders away")
    (tmp_path / "etc").mkdir()
    run(program("systemd-sysusers"), f"--root={tmp_path}", USERS)
    assert "alertd:" in (tmp_path / "etc/passwd").read_text()
    run(program("systemd-tmpfiles"), f"--root={tmp_path}", "--create", FOLDERS)
    assert (tmp_path / "etc/alertd").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "etc/alertd/credentials").stat().st_mode & 0o777 == 0o700


def test_secrets_of_the_environment_have_a_place() -> None:
    """The unit reads them from a file that need not be there, which is given to alertd, and told to the operator."""
    file = settings()["EnvironmentFile"]
    assert file == "-/etc/alertd/alertd.env"
    assert f"z {file[1:]} 0640 root alertd -\n" in FOLDERS.read_text()
    [check] = [line for line in OPERATING.read_text().splitlines() if line.startswith("systemd-run ")]
    assert f" -p EnvironmentFile={file} " in check
    assert f" -p User={settings()['User']} " in check
    assert f" -p {COMMENTED_CREDENTIAL.search(UNIT.read_text())[0]} " in check  # type: ignore[index]  # it is there, or the test fails


def test_the_unit_fits_the_daemon() -> None:
    """Readiness, reload, restart and stop are set as the daemon means them."""
    unit = settings()
    assert unit["Type"] == "notify"
    assert unit["NotifyAccess"] == "main"
    assert unit["ExecReload"].endswith("kill -HUP $MAINPID")
    assert unit["Restart"] == "on-failure"
    assert unit["StartLimitIntervalSec"] == "0"
    assert seconds(unit["WatchdogSec"]) > 0
    assert seconds(unit["TimeoutStopSec"]) >= 30, "must be longer than shutdown.drain_seconds with its margins"
    assert unit["ExecStart"].endswith("/bin/alertd run --config /etc/alertd/alertd.yml")
