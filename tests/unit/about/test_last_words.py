"""Last words: what a run that did not end in peace leaves for the next one."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from alertd.about.last_words import EXCEPTION_MAX, FILE_BYTES, LINE_MAX, LINES, Crash, LastWords

ROOT = Path(__file__).parents[3]
CHILD = """
import os, signal, sys
from pathlib import Path
from alertd.about.last_words import LastWords
words, _ = LastWords.open(Path(sys.argv[1]))
words.begin("7")
for n in range(30):
    words.add(f"line {n}")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "last.words"


def begun(file: Path) -> LastWords:
    """Begin a run."""
    words, _ = LastWords.open(file)
    words.begin("7")
    return words


def left(file: Path) -> Crash | None:
    """Open the file as the next run does."""
    words, crash = LastWords.open(file)
    words.begin("next")
    words.ended()
    words.close()
    return crash


def test_a_first_run_finds_nothing(file: Path) -> None:
    """There is no crash before the first run; the file is the owner's alone."""
    assert left(file) is None
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_run_that_ended_in_peace_leaves_nothing(file: Path) -> None:
    """A clean stop is no crash, whatever was logged."""
    words = begun(file)
    words.add("all is well")
    words.ended()
    words.close()
    assert left(file) is None


def test_a_killed_process_leaves_its_last_lines(file: Path) -> None:
    """After SIGKILL the newest twenty lines are there, without an exception; the next look finds them no more."""
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", CHILD, str(file)], cwd=ROOT, env={**os.environ}, check=False, timeout=120
    )
    assert done.returncode == -signal.SIGKILL
    assert left(file) == Crash(tuple(f"line {n}" for n in range(10, 30)), "", "7")
    assert left(file) is None


def test_a_start_that_is_never_ready_leaves_nothing(file: Path) -> None:
    """It was told where it failed; and it does not hide the crash of the run before it."""
    words, _ = LastWords.open(file)
    words.add("listening")
    words.failed(OSError("no"))
    words.close()
    words, crash = LastWords.open(file)
    assert crash is None
    words.add("collected before it was ready")
    words.begin("8")
    words.close()
    words, _ = LastWords.open(file)
    words.failed(OSError("no"))
    words.close()
    assert LastWords.open(file)[1] == Crash(("collected before it was ready",), "", "8")


def test_an_exception_is_kept_with_its_end(file: Path) -> None:
    """The traceback is kept; of a long one the end, which names the error."""
    words = begun(file)
    words.failed(RuntimeError("x" * EXCEPTION_MAX + " the very end"))
    words.close()
    crash = left(file)
    assert crash is not None
    assert crash.exception.endswith("the very end\n")
    assert len(crash.exception) == EXCEPTION_MAX


@pytest.mark.parametrize("error", [RuntimeError("no more"), asyncio.CancelledError("no more")])
def test_around_a_run_it_hears_what_ends_it(file: Path, error: BaseException) -> None:
    """An exception is kept and goes on, a cancellation as well."""
    words = begun(file)
    with pytest.raises(type(error)) as caught, words:
        raise error
    words.close()
    assert caught.value is error
    crash = left(file)
    assert crash is not None
    assert crash.exception.endswith(f"{type(error).__name__}: no more\n")


def test_around_a_run_it_hears_its_end(file: Path) -> None:
    """What ends without an exception ended in peace."""
    words = begun(file)
    with words:
        words.add("all is well")
    words.close()
    assert left(file) is None


def test_lines_are_bounded(file: Path) -> None:
    """Long lines are cut at the bound, and the worst of all lines still fit the file."""
    words = begun(file)
    for _ in range(LINES + 1):
        words.add("\u20ac" * (LINE_MAX + 1))
    words.failed(RuntimeError("\u20ac" * EXCEPTION_MAX))
    words.close()
    crash = left(file)
    assert crash is not None
    assert [len(line) for line in crash.lines] == [LINE_MAX] * LINES
    assert file.stat().st_size == FILE_BYTES


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff" * FILE_BYTES, (5).to_bytes(8, "little") + b"[tru"])
def test_a_damaged_file_is_no_crash_and_is_used_again(file: Path, content: bytes) -> None:
    """What cannot be read is passed over; from then on the file works."""
    file.write_bytes(content)
    words, crash = LastWords.open(file)
    assert crash is None
    words.begin("7")
    words.add("after \ud800 all")
    words.close()
    words.add("too late")
    assert left(file) == Crash(("after ? all",), "", "7")


def test_the_file_has_its_room_from_the_beginning(file: Path) -> None:
    """So that a disk that is full later takes what is said of it."""
    begun(file).close()
    assert file.stat().st_blocks * 512 >= FILE_BYTES


def test_where_no_room_can_be_kept_the_words_are(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without room, or one that cannot keep any: what could be written is told by the next run."""

    def no_room(*_: int) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    words = begun(file)
    words.add("after all")
    words.close()
    assert file.stat().st_size < FILE_BYTES
    assert left(file) == Crash(("after all",), "", "7")


def test_a_disk_that_takes_nothing_ends_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it refuses is not kept; the run goes on."""
    words = begun(file)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(os, "pwrite", full)
    words.add("the disk is full")
    monkeypatch.undo()
    words.add("again")
    words.close()
    assert left(file) == Crash(("the disk is full", "again"), "", "7")
