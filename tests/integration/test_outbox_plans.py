"""How SQLite finds what waits: by the index of what is due, however much was delivered before."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from alertd.store.sqlite import outbox
from alertd.store.sqlite.migrate import migrate

DUE = "SEARCH d USING INDEX delivery_due (destination_id=?"
COVERED = "SEARCH d USING COVERING INDEX delivery_due (destination_id=?"


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("_DUE", [f"{DUE} AND next_at<?)", f"{COVERED} AND next_at>?)"]),
        ("_NEXT_WAITING", [COVERED]),
        ("_DESTINATIONS", ["SEARCH delivery USING COVERING INDEX delivery_due"] * 2),
        ("_COUNTS", ["SCAN delivery USING COVERING INDEX delivery_due"]),
    ],
)
def test_what_is_final_is_not_walked_over(name: str, ways: list[str]) -> None:
    """A condition that SQLite does not recognise as that of the partial index would walk over the whole history."""
    params: dict[str, Any] = dict.fromkeys(("destination", "now", "limit", "after", "after_id"), 1)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as conn:
        migrate(conn)
        query = f"EXPLAIN QUERY PLAN {getattr(outbox, name)}"
        plan = [row[3] for row in conn.execute(query, {**params, "held": "[]"})]
    found = [line for line in plan if line.startswith(("SEARCH d ", "SCAN d ", "SEARCH delivery ", "SCAN delivery "))]
    assert len(found) == len(ways), plan
    assert all(line.startswith(way) for line, way in zip(found, ways, strict=True)), plan
