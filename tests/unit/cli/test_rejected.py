"""`alertd rejected`: records that could not be read are listed, shown with their bytes, and tried again."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from alertd.cli.main import app
from alertd.intake.kafka.options import Topic
from alertd.model.ids import REJECTED, format_id
from alertd.store.base import Batch, RejectedRecord

if TYPE_CHECKING:
    from tests.unit.cli.stage import Stage

GOOD = b'{"type": "run:failed", "id": "mended"}'
HEADERS = '[["trace","YWJj"],["none",null]]'


def kept(stage: Stage, value: bytes, size: int = 0, headers: str = "") -> str:
    """Store one rejected record; return its id."""
    bench = stage.bench
    assert bench is not None
    number = bench.ids.take()
    record = RejectedRecord(number, "default", "events", 3, 17, "not\nJSON", value, size or len(value), headers)
    stage.on_loop(bench.store.commit(Batch(1, rejected=[record])))
    return format_id(REJECTED, number)


def test_they_are_listed_newest_first(stage: Stage) -> None:
    """A line each: where it stood, how long it was, why it was rejected; as JSON for programs; no more than asked for."""
    first, second, third = (kept(stage, value) for value in (b"{", b"[", b"]]"))
    result = stage.typed("rejected", "list")
    assert result.exit_code == 0
    head, *rows = result.stdout.splitlines()
    assert head.split() == ["ID", "WORKSPACE", "TOPIC", "PARTITION", "OFFSET", "BYTES", "REJECTED", "REASON"]
    assert [row.split()[0] for row in rows] == [third, second, first]
    assert rows[0].split()[1:6] == ["default", "events", "3", "17", "2"]
    assert rows[0].endswith("not JSON")
    found = json.loads(stage.typed("rejected", "list", "--limit", "2", "--json").stdout)
    assert [each["id"] for each in found["items"]] == [third, second]


def test_one_is_shown_with_its_bytes(stage: Stage) -> None:
    """The reason, the headers, the bytes as text; with --raw the bytes as they came, and nothing else."""
    number = kept(stage, b"{\xff\n", headers=HEADERS)
    result = stage.typed("rejected", "show", number)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == ["events/3 at 17: not", "JSON"]
    assert "trace: abc\nnone: (none)\n\n{\N{REPLACEMENT CHARACTER}\n" in result.stdout
    environ = {"ALERTD_TOKEN": "secret-root", "ALERTD_URL": stage.url}
    raw = CliRunner().invoke(app, ["rejected", "show", number, "--raw"], env=environ)
    assert raw.stdout_bytes == b"{\xff\n"
    assert json.loads(stage.typed("rejected", "show", number, "--json").stdout)["complete"] is True
    cut = stage.typed("rejected", "show", kept(stage, b"{", size=70_000))
    assert cut.stderr == "alertd: only a part of its 70000 bytes was kept, so it cannot be tried again\n"
    assert stage.typed("rejected", "show", number, "--raw", "--json").exit_code == 2
    assert stage.typed("rejected", "show", "rej_0000000000000001").exit_code == 1


def test_they_are_tried_again(stage: Stage) -> None:
    """What can be read now is an event, and listed no more; what cannot stays, with its reason, and the exit code is 1."""
    assert stage.bench is not None
    stage.bench.topics["events"] = Topic()
    good, bad = kept(stage, GOOD), kept(stage, b"{")
    result = stage.typed("rejected", "replay", good)
    assert (result.exit_code, result.stdout) == (0, f"{good}: accepted as the event mended\n")
    again = kept(stage, GOOD)
    result = stage.typed("rejected", "replay", "--all")
    assert result.exit_code == 1
    assert result.stdout == f"{again}: known already as the event mended\n"
    said = result.stderr.splitlines()
    assert said[0].startswith(f"alertd: {bad}: {HTTPStatus(422).phrase} (422)")
    assert said[-1] == "alertd: 1 record cannot be read still"
    left = json.loads(stage.typed("rejected", "list", "--json").stdout)["items"]
    assert [each["id"] for each in left] == [bad]


def test_one_that_was_cut_holds_up_no_other(stage: Stage) -> None:
    """A record of which only a part was kept can never be read: it is named, and those behind it are tried."""
    assert stage.bench is not None
    stage.bench.topics["events"] = Topic()
    cut, good = kept(stage, b"{", size=70_000), kept(stage, GOOD)
    result = stage.typed("rejected", "replay", "--all")
    assert (result.exit_code, result.stdout) == (1, f"{good}: accepted as the event mended\n")
    assert result.stderr.startswith(f"alertd: {cut}: Conflict (409): only the first 1 of the record's 70000 bytes")
    gone = stage.typed("rejected", "replay", good, cut)
    assert [line.split()[1] for line in gone.stderr.splitlines()[:2]] == [f"{good}:", f"{cut}:"]


def test_which_records_must_be_said(stage: Stage) -> None:
    """Neither ids nor --all, or both, is usage: 2; with nothing to do it says so; a viewer may not."""
    assert stage.typed("rejected", "replay").exit_code == 2
    assert stage.typed("rejected", "replay", "rej_1", "--all").exit_code == 2
    nothing = stage.typed("rejected", "replay", "--all")
    assert (nothing.exit_code, nothing.stderr) == (0, "alertd: there is no rejected record\n")
    number = kept(stage, GOOD)
    refused = stage.typed("rejected", "replay", number, who="viewer")
    assert refused.exit_code == 1
    assert "Forbidden (403)" in refused.stderr
