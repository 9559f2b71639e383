"""The type `file`: whole lines, rotation at the bound, and a disk that does not take it."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from alertd.destinations.file import FileDestination, FileSettings, _write
from alertd.destinations.standard_body import body_of
from alertd.model.delivery import OutcomeKind
from tests.conformance.messages import make_message

if TYPE_CHECKING:
    from pathlib import Path

DEADLINE = 60.0
SIZE = len(body_of(make_message())) + 1
"""Bytes of the usual line."""


def opened(folder: Path, **settings: Any) -> FileDestination:
    """Open one in a folder."""
    return FileDestination(FileSettings.model_validate({"path": str(folder / "a.ndjson"), **settings}))


def names(folder: Path) -> list[str]:
    """List the files in a folder."""
    return sorted(each.name for each in folder.iterdir())


def ids(path: Path) -> list[str]:
    """Read the ids of the deliveries in a file."""
    return [json.loads(line)["data"]["delivery_id"] for line in path.read_text().splitlines()]


async def write(destination: FileDestination, *numbers: int) -> None:
    """Deliver one after the other."""
    for number in numbers:
        outcome = await destination.attempt(make_message(delivery_id=f"dlv_{number:04}"))
        assert outcome.kind is OutcomeKind.DELIVERED


async def test_each_delivery_is_a_line(tmp_path: Path) -> None:
    """Lines stand in the order of the deliveries, and a new file is not for everybody."""
    await write(opened(tmp_path), 1, 2, 3)
    assert ids(tmp_path / "a.ndjson") == ["dlv_0001", "dlv_0002", "dlv_0003"]
    assert (tmp_path / "a.ndjson").stat().st_mode & 0o007 == 0


async def test_deliveries_at_once_do_not_mix(tmp_path: Path) -> None:
    """Attempts at the same time write whole lines."""
    destination = opened(tmp_path, max_bytes=SIZE * 10, keep=9)
    await asyncio.gather(*(write(destination, number) for number in range(50)))
    assert sorted(each for name in names(tmp_path) for each in ids(tmp_path / name)) == [
        f"dlv_{n:04}" for n in range(50)
    ]


async def test_it_is_rotated_at_the_bound(tmp_path: Path) -> None:
    """A file of exactly the bound stays; a byte more puts it aside, and the oldest goes."""
    destination = opened(tmp_path, max_bytes=max(1024, SIZE * 3), keep=2)
    per_file = max(1024, SIZE * 3) // SIZE
    await write(destination, *range(per_file))
    assert names(tmp_path) == ["a.ndjson"]
    await write(destination, *range(per_file, per_file * 4))
    assert names(tmp_path) == ["a.ndjson", "a.ndjson.1", "a.ndjson.2"]
    kept = [*ids(tmp_path / "a.ndjson.2"), *ids(tmp_path / "a.ndjson.1"), *ids(tmp_path / "a.ndjson")]
    assert kept == [f"dlv_{number:04}" for number in range(per_file, per_file * 4)]


async def test_nothing_is_kept_beside_it(tmp_path: Path) -> None:
    """With `keep: 0` a full file is begun anew."""
    destination = opened(tmp_path, max_bytes=1024, keep=0)
    await write(destination, *range(1024 // SIZE + 1))
    assert names(tmp_path) == ["a.ndjson"]
    assert len(ids(tmp_path / "a.ndjson")) == 1


async def test_a_line_that_was_cut_off_is_ended(tmp_path: Path) -> None:
    """After a crash in the middle of a line the next one begins on a line of its own."""
    (tmp_path / "a.ndjson").write_text('{"type": "cut')
    await write(opened(tmp_path), 1)
    first, second = (tmp_path / "a.ndjson").read_text().splitlines()
    assert first == '{"type": "cut'
    assert json.loads(second)["data"]["delivery_id"] == "dlv_0001"


async def test_a_folder_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    """What cannot be written waits, and says why without a path."""
    destination = opened(tmp_path / "none")
    outcome = await destination.attempt(make_message())
    assert (outcome.kind, outcome.detail) == (
        OutcomeKind.RETRY_LATER,
        "file: cannot write: No such file or directory",
    )
    (tmp_path / "none").mkdir()
    await write(destination, 1)


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A symbolic link in the file's place does not lead the lines elsewhere."""
    (tmp_path / "a.ndjson").symlink_to(tmp_path / "elsewhere")
    assert (await opened(tmp_path).attempt(make_message())).kind is OutcomeKind.RETRY_LATER
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full in the middle of a line, what was written of it is taken back."""
    path = tmp_path / "a"
    path.write_bytes(b"whole\n")
    real = __import__("os").write
    calls: list[int] = []

    def short(descriptor: int, data: memoryview) -> int:
        calls.append(len(data))
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return int(real(descriptor, data[:2]))

    monkeypatch.setattr("os.write", short)
    with path.open("r+b", buffering=0) as file:
        file.seek(0, 2)
        with pytest.raises(OSError, match="No space"):
            _write(file.fileno(), b"line\n", 6)
    assert path.read_bytes() == b"whole\n"


@pytest.mark.parametrize("path", ["a.ndjson", "", "/a/../b.ndjson", "/a.ndjson/", "/var/lib/alertd/alertd.db", "/a\0.ndjson"])  # fmt: skip
def test_bad_paths_are_refused(path: str) -> None:
    """A path is absolute, straight, and one that nothing else of value has."""
    with pytest.raises(ValidationError):
        FileSettings.model_validate({"path": path})


async def test_disks_that_hang_keep_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever number of files is on them: another one is written, and the loop's own threads are free."""
    gate, true = threading.Event(), FileDestination._append

    def append(destination: FileDestination, line: bytes) -> None:
        if "hung" in destination._path.parent.name:
            assert gate.wait(DEADLINE)
        true(destination, line)

    monkeypatch.setattr(FileDestination, "_append", append)
    folders = [tmp_path / f"hung{number}" for number in range(64)]
    for folder in folders:
        folder.mkdir()
    hanging = [asyncio.ensure_future(write(opened(folder), 1)) for folder in folders]
    async with asyncio.timeout(DEADLINE):
        await write(opened(tmp_path), 1)
        assert await asyncio.to_thread(int) == 0
        assert not any(each.done() for each in hanging)
        gate.set()
        await asyncio.gather(*hanging)
    assert all(ids(folder / "a.ndjson") == ["dlv_0001"] for folder in folders)
